// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@Suite("known_hosts, sshd(8) SSH_KNOWN_HOSTS FILE FORMAT")
struct KnownHostsTests {
    let ed25519: PublicKey
    let rsa: PublicKey
    let ecdsa: PublicKey

    init() throws {
        ed25519 = try Vectors.line("ed25519.pub").key
        rsa = try Vectors.line("rsa.pub").key
        ecdsa = try Vectors.line("ecdsa.pub").key
    }

    func hosts(_ lines: String...) -> KnownHosts {
        let text = lines.joined(separator: "\n") + "\n"
        return KnownHosts(files: [KnownHostsFile(path: "known", contents: Array(text.utf8))])
    }

    @Test(
        "A host field matches",
        arguments: [
            ("host", "host", true), ("host", "HOST", true), ("Host", "host", true),
            ("host", "host2", false), ("a,host,b", "host", true), ("*", "anything", true),
            ("*.example.org", "www.example.org", true), ("*.example.org", "example.org", false),
            ("host?", "host1", true), ("host?", "host", false), ("*,!host", "host", false),
            ("!host,*", "host", false), ("*,!host", "other", true), ("!host", "other", false),
            ("[host]:2222", "[host]:2222", true), ("[host]:2222", "host", false),
            ("host", "[host]:2222", false), ("192.0.2.*", "192.0.2.7", true),
            ("2001:db8::1", "2001:db8::1", true), ("|1|bad", "host", false),
        ]
    )
    func patterns(field: String, name: String, matches: Bool) {
        let known = hosts("\(field) \(ed25519.text)")
        #expect(!known.entries(for: name).isEmpty == matches)
    }

    @Test("A hashed name made by ssh-keygen -H matches its host alone")
    func hashed() throws {
        let field = HashedHostName("host.example", salt: Array(1...20))
        let known = hosts("\(field.text) \(ed25519.text)")
        #expect(known.entries(for: "host.example").count == 1)
        #expect(known.entries(for: "HOST.example").count == 1)
        #expect(known.entries(for: "host.example2").isEmpty)
        // ssh-keygen -H of OpenSSH 9.2 for "localhost".
        let theirs = try #require(HashedHostName(Self.localhost))
        #expect(theirs.matches("localhost"))
        #expect(!theirs.matches("localhos"))
    }

    @Test(
        "A salt with no hash behind it names no host, and is no mistake, as to OpenSSH",
        arguments: ["x", ",localhost", "", "|x"]
    )
    func noHash(rest: String) throws {
        let field = try #require(HashedHostName("|1|6zD9D2WCfOBQ4srKgPifdw92/QQ=|K9wHz\(rest)"))
        #expect(!field.matches("localhost"))
        #expect(HashedHostName("|1|6zD9|K9wHzCD1GZTDtuRSr+8H+OrQ0Ws=") == nil)
        #expect(
            HashedHostName("|2|6zD9D2WCfOBQ4srKgPifdw92/QQ=|K9wHzCD1GZTDtuRSr+8H+OrQ0Ws=") == nil
        )
    }

    static let localhost = "|1|6zD9D2WCfOBQ4srKgPifdw92/QQ=|K9wHzCD1GZTDtuRSr+8H+OrQ0Ws="

    @Test("The verdict on a key")
    func verdicts() throws {
        let known = hosts(
            "# comment",
            "",
            "host \(rsa.text) rsa",
            "host \(ecdsa.text)",
            "@revoked * \(ed25519.text)",
            "@cert-authority *.ca \(rsa.text)"
        )
        guard case .known(let match) = known.verdict(on: rsa, for: "host") else {
            Issue.record("rsa is known")
            return
        }
        #expect(match.line == 3 && match.path == "known" && match.entry.comment == "rsa")
        guard case .revoked(let revoked) = known.verdict(on: ed25519, for: "host") else {
            Issue.record("ed25519 is revoked")
            return
        }
        #expect(revoked.line == 5)
        guard case .unknown = known.verdict(on: rsa, for: "other") else {
            Issue.record("other is unknown")
            return
        }
        // An authority says nothing about a plain key.
        guard case .unknown = known.verdict(on: rsa, for: "a.ca") else {
            Issue.record("a.ca is unknown")
            return
        }
        let (types, hasAuthority) = known.keyTypes(for: "host")
        #expect(types == [.rsa, .ecdsaP256] && !hasAuthority)
        #expect(known.keyTypes(for: "b.ca").hasAuthority)
    }

    @Test("Another key for a known host is a change, and the last line is shown")
    func changed() {
        let known = hosts("host \(rsa.text)", "host \(ecdsa.text)")
        guard case .changed(let match) = known.verdict(on: ed25519, for: "host") else {
            Issue.record("changed")
            return
        }
        #expect(match.line == 2)
    }

    @Test("A certificate is known by its authority")
    func authority() throws {
        let certified = try Vectors.line("rsa-cert.pub").key
        let authority = try Vectors.line("ca.pub").key
        let known = hosts("@cert-authority * \(authority.text)")
        guard case .known = known.verdict(on: certified, for: "a.example") else {
            Issue.record("known")
            return
        }
        let revoked = hosts("@cert-authority * \(authority.text)", "@revoked * \(authority.text)")
        guard case .revoked = revoked.verdict(on: certified, for: "a.example") else {
            Issue.record("revoked")
            return
        }
        guard
            case .unknown = hosts("a.example \(rsa.text)").verdict(on: certified, for: "a.example")
        else {
            Issue.record("unknown")
            return
        }
    }

    @Test("Lines that are no entries are kept and reported")
    func invalid() {
        let text = "host\n@bogus host \(rsa.text)\nhost ssh-foo AAAA\nhost ssh-rsa %%%\n\n#\n  \t\n"
        let file = KnownHostsFile(path: "known", contents: Array(text.utf8))
        #expect(file.lines.count == 7)
        let invalid = file.lines.filter {
            if case .invalid = $0.content { true } else { false }
        }
        #expect(invalid.map(\.number) == [1, 2, 3, 4])
        #expect(
            file.lines.map { String(decoding: $0.bytes, as: UTF8.self) }.joined(separator: "\n")
                + "\n" == text
        )
    }

    @Test("Names carry a port unless it is the usual one")
    func names() {
        #expect(KnownHosts.name(host: "Host", port: 22) == "host")
        #expect(KnownHosts.name(host: "Host", port: 2222) == "[host]:2222")
    }

    @Test("A line is appended by itself even when the last one has no end")
    func appending() {
        #expect(KnownHostsFile.appending("b", to: Array("a".utf8)) == Array("\nb\n".utf8))
        #expect(KnownHostsFile.appending("b", to: Array("a\n".utf8)) == Array("b\n".utf8))
        #expect(KnownHostsFile.appending("b", to: []) == Array("b\n".utf8))
    }
}
