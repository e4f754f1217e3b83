// SPDX-License-Identifier: Apache-2.0

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
    private let withValue: Set<Character>
    private let flags: Set<Character>

    /// `specification` as getopt's: letters, each followed by a colon when it takes a value.
    package init(_ words: [String], _ specification: String) {
        self.words = words[...]
        var withValue: Set<Character> = []
        var flags: Set<Character> = []
        var previous: Character?
        for letter in specification {
            if letter == ":", let last = previous {
                flags.remove(last)
                withValue.insert(last)
            } else {
                flags.insert(letter)
                previous = letter
            }
        }
        self.withValue = withValue
        self.flags = flags
    }

    /// The next option, or nil at the first operand or after `--`.
    package mutating func next() -> Step? {
        if group.isEmpty {
            guard let word = words.first, word.hasPrefix("-"), word != "-" else { return nil }
            words.removeFirst()
            if word == "--" { return nil }
            group = word.dropFirst()
        }
        let letter = group.removeFirst()
        if flags.contains(letter) { return .flag(letter) }
        guard withValue.contains(letter) else { return .unknown(letter) }
        if !group.isEmpty {
            defer { group = "" }
            return .option(letter, String(group))
        }
        guard let value = words.popFirst() else { return .missingValue(letter) }
        return .option(letter, value)
    }

    /// Takes one operand out, so that options behind it can be read as well.
    package mutating func takeOperand() -> String? { words.popFirst() }

    /// Whether the word before the operands was `--`.
    package var operands: [String] { Array(words) }
}
