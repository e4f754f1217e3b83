// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserConfig

@Suite("ssh_config(5)")
struct ClientConfigReaderTests {
    private func read(
        _ text: String,
        host: String = "h",
        files: [String: String] = [:]
    ) -> ClientConfigReader {
        var reader = ClientConfigReader(
            ClientOptions(),
            for: ClientConfigSubject(originalHost: host, localUser: "me", home: "/home/me"),
            from: MemoryFiles(files: files.merging(["/c": text]) { $1 })
        )
        let isThere = reader.read(file: "/c", isUserFile: true)
        #expect(isThere)
        return reader
    }

    @Test("The first value counts, within the blocks of the host")
    func hosts() {
        let text = "Host a\n Port 1\nHost *.org !bad.org\n\tPort=2\nHost *\nPort 3\nUser \"x y\"\n"
        #expect(read(text, host: "a").options.port == 1)
        #expect(read(text, host: "good.org").options.port == 2)
        #expect(read(text, host: "bad.org").options.port == 3)
        #expect(read(text, host: "bad.org").options.user == "x y")
    }

    @Test("The example of the 2006 talk is taken as it is")
    func talk() {
        let options = read("Host *\n    ControlPath ~/.ssh/ctl-%r-%h-%p\n    ControlMaster auto\n")
            .options
        #expect(options.controlPath == "~/.ssh/ctl-%r-%h-%p")
        #expect(options.controlMaster == .auto)
    }

    @Test(
        "Match criteria",
        arguments: [
            ("host h", true), ("host=x", false), ("!host x", true),
            ("originalhost h user me", true),
            ("localuser you", false), ("exec true", true), ("exec false", false), ("all", true),
            ("final", false), ("!final all", true),
        ]
    )
    func match(criteria: String, holds: Bool) {
        #expect(read("Match \(criteria)\nPort 7\n").options.port == (holds ? 7 : nil))
    }

    @Test("Mistakes name file and line, also in blocks that do not apply")
    func mistakes() {
        let errors = read("Host other\nPrt 2\nPort 0\n").errors.map(\.text)
        #expect(
            errors == [
                "/c: line 2: Bad configuration option: prt (Port?)",
                "/c line 3: Bad port '0'.",
                "/c: terminating, 2 bad configuration options",
            ]
        )
    }

    @Test("Include takes patterns, relative paths, and keeps the block around it")
    func include() {
        let files = ["/home/me/.ssh/d/a": "Port 5\nHost zzz\nUser u\n"]
        let options = read("Host h\nInclude d/*\nUser v\n", files: files).options
        #expect(options.port == 5)
        #expect(options.user == "v")
        #expect(read("Host q\nInclude d/*\n", files: files).options.port == nil)
    }

    @Test(
        "Times and sizes",
        arguments: [
            ("90", 90), ("2m", 120), ("1h30m", 5400), ("1w", 604_800), ("x", nil), ("", nil),
            ("5q", nil), ("99999999999999999999", nil),
        ] as [(String, Int?)]
    )
    func times(text: String, seconds: Int?) {
        #expect(TimeSpan.seconds(text) == seconds)
    }

    @Test("Sizes have units and a limit")
    func sizes() {
        #expect(Syntax.bytes("4K") == 4096)
        #expect(Syntax.bytes("1G") == 1 << 30)
        #expect(Syntax.bytes("18446744073709551615G") == nil)
        #expect(Syntax.bytes("K") == nil)
    }

    @Test(
        "Destinations",
        arguments: [
            ("h", nil, "h", nil), ("u@h", "u", "h", nil), ("a@b@h", "a@b", "h", nil),
            ("ssh://u@h:22", "u", "h", 22), ("ssh://[::1]:5/", nil, "::1", 5),
            ("ssh://u%40x@h", "u@x", "h", nil),
        ] as [(String, String?, String, UInt16?)]
    )
    func destinations(text: String, user: String?, host: String, port: UInt16?) throws {
        let destination = try #require(Destination(text))
        #expect(destination.user == user)
        #expect(destination.host == host)
        #expect(destination.port == port)
    }

    @Test(
        "Destinations that could do harm are refused",
        arguments: ["", "-oX", "a;b", "$(x)", "ssh://h/path", "ssh://h:x", "-u@h", "h\n"]
    )
    func badDestinations(text: String) {
        #expect(Destination(text) == nil)
    }

    @Test("Tokens are replaced, unknown ones are an error")
    func tokens() {
        let tokens = Tokens(["h": "host", "p": "22"])
        #expect(tokens.expand("%h-%p-%%") == "host-22-%")
        #expect(tokens.expand("%x") == nil)
        #expect(tokens.expand("%") == nil)
        #expect(Tokens.expandVariables("a${B}c") { $0 == "B" ? "-" : nil } == "a-c")
        #expect(Tokens.expandVariables("${NONE}") { _ in nil } == nil)
    }
}
