// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserConfig

/// A generator that gives the same numbers for the same seed (xorshift64*).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}

@Suite("Files that nobody would write")
struct MalformedConfigurationTests {
    private static let context = ValueContext { _ in
        AlgorithmNames(offered: ["a", "b"], all: ["a", "b", "c"])
    }

    private static let client = Array(
        """
        Host a !b *
        Match host a user x exec "y" final all
        Include /f d/* ~/x %d/y ${Z}
        Port = 22 # x
        "User" 'a b'
        LocalForward [::1]:80 h:1
        RemoteForward /a /b
        SetEnv A=b "C=d e"
        IPQoS af21 0x10
        CanonicalizePermittedCNAMEs *.a:*.b,c.d e:f
        RekeyLimit 1G 1h
        AddKeysToAgent confirm 5m
        EscapeChar ^A
        TunnelDevice 1:any
        Ciphers ^c
        ProxyJump u@h:1,ssh://[::1]:2

        """.utf8
    )

    private static let server = Array(
        """
        Match user root,!x group wheel address 10.0.0.0/8,2001:db8::/32 localport 22
        Banner b
        Include /f
        ListenAddress [::1]:80 rdomain x
        PerSourcePenalties crash:5m min:0.5
        MaxStartups 1:2:3
        AllowUsers a@10.0.0.0/8
        Subsystem a "b c" d
        PermitListen 5 *:* [::1]:2
        AuthenticationMethods publickey,password:x none

        """.utf8
    )

    private func mutated(_ bytes: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(Self.signs[place % Self.signs.count], at: place)
            default: bytes.append(contentsOf: bytes[place...].prefix(40))
            }
        }
        return bytes
    }

    private static let signs = Array("\"'\\#=,:%!*?[]{}$^+-/@\n\t 09".utf8)

    @Test("ssh_config: no byte stops the program", arguments: 1...40)
    func clientFiles(seed: UInt64) {
        var random = Seeded(state: seed)
        for _ in 0..<50 {
            let bytes = mutated(Self.client, &random)
            let text = String(decoding: bytes, as: UTF8.self)
            var reader = ClientConfigReader(
                ClientOptions(),
                for: ClientConfigSubject(originalHost: "a", localUser: "me", home: "/home/me"),
                from: MemoryFiles(files: ["/f": text]),
                context: Self.context
            )
            let isThere = reader.read(file: "/f", isUserFile: true)
            #expect(isThere)
            let shown = ClientListing(host: "a", options: reader.options).text
            #expect(shown.hasPrefix("host a\n"))
            _ = reader.options.forwards
        }
    }

    @Test("sshd_config: no byte stops the program", arguments: 1...40)
    func serverFiles(seed: UInt64) {
        var random = Seeded(state: seed)
        for _ in 0..<50 {
            let bytes = mutated(Self.server, &random)
            var configuration = ServerConfiguration(
                context: ValueContext(isServer: true, algorithms: Self.context.algorithms),
                source: MemoryFiles(files: ["/f": String(decoding: bytes, as: UTF8.self)])
            )
            configuration.read(bytes, file: "/f")
            let subject = ServerMatchSubject(user: "root", groups: ["wheel"], address: "10.0.0.5")
            let listing = configuration.listing(for: subject)
            #expect(listing.text.hasPrefix("port "))
            _ = listing.contradictions
            #expect(Explanation(listing).json.hasSuffix("}\n"))
        }
    }
}
