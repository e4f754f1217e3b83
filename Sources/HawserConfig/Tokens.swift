// SPDX-License-Identifier: Apache-2.0

/// `%`-tokens and `${VARIABLES}` (ssh_config(5), TOKENS and ENVIRONMENT VARIABLES).
package struct Tokens: Sendable {
    /// The letters that have a value: few enough that looking one up in order is the fastest. With the values
    /// in an array of their own: one of pairs is a type that is made at each start (docs/decisions/0009-start.md).
    private var known: [UInt8] = []
    /// The value of each.
    private var values: [String] = []

    package init() {}

    package init(_ values: KeyValuePairs<Unicode.Scalar, String>) {
        for (letter, value) in values { self[letter] = value }
    }

    /// `%h` alone.
    package init(host: String) { self["h"] = host }

    /// The value of a letter of ASCII; nil for one without.
    package subscript(_ letter: Unicode.Scalar) -> String? {
        get { place(of: letter).map { values[$0] } }
        set {
            switch (place(of: letter), newValue) {
            case (let place?, let value?): values[place] = value
            case (let place?, nil):
                known.remove(at: place)
                values.remove(at: place)
            case (nil, let value?):
                known.append(UInt8(ascii: letter))
                values.append(value)
            case (nil, nil): break
            }
        }
    }

    private func place(of letter: Unicode.Scalar) -> Int? {
        known.firstIndex { UInt32($0) == letter.value }
    }

    /// The letters that have a value.
    package var letters: String { String(decoding: known, as: UTF8.self) }

    /// The text with its tokens replaced, or nil for a letter that it does not know.
    package func expand(_ text: String) -> String? {
        var rest = text.utf8[...]
        guard let first = rest.firstIndex(of: UInt8(ascii: "%")) else { return text }
        var result = Array(rest[..<first])
        rest = rest[first...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard let letter = rest.popFirst() else { return nil }
            if letter == UInt8(ascii: "%") {
                result.append(letter)
            } else if let value = self[Unicode.Scalar(letter)] {
                result += value.utf8
            } else {
                return nil
            }
        }
        return String(decoding: result, as: UTF8.self)
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
        let start = Array("${".utf8)
        var rest = Array(text.utf8)[...]
        guard rest.contains(start[0]) else { return text }
        var result: [UInt8] = []
        while let byte = rest.first {
            guard rest.starts(with: start) else {
                result.append(byte)
                rest.removeFirst()
                continue
            }
            rest.removeFirst(start.count)
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")),
                let value = variable(String(decoding: rest[..<end], as: UTF8.self))
            else { return nil }
            result += value.utf8
            rest = rest[(end + 1)...]
        }
        return String(decoding: result, as: UTF8.self)
    }
}
