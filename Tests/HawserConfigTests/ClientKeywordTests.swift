// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserConfig

@Suite("The rows of ssh_config(5)")
struct ClientKeywordTests {
    @Test("A case has the row of its name", arguments: ClientKeyword.allCases)
    func rows(keyword: ClientKeyword) {
        #expect("\(keyword)".lowercased() == keyword.row.name.lowercased())
        #expect(ClientKeyword.rows.count == ClientKeyword.allCases.count)
    }

    private static let context = ValueContext { family in
        let all = family == .ciphers ? ["a", "b", "c"] : ["ssh-x", "ssh-y", "z"]
        return AlgorithmNames(offered: Array(all.dropLast()), all: all)
    }

    private func read(_ lines: [String]) -> ClientConfigReader {
        var reader = ClientConfigReader(
            ClientOptions(),
            for: ClientConfigSubject(originalHost: "h", localUser: "me", home: "/home/me"),
            from: MemoryFiles(files: [:]),
            context: Self.context
        )
        for line in lines { reader.read(commandLineOption: line) }
        return reader
    }

    @Test("What is shown is shown the same when it is read again")
    func roundTrip() {
        let lines = [
            "AddKeysToAgent confirm 1h", "BindAddress 127.0.0.1", "CanonicalDomains a.B c.d",
            "CanonicalizePermittedCNAMEs *.a:*.b,c.d e:f", "CertificateFile \"/y z\"",
            "ControlPersist 10m", "ConnectTimeout 1m", "DynamicForward [::1]:1080",
            "ForwardAgent /tmp/agent", "HostKeyAlias AL", "LocalForward 1.2.3.4:80 host:90",
            "LocalForward /tmp/l 1:2", "RemoteForward 82 host:90", "RemoteForward 0",
            "PermitRemoteOpen a:1 b:*", "ProxyCommand nc %h \"%p\" # hi", "SetEnv A=b A=c",
            "SendEnv X Y", "SyslogFacility local3", "Tunnel yes", "TunnelDevice 3",
            "EscapeChar ^a", "IPQoS af21 0x10", "RekeyLimit 1G 1h", "StreamLocalBindMask 0077",
            "StrictHostKeyChecking off", "LogLevel debug1", "Ciphers +c", "ControlMaster yes",
            "ObscureKeystrokeTiming interval:50", "ProxyJump none", "RequestTTY yes",
            "ChannelTimeout session=5m x11*=10", "RevokedHostKeys a b",
        ]
        let first = read(lines)
        #expect(first.errors.isEmpty)
        let shown = ClientListing(host: "h", options: first.options).entries
        let again = read(
            shown.filter { $0.keyword != .certificateFile && !$0.value.contains("[socks]") }
                .map { "\($0.name) \($0.value)" } + ["CertificateFile \"/y z\"", "RemoteForward 0"]
        )
        #expect(again.errors.isEmpty)
        #expect(ClientListing(host: "h", options: again.options).entries == shown)
    }

    @Test(
        "Bad values, in OpenSSH 9.2's words",
        arguments: [
            ("User", "no argument after keyword \"user\""),
            ("BatchMode maybe", "unsupported option \"maybe\"."),
            ("BatchMode yes no", "keyword batchmode extra arguments at end of line"),
            ("ConnectionAttempts x", "integer value invalid."),
            ("ConnectionAttempts -1", "integer value too small."),
            ("ConnectTimeout x", "invalid time value."),
            ("Ciphers x", "Bad SSH2 cipher spec 'x'."),
            ("MACs x", "Bad SSH2 MAC spec 'x'."),
            ("HostKeyAlgorithms x", "Bad key types 'x'."),
            ("EscapeChar ab", "Bad escape character."),
            ("DynamicForward x", "Bad forwarding specification."),
            ("LocalForward 1", "Missing target argument."),
            ("TunnelDevice x", "Bad tun device."),
            ("StreamLocalBindMask 8", "Bad mask."),
            ("IPQoS x", "Bad IPQoS value: x"),
            ("RekeyLimit 15", "RekeyLimit too small"),
            ("SetEnv x", "Invalid SetEnv."),
            ("LogLevel x", "unsupported log level 'x'"),
            ("SyslogFacility x", "unsupported log facility 'x'"),
            ("FingerprintHash x", "Invalid hash algorithm \"x\"."),
            ("CanonicalDomains -a", "domain name \"-a\" starts with invalid character"),
            ("ControlPersist x", "Bad ControlPersist argument."),
            (
                "GlobalKnownHostsFile none a",
                "keyword globalknownhostsfile \"none\" argument must appear alone."
            ),
            ("User \"a", "invalid quotes"),
        ]
    )
    func mistakes(line: String, message: String) {
        #expect(read([line]).errors.map(\.text) == ["command-line line 0: " + message])
    }

    @Test("The nearest keyword is named for a misspelt one")
    func suggestion() {
        let text = "command-line: line 0: Bad configuration option: controlmastr (ControlMaster?)"
        #expect(read(["ControlMastr yes"]).errors.map(\.text) == [text])
    }

    @Test("Unknown keywords may be ignored, from there on")
    func ignoreUnknown() {
        #expect(read(["IgnoreUnknown foo*,b?", "FooBar x", "bx y"]).errors.isEmpty)
        #expect(read(["FooBar x", "IgnoreUnknown foo*"]).errors.count == 1)
    }

    @Test("Of a command and a jump host, the first counts")
    func proxies() {
        #expect(read(["ProxyCommand x", "ProxyJump y"]).options.proxyJump == nil)
        #expect(read(["ProxyJump y", "ProxyCommand x"]).options.proxyCommand == nil)
    }
}
