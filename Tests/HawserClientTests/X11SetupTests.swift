// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserClient

@Suite("The first bytes of an X client (X Window System Protocol §8)")
struct X11SetupTests {
    private let fake = [UInt8](1...16)
    private let real = [UInt8](101...116)
    private let name = "MIT-MAGIC-COOKIE-1"

    private func setup(isBig: Bool, cookie: [UInt8]) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] {
            let bytes = [UInt8(value >> 8), UInt8(value & 255)]
            return isBig ? bytes : bytes.reversed()
        }
        return [isBig ? 0x42 : 0x6c, 0] + number(11) + number(0) + number(name.utf8.count)
            + number(cookie.count) + [0, 0] + Array(name.utf8) + [0, 0] + cookie
    }

    @Test("The display's cookie takes the place of ours", arguments: [true, false])
    func replaced(isBig: Bool) {
        var setup = X11Setup()
        for byte in self.setup(isBig: isBig, cookie: fake) {
            #expect(setup.checked(name: name, fake: fake, real: real) == .needsMore)
            setup.append([byte])
        }
        setup.append([7])
        let expected = self.setup(isBig: isBig, cookie: real) + [7]
        #expect(setup.checked(name: name, fake: fake, real: real) == .accepted(expected))
    }

    @Test("Another cookie, another protocol and what is no X client are rejected")
    func rejected() {
        var wrong = X11Setup()
        wrong.append(self.setup(isBig: true, cookie: real))
        #expect(wrong.checked(name: name, fake: fake, real: real) == .rejected)
        var other = X11Setup()
        other.append(self.setup(isBig: false, cookie: fake))
        #expect(other.checked(name: "XDM-AUTHORIZATION-1", fake: fake, real: real) == .rejected)
        var none = X11Setup()
        none.append([UInt8](repeating: 0x20, count: 12))
        #expect(none.checked(name: name, fake: fake, real: real) == .rejected)
        var huge = X11Setup()
        huge.append([0x42, 0, 0, 11, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0])
        #expect(huge.checked(name: name, fake: fake, real: real) == .rejected)
    }

    @Test(
        "Displays",
        arguments: [
            (":0", true), (":10.1", true), ("unix:3", true), ("localhost:10.0", true),
            ("/tmp/x11:0", true), ("", false), ("host", false), (":x", false), (":-1", false),
            (":99999", false), (":0;reboot", false), ("$(id):0", false), (":1.2.3", false),
        ]
    )
    func displays(name: String, isValid: Bool) {
        #expect((X11Display(name) != nil) == isValid)
    }

    @Test("A line of xauth")
    func authority() throws {
        let cookie = try #require(XAuthority.parse("vm/unix:0  MIT-MAGIC-COOKIE-1  00ff10\n"))
        #expect(cookie.name == "MIT-MAGIC-COOKIE-1")
        #expect(cookie.value == [0, 255, 16])
        #expect(XAuthority.parse("") == nil)
        #expect(XAuthority.parse("a b zz") == nil)
    }
}
