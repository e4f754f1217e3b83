// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys

/// Who may log in at all: `DenyUsers`, `AllowUsers`, `DenyGroups`, `AllowGroups`, in this order.
package struct AccessRules: Equatable, Sendable {
    package var denyUsers: [String] = []
    package var allowUsers: [String] = []
    package var denyGroups: [String] = []
    package var allowGroups: [String] = []

    package init() {}

    /// Why a user is kept out, in the words that follow "not allowed because"; nil when it is not.
    package func refusal(
        user: String,
        groups: @autoclosure () -> [String],
        host: String?,
        address: String
    ) -> String? {
        func matches(_ rule: String) -> Bool? {
            Self.matches(rule, user: user, host: host, address: address)
        }
        // A rule that cannot be read lets nobody in.
        if denyUsers.contains(where: { matches($0) != false }) { return "listed in DenyUsers" }
        if !allowUsers.isEmpty, !allowUsers.contains(where: { matches($0) == true }) {
            return "not listed in AllowUsers"
        }
        guard !denyGroups.isEmpty || !allowGroups.isEmpty else { return nil }
        let groups = groups()
        if groups.isEmpty { return "not in any group" }
        if Self.contains(denyGroups, groups) {
            return "a group is listed in DenyGroups"
        }
        if !allowGroups.isEmpty, !Self.contains(allowGroups, groups) {
            return "none of user's groups are listed in AllowGroups"
        }
        return nil
    }

    private static func contains(_ patterns: [String], _ groups: [String]) -> Bool {
        patterns.contains { pattern in groups.contains { Pattern.matches(pattern, $0) } }
    }

    /// `USER`, or `USER@HOST` with a list of hosts' names, addresses or networks. Nil for a list
    /// that cannot be read.
    static func matches(_ rule: String, user: String, host: String?, address: String) -> Bool? {
        guard let at = rule.lastIndex(of: "@") else { return Pattern.matches(rule, user) }
        let hostRule = String(rule[rule.index(after: at)...])
        guard Pattern.matches(rule[..<at], user) else { return false }
        return AddressPatterns.contains(hostRule, host: host, address: address)
    }
}
