// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Wildcard patterns as ssh_config(5) PATTERNS has them: `*`, `?`, a comma between, `!` before.
package enum Pattern {
    /// Whether the whole of `text` matches; `*` stands for any bytes, `?` for one.
    ///
    /// Takes time in the product of the lengths at worst.
    package static func matches(_ pattern: some StringProtocol, _ text: some StringProtocol) -> Bool
    {
        matches(pattern.octets, text.octets)
    }

    package static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var position = 0
        var index = 0
        var star: (pattern: Int, text: Int)?
        while index < text.count {
            if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
                star = (position, index)
                position += 1
            } else if position < pattern.count,
                pattern[position] == UInt8(ascii: "?") || pattern[position] == text[index]
            {
                position += 1
                index += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                position = last.pattern + 1
                index = last.text + 1
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// Whether `text` is in a comma-separated list: a pattern matches and no negated one does.
    /// The comparison is blind to case when `list` and `text` are given in lower case.
    package static func listContains(
        _ list: some StringProtocol,
        _ text: some StringProtocol
    ) -> Bool {
        listVerdict(list, text) == true
    }

    /// True: in the list; false: excluded by a negated pattern; nil: not mentioned.
    package static func listVerdict(
        _ list: some StringProtocol,
        _ text: some StringProtocol
    ) -> Bool? {
        let text = text.octets
        var found: Bool?
        for part in list.octets.split(separator: UInt8(ascii: ",")) {
            let negated = part.first == UInt8(ascii: "!")
            if matches(Array(negated ? part.dropFirst() : part[...]), text) {
                if negated { return false }
                found = true
            }
        }
        return found
    }
}

extension UInt8 {
    /// The lower-case letter for an ASCII upper-case one.
    var asciiLowercased: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }

    /// A blank or a tab.
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}

extension StringProtocol {
    /// ASCII letters in lower case, everything else as it is.
    package var asciiLowercased: String {
        String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self)
    }
}
