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
            ("PermitRootLogin prohibit-password", "permitrootlogin", "prohibit-password"),
            ("LoginGraceTime 2m", "logingracetime", "120"),
            ("MaxStartups 5", "maxstartups", "5:30:5"),
            ("RekeyLimit 1G 1h", "rekeylimit", "1073741824 3600"),
            ("StreamLocalBindMask 77", "streamlocalbindmask", "077"),
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

    @Test(
        "Bad values, in OpenSSH 9.2's words",
        arguments: [
            ("Banner", "no argument after keyword \"Banner\""),
            ("Banner a b", "keyword Banner extra arguments at end of line"),
            ("MaxAuthTries x", "MaxAuthTries integer value invalid."),
            ("ClientAliveInterval none", "invalid time value."),
            ("Ciphers x", "Bad SSH2 cipher spec 'x'."), ("MACs x", "Bad SSH2 mac spec 'x'."),
            ("AcceptEnv A=b", "Invalid environment name."),
            ("AllowUsers a@10.0.0.1/8", "invalid AllowUsers pattern: \"a@10.0.0.1/8\""),
            (
                "AuthenticationMethods any publickey",
                "\"any\" must appear alone in AuthenticationMethods"
            ),
            ("AuthorizedKeysCommand x", "AuthorizedKeysCommand must be an absolute path"),
            ("ChannelTimeout a=x", "invalid channel timeout a=x"),
            ("ListenAddress 1.2.3.4:0", "bad port number"),
            ("MaxStartups 10:30:5", "Invalid MaxStartups spec."),
            ("PerSourceNetBlockSize 33", "Invalid PerSourceNetBlockSize spec."),
            ("PermitOpen 5", "PermitOpen bad port number"),
            ("PermitTunnel x", "bad PermitTunnel argument x"),
            ("PubkeyAuthOptions x", "unsupported PubkeyAuthOptions option x"),
            ("RekeyLimit x", "Bad RekeyLimit number 'x': Invalid argument"),
            ("StreamLocalBindMask 8", "Invalid StreamLocalBindMask."),
            ("Subsystem a", "Missing subsystem command."),
            ("PerSourcePenalties crash:x", "invalid PerSourcePenalties value crash:x"),
        ]
    )
    func badValues(line: String, message: String) {
        #expect(read(line).errors.first?.text == "/f line 1: " + message)
    }

    @Test(
        "A bad Match line is told in two: what is wrong, and where",
        arguments: [
            ("user", "Missing Match criteria for user"),
            ("user a all", "'all' cannot be combined with other Match attributes"),
            ("localport x", "Invalid LocalPort 'x' on Match line"),
            ("address 10.0.0.1/8", "Invalid Match address argument '10.0.0.1/8'"),
        ]
    )
    func badMatch(criteria: String, reason: String) {
        let errors = read("Match \(criteria)\n").errors.map(\.text)
        #expect(errors.prefix(2) == [reason, "/f line 1: Bad Match condition"])
    }

    @Test("Behind Match all stands what fits no block; another block ends that")
    func matchAll() {
        #expect(value("usedns", "Match User a\nBanner x\nMatch all\nUseDNS yes\n") == ["yes"])
        #expect(read("Match all\nPort 4\nMatch User a\nPort 5\n").errors.count == 2)
    }

    @Test("A value that is wrong on the command line ends sshd otherwise than a line without one")
    func endings() {
        for (option, isUnreadable) in [("Port", true), ("Nothing x", true), ("Port x", false)] {
            var configuration = read("")
            configuration.read(option: option)
            #expect(configuration.beganWithUnreadableOption == isUnreadable)
        }
    }

    @Test(
        "Of several lines, OpenSSH's choice counts",
        arguments: [
            ("MaxStartups 1\nMaxStartups 2", "maxstartups", ["1:30:1"]),
            ("FingerprintHash md5\nFingerprintHash sha256", "fingerprinthash", ["SHA256"]),
            ("StreamLocalBindMask 0777\nStreamLocalBindMask 0111", "streamlocalbindmask", ["0111"]),
            ("SetEnv A=1 A=2 B=3\nSetEnv C=1", "setenv", ["A=1", "B=3"]),
            ("Subsystem a b\nSubsystem a c\nSubsystem d e", "subsystem", ["a b", "d e"]),
            ("Subsystem a  b  'c  d' \"e\"", "subsystem", ["a b  'c  d' \"e\""]),
            (
                "AcceptEnv A\nMatch all\nAcceptEnv B\nMatch all\nAcceptEnv C", "acceptenv",
                ["B", "C"]
            ),
            ("Banner /a\nMatch all\nBanner /b\nMatch all\nBanner /c", "banner", ["/b"]),
            ("PermitListen 5 a:*", "permitlisten", ["*:5 a:*"]),
            ("UnusedConnectionTimeout 0", "unusedconnectiontimeout", ["none"]),
            ("Banner x", "banner", ["/x"]),
            (
                "PerSourcePenalties crash:5m min:1 crash:1", "persourcepenalties",
                [
                    "crash:300 authfail:5 noauth:1 invaliduser:5 grace-exceeded:10 "
                        + "refuseconnection:10 max:600 min:1 max-sources4:65536 "
                        + "max-sources6:65536 overflow:permissive overflow6:permissive"
                ]
            ),
            ("AddressFamily inet", "listenaddress", ["0.0.0.0:22"]),
        ]
    )
    func merging(text: String, keyword: String, values: [String]) {
        #expect(value(keyword, text) == values)
    }

    @Test("A case has the row of its name", arguments: ServerKeyword.allCases)
    func rows(keyword: ServerKeyword) {
        #expect("\(keyword)".lowercased() == keyword.row.name.lowercased())
        #expect(ServerKeyword.rows.count == ServerKeyword.allCases.count)
    }

    @Test("Old keywords are accepted", arguments: ["UsePrivilegeSeparation yes", "Protocol 2"])
    func old(line: String) {
        #expect(read(line).errors.isEmpty)
    }
}
