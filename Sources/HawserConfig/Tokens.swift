// SPDX-License-Identifier: Apache-2.0

/// `%`-tokens and `${VARIABLES}` (ssh_config(5), TOKENS and ENVIRONMENT VARIABLES).
package struct Tokens: Sendable {
    /// The value of each letter.
    package var values: [Character: String]

    package init(_ values: [Character: String]) {
        self.values = values
    }

    /// The text with its tokens replaced, or nil for a letter that it does not know.
    package func expand(_ text: String) -> String? {
        var result = ""
        var characters = text.makeIterator()
        while let character = characters.next() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            guard let letter = characters.next() else { return nil }
            if letter == "%" {
                result.append("%")
            } else if let value = values[letter] {
                result += value
            } else {
                return nil
            }
        }
        return result
    }

    /// The first letter behind a percent sign that is none of these, for a message.
    package static func firstUnknown(_ text: String, _ letters: String) -> String {
        var bytes = text.utf8[...]
        while let percent = bytes.firstIndex(of: UInt8(ascii: "%")) {
            bytes = bytes[bytes.index(after: percent)...]
            guard let letter = bytes.popFirst() else { break }
            if letter != UInt8(ascii: "%"), !letters.utf8.contains(letter) {
                return String(decoding: [letter], as: UTF8.self)
            }
        }
        return ""
    }

    /// The first `${NAME}` that a test picks, for a message.
    package static func firstVariable(
        _ text: String,
        where isMeant: (String) -> Bool
    ) -> String? {
        var found: String?
        _ = expandVariables(text) { name in
            if found == nil, isMeant(name) { found = name }
            return ""
        }
        return found
    }

    /// The text with `${NAME}` replaced, or nil for a variable that is not set.
    package static func expandVariables(
        _ text: String,
        _ variable: (String) -> String?
    ) -> String? {
        var result = ""
        var rest = text[...]
        while let start = rest.range(of: "${") {
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}"),
                let value = variable(String(rest[start.upperBound..<end]))
            else { return nil }
            result += value
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}

extension Substring {
    /// The first place of a text in this one.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
