// SPDX-License-Identifier: Apache-2.0

import HawserConfig
import Testing

@Suite("Forwardings as ssh(1) writes them")
struct ForwardTests {
    // What `ssh -G` of OpenSSH 9.2 makes of the same words.
    @Test(
        "What is listened on and where it goes",
        arguments: [
            (Forward.Kind.local, "1:h:2", "1", "[h]:2"),
            (.local, "*:1:h:2", "[*]:1", "[h]:2"),
            (.local, "[::1]:1:[::2]:3", "[::1]:1", "[::2]:3"),
            (.local, "/tmp/a:/tmp/b", "/tmp/a", "/tmp/b"),
            (.local, "/tmp/a:h:2", "/tmp/a", "[h]:2"),
            (.local, "5:/tmp/b", "5", "/tmp/b"),
            (.local, "b:5:/tmp/b", "[b]:5", "/tmp/b"),
            (.local, ":7:h:8", "[]:7", "[h]:8"),
            (.local, "127.0.0.1:9:10.0.0.1:1", "[127.0.0.1]:9", "[10.0.0.1]:1"),
            (.remote, "1:h:2", "1", "[h]:2"),
            (.remote, "0:a:1", "0", "[a]:1"),
            (.remote, "0", "0", nil),
            (.remote, "b:9", "[b]:9", nil),
            (.remote, "/x:h:1", "/x", "[h]:1"),
            (.dynamic, "1080", "1080", nil),
            (.dynamic, "*:1081", "[*]:1081", nil),
            (.dynamic, "[::1]:5", "[::1]:5", nil),
        ] as [(Forward.Kind, String, String, String?)]
    )
    func forms(kind: Forward.Kind, text: String, listen: String, connect: String?) throws {
        let forward = try #require(Forward(kind, text))
        #expect(forward.listen.description == listen)
        #expect(forward.connect?.description == connect)
    }

    @Test(
        "What cannot be a forwarding",
        arguments: [
            (Forward.Kind.local, "a"), (.local, "1:2"), (.local, "1:a:b"), (.local, "0:a:1"),
            (.local, "70000:a:1"), (.local, "x:1:h:2:3"), (.local, "1:[::1:2"),
            (.local, "b:1:h:0"), (.local, "/a:1"), (.local, ":1:2"), (.local, ""),
            (.local, "1:[a]b:2"), (.local, "1:h:2\\"), (.remote, "a"), (.remote, "1:a:b"),
            (.dynamic, "0"), (.dynamic, "a:b"), (.dynamic, "1:h:2"),
        ]
    )
    func malformed(kind: Forward.Kind, text: String) {
        #expect(Forward(kind, text) == nil)
    }

    @Test("The destination of -W")
    func target() {
        #expect(Forward.target("h:22") == .tcp(host: "h", port: 22))
        #expect(Forward.target("[::1]:22") == .tcp(host: "::1", port: 22))
        #expect(Forward.target("/tmp/s") == .unix(path: "/tmp/s"))
        #expect(Forward.target("h") == nil)
        #expect(Forward.target("h:0") == nil)
        #expect(Forward.target("h:1:2") == nil)
    }
}
