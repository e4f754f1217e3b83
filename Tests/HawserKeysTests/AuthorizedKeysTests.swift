// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@Suite("authorized_keys, sshd(8) AUTHORIZED_KEYS FILE FORMAT")
struct AuthorizedKeysTests {
    let key: PublicKey

    init() throws {
        key = try Vectors.line("ed25519.pub").key
    }

    func options(_ field: String) throws -> AuthorizedKeyOptions {
        let line = "\(field) \(key.text) a comment"
        let entry = try #require(try AuthorizedKeysLine.parse(Array(line.utf8)))
        #expect(entry.key == key && entry.comment == "a comment" && entry.optionsText == field)
        return entry.options
    }

    @Test("A line without options allows everything")
    func plain() throws {
        let entry = try #require(try AuthorizedKeysLine.parse(Array(key.text.utf8)))
        #expect(entry.options == AuthorizedKeyOptions())
        #expect(entry.comment.isEmpty)
    }

    @Test("Blank lines and comments are no entries", arguments: ["", "  \t", "# x", " #", "\r"])
    func nothing(line: String) throws {
        #expect(try AuthorizedKeysLine.parse(Array(line.utf8)) == nil)
    }

    @Test("Flags, in any case and order")
    func flags() throws {
        let restricted = try options("restrict,PTY,command=\"nethack -u \\\"me\\\" , #\"")
        #expect(restricted.isRestricted && restricted.permitsTerminal)
        #expect(!restricted.permitsPortForwarding && !restricted.permitsAgentForwarding)
        #expect(!restricted.permitsX11Forwarding && !restricted.permitsUserRC)
        #expect(restricted.command == "nethack -u \"me\" , #")
        let some = try options("no-X11-forwarding,no-user-rc,cert-authority,no-touch-required")
        #expect(!some.permitsX11Forwarding && !some.permitsUserRC && some.isCertAuthority)
        #expect(!some.requiresUserPresence && some.permitsTerminal)
    }

    @Test("Options with values")
    func values() throws {
        let some = try options(
            "from=\"192.0.2.0/24,!bad\",environment=\"A=b=c\",environment=\"D=\",tunnel=\"3\","
                + "permitopen=\"[::1]:80\",permitopen=\"host:*\",permitlisten=\"8080\","
                + "principals=\"x,y\",expiry-time=\"20300102\",expiry-time=\"20290102Z\""
        )
        #expect(some.from == "192.0.2.0/24,!bad")
        #expect(some.environment.map(\.name) == ["A", "D"])
        #expect(some.environment.map(\.value) == ["b=c", ""])
        #expect(some.tunnel == .number(3))
        #expect(some.permitOpen.map(\.host) == ["::1", "host"])
        #expect(some.permitOpen.map(\.port) == [80, nil])
        #expect(some.permitListen.map(\.host) == [nil])
        #expect(some.permitListen.map(\.port) == [8080])
        #expect(some.principals == ["x", "y"])
        #expect(some.expiryTime?.year == 2029 && some.expiryTime?.isUTC == true)
    }

    @Test(
        "Options that are wrong make the line an error",
        arguments: [
            "bogus", "command=x", "command=\"x", "command=\"a\",command=\"b\"", "pty,", ",pty",
            "permitopen=\"host\"", "permitopen=\"host:0\"", "permitopen=\"host:99999\"",
            "environment=\"=x\"", "environment=\"A B=x\"", "environment=\"A\"", "tunnel=\"x\"",
            "expiry-time=\"2030\"", "pty=\"x\"", "from",
        ]
    )
    func wrong(field: String) {
        #expect(throws: KeyError.self) {
            try AuthorizedKeysLine.parse(Array("\(field) \(key.text)".utf8))
        }
    }

    @Test("A file gives its entries and says what is wrong with the rest")
    func file() throws {
        let text =
            "# c\n\(key.text)\nbogus \(key.text)\n\ncert-authority \(key.text)\nssh-foo AAAA\n"
        let file = AuthorizedKeys(contents: Array(text.utf8))
        #expect(file.entries.map(\.number) == [2, 5])
        #expect(file.errors.map(\.number) == [3, 6])
        #expect(file.entries(for: key).map(\.number) == [2])
    }

    @Test("Dates count from 1970")
    func dates() {
        #expect(TimeSpecification("19700101Z")?.secondsAsUTC == 0)
        #expect(TimeSpecification("20000229123456Z")?.secondsAsUTC == 951_827_696)
        #expect(TimeSpecification("20380119031408Z")?.secondsAsUTC == 1 << 31)
        #expect(TimeSpecification("20001301") == nil)
        #expect(TimeSpecification("2000010112") == nil)
    }
}

@Suite("moduli(5)")
struct ModuliTests {
    static func line(size: Int, top: String, type: Int = 2, tests: Int = 6) -> String {
        let digits = (size + 1) / 4
        let prime = top + String(repeating: "0", count: digits - top.utf8.count - 1) + "7"
        return "20200101000000 \(type) \(tests) 100 \(size) 2 \(prime)"
    }

    let moduli = Moduli(
        contents: Array(
            [
                "# comment", "", Self.line(size: 2047, top: "C"), Self.line(size: 2047, top: "D"),
                Self.line(size: 3071, top: "C"), Self.line(size: 8191, top: "C"),
                Self.line(size: 4095, top: "C", type: 0), Self.line(size: 4095, top: "C", tests: 1),
                Self.line(size: 4096, top: "C"), "garbage", "1 2 6 100 2047 2 xyz",
            ].joined(separator: "\n").utf8
        )
    )

    @Test("Only lines that are safe primes of their size count")
    func lines() {
        #expect(moduli.groups.map(\.bits) == [2048, 2048, 3072, 8192])
    }

    @Test(
        "The size is the smallest that is preferred, or the largest there is",
        arguments: [
            (2048, 3072, 8192, 3072), (2048, 2500, 8192, 3072), (2048, 1024, 8192, 2048),
            (2048, 8193, 8192, 8192), (2048, 4096, 4096, 3072), (2049, 2049, 3000, 0),
        ]
    )
    func choice(minimum: Int, preferred: Int, maximum: Int, bits: Int) {
        let group = moduli.choose(minimum: minimum, preferred: preferred, maximum: maximum) { _ in 0
        }
        #expect(group?.bits ?? 0 == bits)
    }

    @Test("All groups of the size are chosen from")
    func random() {
        let second = moduli.choose(minimum: 2048, preferred: 2048, maximum: 8192) { $0 - 1 }
        #expect(second?.prime.first == 0xd0)
    }
}

@Suite("Base64 and base 16")
struct EncodingTests {
    @Test(
        "The vectors of RFC 4648 §10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ]
    )
    func vectors(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
        let bare = encoded.filter { $0 != "=" }
        #expect(Base64.decode(bare.utf8, .lenient) == Array(plain.utf8))
        #expect(Base64.decode((" " + encoded + "\r\n").utf8, .lenient) == Array(plain.utf8))
    }

    @Test(
        "What is not Base64 is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "Zh==", "Z=g=", "Zm9v=", "Zm 9v", "Zm9%", "=", "====",
        ]
    )
    func strict(text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }

    @Test("Base 16 counts digits from the right")
    func hexadecimal() {
        #expect(Hexadecimal.decode("F") == [15])
        #expect(Hexadecimal.decode("10f") == [1, 15])
        #expect(Hexadecimal.decode("") == nil && Hexadecimal.decode("0x") == nil)
        #expect(Hexadecimal.encode([0, 171]) == "00ab")
    }
}
