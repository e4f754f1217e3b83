// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Patterns of ssh_config(5), PATTERNS: `*`, `?`, lists with commas, negation.
package enum Patterns {
    /// Whether a pattern matches a whole text.
    package static func matches(_ pattern: some StringProtocol, _ text: some StringProtocol) -> Bool
    {
        let pattern = pattern.octets
        let text = text.octets
        var (p, t) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.count
    }

    /// What a list says of a text.
    enum Finding {
        /// The first pattern that matches.
        case matched(String)
        /// The negated pattern that does, without its mark.
        case negated(String)
        case nothing
    }

    static func finding(_ list: [String], _ text: String) -> Finding {
        var found: String?
        for pattern in list {
            if pattern.hasPrefix("!") {
                let refused = pattern.dropFirst()
                if matches(refused, text) { return .negated(String(refused)) }
            } else if found == nil, matches(pattern, text) {
                found = pattern
            }
        }
        return found.map { .matched($0) } ?? .nothing
    }

    /// True when a pattern of the list matches, false when a negated one does, nil when none does.
    package static func verdict(_ list: [String], _ text: String) -> Bool? {
        switch finding(list, text) {
        case .matched: true
        case .negated: false
        case .nothing: nil
        }
    }
}

extension Patterns {
    /// The same for a list as it is written, with commas.
    package static func verdict(list: String, _ text: String) -> Bool? {
        verdict(list.split(separator: ",").map(String.init), text)
    }
}
