// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("AllowUsers, DenyUsers, AllowGroups, DenyGroups, sshd_config(5)")
struct AccessRulesTests {
    private func refusal(
        _ user: String,
        groups: [String] = [],
        from address: String = "192.0.2.7",
        _ change: (inout AccessRules) -> Void
    ) -> String? {
        var rules = AccessRules()
        change(&rules)
        return rules.refusal(user: user, groups: groups, host: nil, address: address)
    }

    @Test("Without rules everyone is let in")
    func none() {
        #expect(refusal("anna") { _ in } == nil)
    }

    @Test("DenyUsers comes before AllowUsers")
    func denyFirst() {
        let reason = refusal("anna") {
            $0.denyUsers = ["an*"]
            $0.allowUsers = ["anna"]
        }
        #expect(reason == "listed in DenyUsers")
    }

    @Test("Who is not in AllowUsers stays out")
    func allow() {
        #expect(refusal("bert") { $0.allowUsers = ["anna"] } == "not listed in AllowUsers")
        #expect(refusal("anna") { $0.allowUsers = ["anna"] } == nil)
    }

    @Test(
        "USER@HOST takes addresses, wildcards and networks",
        arguments: [
            ("anna@192.0.2.7", true), ("anna@192.0.2.*", true), ("anna@192.0.2.0/24", true),
            ("anna@198.51.100.0/24", false), ("bert@192.0.2.7", false), ("a*@192.0.2.?", true),
            ("anna@10.0.0.1,192.0.2.7", true), ("anna@*,!192.0.2.7", false), ("anna@*,", false),
        ]
    )
    func hosts(rule: String, isAllowed: Bool) {
        #expect((refusal("anna") { $0.allowUsers = [rule] } == nil) == isAllowed)
    }

    @Test("A rule that cannot be read lets nobody in", arguments: ["*,", "192.0.2.1/24", "!"])
    func unreadable(hosts: String) {
        #expect(refusal("anna") { $0.denyUsers = ["anna@" + hosts] } == "listed in DenyUsers")
        #expect(refusal("anna") { $0.allowUsers = ["anna@" + hosts] } == "not listed in AllowUsers")
    }

    @Test("Groups are asked after users, and denied before they are allowed")
    func groups() {
        #expect(
            refusal("anna", groups: ["wheel", "users"]) {
                $0.denyGroups = ["wheel"]
                $0.allowGroups = ["users"]
            } == "a group is listed in DenyGroups"
        )
        #expect(
            refusal("anna", groups: ["users"]) { $0.allowGroups = ["wheel"] }
                == "none of user's groups are listed in AllowGroups"
        )
        #expect(refusal("anna", groups: ["wheel"]) { $0.allowGroups = ["wh*"] } == nil)
    }
}
