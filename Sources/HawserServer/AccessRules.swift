// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserSystem

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
        func matches(_ rule: String) -> Bool {
            Self.matches(rule, user: user, host: host, address: address)
        }
        if denyUsers.contains(where: matches) { return "listed in DenyUsers" }
        if !allowUsers.isEmpty, !allowUsers.contains(where: matches) {
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

    /// `USER`, or `USER@HOST` with a host's name, address or network.
    static func matches(_ rule: String, user: String, host: String?, address: String) -> Bool {
        guard let at = rule.lastIndex(of: "@") else { return Pattern.matches(rule, user) }
        let hostRule = String(rule[rule.index(after: at)...])
        guard Pattern.matches(rule[..<at], user) else { return false }
        if AddressPattern.listVerdict(hostRule, address) == true { return true }
        return host.map { Pattern.listContains(hostRule.lowercased(), $0.lowercased()) } ?? false
    }
}

/// Addresses in pattern lists: wildcards and networks such as `10.0.0.0/8`.
package enum AddressPattern {
    /// True: in the list; false: excluded by a negated entry; nil: not mentioned.
    package static func listVerdict(_ list: String, _ address: String) -> Bool? {
        let bytes = numeric(address)
        var found: Bool?
        for part in list.split(separator: ",") {
            let isNegated = part.first == "!"
            let entry = isNegated ? part.dropFirst() : part
            guard matches(String(entry), address, bytes) else { continue }
            if isNegated { return false }
            found = true
        }
        return found
    }

    private static func matches(_ entry: String, _ address: String, _ bytes: [UInt8]?) -> Bool {
        let parts = entry.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2, let bits = Int(parts[1]), bits >= 0, let bytes,
            let network = numeric(String(parts[0])), network.count == bytes.count,
            bits <= bytes.count * 8
        {
            return shareBits(network, bytes, bits)
        }
        if let bytes, let other = numeric(entry) { return other == bytes }
        return Pattern.matches(entry.lowercased(), address.lowercased())
    }

    private static func shareBits(_ first: [UInt8], _ second: [UInt8], _ bits: Int) -> Bool {
        let (whole, rest) = (bits / 8, bits % 8)
        guard first.prefix(whole) == second.prefix(whole) else { return false }
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return first[whole] & mask == second[whole] & mask
    }

    /// Four or sixteen bytes of a numeric address; nil for anything else.
    package static func numeric(_ text: String) -> [UInt8]? {
        let characters = text.utf8
        let isCandidate = characters.allSatisfy { character in
            character == UInt8(ascii: ".") || character == UInt8(ascii: ":")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(character | 0x20)
        }
        guard isCandidate, !characters.isEmpty,
            let found = try? Resolver.addresses(of: text, port: "0", isNumeric: true).first
        else { return nil }
        let bytes = found.unmapped.bytes
        return found.unmapped.isIPv6
            ? (bytes.count >= 24 ? Array(bytes[8..<24]) : nil)
            : (bytes.count >= 8 ? Array(bytes[4..<8]) : nil)
    }
}
