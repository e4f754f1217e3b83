// SPDX-License-Identifier: Apache-2.0

import HawserLog
import Testing

@testable import HawserServer

@Suite("hosts.equiv and .shosts, sshd(8)")
struct TrustedHostsTests {
    private func verdict(
        _ contents: String,
        as localUser: String = "ann",
        of user: String = "ann"
    ) -> TrustedHosts.Verdict {
        TrustedHosts.verdict(
            on: TrustedHosts.Client(user: user, host: "Ship.example", address: "192.0.2.7"),
            contents: contents,
            localUser: localUser,
            isHostInGroup: { $0 == "fleet" },
            isUserInGroup: { $0 == "crew" }
        )
    }

    @Test(
        "A line trusts a host's users of the same name, or the user that it names",
        arguments: [
            ("ship.example\n", "ann", TrustedHosts.Verdict.trusted),
            ("192.0.2.7", "ann", .trusted),
            ("ship.example", "bob", .silent),
            ("ship.example ann", "bob", .trusted),
            ("ship.example eve", "ann", .silent),
            ("other.example\nship.example", "ann", .trusted),
            ("# ship.example", "ann", .silent),
            ("ship.example # ann", "ann", .silent),
            ("", "ann", .silent),
        ]
    )
    func names(contents: String, localUser: String, expected: TrustedHosts.Verdict) {
        #expect(verdict(contents, as: localUser) == expected)
    }

    @Test("The first line that fits decides, and a minus sign distrusts")
    func negation() {
        #expect(verdict("-ship.example\nship.example\n") == .distrusted)
        #expect(verdict("ship.example\n-ship.example\n") == .trusted)
        #expect(verdict("ship.example -ann\n") == .distrusted)
        #expect(verdict("-other.example\nship.example\n") == .trusted)
    }

    @Test("Names are bytes, however they look")
    func accents() {
        #expect(verdict("ship.example ren\u{e9}\n", of: "ren\u{e9}") == .trusted)
        #expect(verdict("ship.example ren\u{e9}\n", of: "rene\u{301}") == .silent)
    }

    @Test("A netgroup stands for its hosts or users")
    func netgroups() {
        #expect(verdict("+@fleet\n") == .trusted)
        #expect(verdict("@fleet @crew\n", as: "bob") == .trusted)
        #expect(verdict("+@strangers\n") == .silent)
        #expect(verdict("-@fleet\nship.example\n") == .distrusted)
        #expect(verdict("ship.example +@strangers\n", as: "bob") == .silent)
    }

    @Test("A lone plus sign lets nobody in")
    func plus() {
        #expect(verdict("+\n") == .silent)
        #expect(verdict("+ +\n") == .silent)
        #expect(verdict("+ ann\n") == .silent)
        #expect(verdict("ship.example +\n") == .silent)
    }
}

@Suite("UseDNS, sshd_config(5)")
struct PeerNameTests {
    private func name(
        _ name: String,
        isNumeric: Bool = false,
        addresses: [String]?
    ) -> String? {
        PeerName.check(
            name,
            "192.0.2.7",
            isNumeric: { _ in isNumeric },
            addresses: { _ in addresses },
            .none
        )
    }

    @Test("A name counts only when it leads back to the address")
    func forward() {
        #expect(name("ship.example", addresses: ["192.0.2.1", "192.0.2.7"]) == "ship.example")
        #expect(name("ship.example", addresses: ["192.0.2.1"]) == nil)
        #expect(name("ship.example", addresses: nil) == nil)
    }

    @Test("A name that looks like an address is none")
    func numeric() {
        #expect(name("10.0.0.1", isNumeric: true, addresses: ["192.0.2.7"]) == nil)
    }
}
