// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `ChannelTimeout`: how long nothing may move on channels of a type, and when to look next. Times
/// are nanoseconds of `Clock`.
package struct IdleLimits: Equatable, Sendable {
    private var rules: [Rule] = []
    /// `global`: of all channels together.
    package private(set) var all: UInt64?
    /// Never before a limit can be over; nil when there is none to look for.
    package var nextCheck: UInt64?

    private struct Rule: Equatable, Sendable {
        var pattern: String
        var nanoseconds: UInt64
    }

    /// Words `type=interval`.
    package init(_ words: [String]) {
        for word in words {
            guard let equals = word.lastIndex(of: "="),
                let seconds = TimeSpan.seconds(String(word[word.index(after: equals)...]))
            else { continue }
            let pattern = String(word[..<equals])
            // `seconds` knows no more than 2³¹ of them.
            let nanoseconds = UInt64(clamping: seconds) * 1_000_000_000
            if pattern == "global" {
                all = nanoseconds == 0 ? nil : nanoseconds
            } else {
                rules.append(Rule(pattern: pattern, nanoseconds: nanoseconds))
            }
        }
    }

    /// The limit of a channel type; the first pattern that fits counts. A channel that has none
    /// still has to be looked at where there is one for all.
    package mutating func limit(_ type: String) -> UInt64? {
        if all != nil, nextCheck == nil { nextCheck = 0 }
        guard let rule = rules.first(where: { Patterns.matches($0.pattern, type) }) else {
            return nil
        }
        return rule.nanoseconds == 0 ? nil : rule.nanoseconds
    }

    /// Looks at that time, or before.
    package mutating func check(by time: UInt64) {
        nextCheck = min(nextCheck ?? .max, time)
    }
}
