// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Takes options apart as getopt(3) does: grouped letters, values attached or apart, `--` ends.
package struct CommandLineParser {
    package enum Step: Equatable, Sendable {
        case flag(Character)
        case option(Character, String)
        /// A letter that is no option.
        case unknown(Character)
        /// An option whose value is missing.
        case missingValue(Character)
    }

    private var words: ArraySlice<String>
    /// What is left of a group of letters.
    private var group: Substring = ""
    /// As getopt's: letters, each followed by a colon when it takes a value.
    private let specification: [UInt8]

    /// `specification` as getopt's: letters, each followed by a colon when it takes a value.
    package init(_ words: [String], _ specification: String) {
        self.init(words, specification.octets)
    }

    /// `specification` as getopt's, in ASCII.
    package init(_ words: [String], _ specification: [UInt8]) {
        self.words = words[...]
        self.specification = specification
    }

    private enum Kind { case flag, withValue, unknown }

    private func kind(of letter: Character) -> Kind {
        let colon = UInt8(ascii: ":")
        guard let byte = letter.asciiValue, byte != colon,
            let index = specification.firstIndex(of: byte)
        else { return .unknown }
        let isLast = index + 1 == specification.count
        return !isLast && specification[index + 1] == colon ? .withValue : .flag
    }

    /// The next option, or nil at the first operand or after `--`.
    package mutating func next() -> Step? {
        if group.isEmpty {
            guard let word = words.first, word.utf8.first == UInt8(ascii: "-"),
                word.utf8.count > 1
            else { return nil }
            words.removeFirst()
            if word == "--" { return nil }
            group = word[word.utf8.index(after: word.startIndex)...]
        }
        let letter = takeLetter()
        switch kind(of: letter) {
        case .flag: return .flag(letter)
        case .unknown: return .unknown(letter)
        case .withValue: break
        }
        if !group.isEmpty {
            defer { group = "" }
            return .option(letter, String(group))
        }
        guard let value = words.popFirst() else { return .missingValue(letter) }
        return .option(letter, value)
    }

    /// The next of a group that has some. By bytes, as getopt(3): an accent does not belong to the
    /// letter before it.
    private mutating func takeLetter() -> Character {
        guard let byte = group.utf8.first, byte < 0x80 else { return group.removeFirst() }
        group = group[group.utf8.index(after: group.startIndex)...]
        return Character(Unicode.Scalar(byte))
    }

    /// Takes the next word out if it is one of these and no letters wait before it.
    package mutating func takeWord(of names: [String]) -> String? {
        guard group.isEmpty, let word = words.first, names.contains(word) else { return nil }
        return words.removeFirst()
    }

    /// Takes one operand out, so that options behind it can be read as well.
    package mutating func takeOperand() -> String? { words.popFirst() }

    /// Whether the word before the operands was `--`.
    package var operands: [String] { Array(words) }
}
