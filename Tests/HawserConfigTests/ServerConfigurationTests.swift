// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserConfig

/// Files in memory.
struct MemoryFiles: ConfigSource, Sendable {
    var files: [String: String] = [:]

    func contents(of path: String) -> [UInt8]? { files[path].map { Array($0.utf8) } }

    func paths(matching pattern: String) -> [String] {
        files.keys.filter { Patterns.matches(pattern, $0) }.sorted()
    }

    func succeeds(_ command: String) -> Bool { command == "true" }
}

@Suite("sshd_config(5)")
struct ServerConfigurationTests {
    private let algorithms = ServerAlgorithms(
        ciphers: .init(
            offered: ["aes128-ctr", "aes256-ctr"],
            all: ["aes128-ctr", "aes256-ctr", "3des-cbc"]
        ),
        macs: .init(offered: ["m"], all: ["m"]),
        keyExchange: .init(offered: ["k"], all: ["k"]),
        publicKey: .init(offered: ["p"], all: ["p"])
    )

    private func read(_ text: String, files: [String: String] = [:]) -> ServerConfiguration {
        var configuration = ServerConfiguration(
            algorithms: algorithms,
            source: MemoryFiles(files: files)
        )
        configuration.read(Array(text.utf8), file: "/f")
        return configuration
    }

    private func value(
        _ keyword: String,
        _ text: String,
        _ subject: ServerMatchSubject? = nil,
        files: [String: String] = [:]
    ) -> [String] {
        let configuration = read(text, files: files)
        #expect(configuration.errors.isEmpty)
        return configuration.effective(for: subject).split(separator: "\n").filter {
            $0.hasPrefix(keyword + " ")
        }.map { String($0.dropFirst(keyword.count + 1)) }
    }

    @Test("The first value counts, in any letter case, with quotes, = and comments")
    func firstValue() {
        #expect(value("banner", "BANNER = \"/a b\" # no\nBanner /c\n") == ["/a b"])
        #expect(value("port", "Port 1\nPort 2\n") == ["1", "2"])
        #expect(value("maxauthtries", "") == ["6"])
    }

    @Test(
        "Forms are shown as sshd -T shows them",
        arguments: [
            ("PermitRootLogin prohibit-password", "permitrootlogin", "without-password"),
            ("LoginGraceTime 2m", "logingracetime", "120"),
            ("MaxStartups 5", "maxstartups", "5:100:5"),
            ("RekeyLimit 1G 1h", "rekeylimit", "1073741824 3600"),
            ("StreamLocalBindMask 77", "streamlocalbindmask", "0077"),
            ("Ciphers +3des-cbc", "ciphers", "aes128-ctr,aes256-ctr,3des-cbc"),
            ("Ciphers -aes128*", "ciphers", "aes256-ctr"),
            ("Ciphers ^aes256-ctr", "ciphers", "aes256-ctr,aes128-ctr"),
            ("Compression delayed", "compression", "yes"),
        ]
    )
    func forms(line: String, keyword: String, shown: String) {
        #expect(value(keyword, line) == [shown])
    }

    @Test("Addresses get the ports")
    func listenAddress() {
        #expect(
            value("listenaddress", "Port 7\nListenAddress 1.2.3.4\nListenAddress ::1\n")
                == ["1.2.3.4:7", "[::1]:7"]
        )
        #expect(value("listenaddress", "ListenAddress 1.2.3.4:8\nPort 9\n") == ["1.2.3.4:8"])
    }

    @Test(
        "Match holds for whom it names",
        arguments: [
            ("User root,ad*", "yes"), ("User !root,*", "no"), ("Group wheel", "yes"),
            ("Address 10.0.0.0/8", "yes"), ("Address 10.1.0.0/16", "no"),
            ("Address !10.0.0.5,10.*", "no"), ("LocalPort 22", "yes"), ("all", "yes"),
            ("User root Address 11.0.0.0/8", "no"), ("Host *.example.org", "yes"),
            ("Address 2001:db8::/32", "no"), ("User=root", "yes"),
        ]
    )
    func match(criteria: String, forced: String) {
        let subject = ServerMatchSubject(
            user: "root",
            groups: ["wheel"],
            host: "a.example.org",
            address: "10.0.0.5",
            localPort: 22
        )
        let text = "X11Forwarding no\nMatch \(criteria)\nX11Forwarding yes\n"
        #expect(value("x11forwarding", text, subject) == [forced])
    }

    @Test("Without a subject no Match holds")
    func noSubject() {
        #expect(value("x11forwarding", "Match User *\nX11Forwarding yes\n") == ["no"])
    }

    @Test("Mistakes are all listed, with file and line, and the nearest keyword")
    func mistakes() {
        let errors = read("PermitRotLogin no\nPort x\nMatch User a\nPort 1\nBanner \"x\n").errors
        #expect(
            errors.map(\.text) == [
                "/f: line 1: Bad configuration option: PermitRotLogin (PermitRootLogin?)",
                "/f line 2: Badly formatted port number.",
                "/f line 4: Directive 'Port' is not allowed within a Match block",
                "/f line 5: invalid quotes",
                "/f: terminating, 4 bad configuration options",
            ]
        )
    }

    @Test("What is included stands where it is included, and its Match blocks end with it")
    func include() {
        let files = ["/i/1": "Match User x\nBanner /one\n", "/i/2": "Banner /two\n"]
        let text = "Include /i/*\nBanner /three\n"
        #expect(value("banner", text, files: files) == ["/two"])
        #expect(value("banner", text, ServerMatchSubject(user: "x"), files: files) == ["/one"])
    }

    @Test("A file that includes itself is an error, not a hang")
    func includeLoop() {
        let configuration = read("Include /f\n", files: ["/f": "Include /f\n"])
        #expect(configuration.errors.contains { $0.text.contains("Too many recursive") })
    }

    @Test("What is shown reads back and shows the same")
    func roundTrip() {
        let first = read("Port 5\nMaxStartups 3:30:60\nAcceptEnv A B*\nSubsystem sftp /x -e\n")
            .effective()
        #expect(read(first).errors.isEmpty)
        #expect(read(first).effective() == first)
    }

    @Test("Old keywords are accepted", arguments: ["UsePrivilegeSeparation yes", "Protocol 2"])
    func old(line: String) {
        #expect(read(line).errors.isEmpty)
    }
}
