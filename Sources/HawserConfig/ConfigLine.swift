// SPDX-License-Identifier: Apache-2.0

/// A line of ssh_config(5) or sshd_config(5): a keyword and its arguments.
package struct ConfigLine: Equatable, Sendable {
    /// As written.
    package var keyword: String
    package var arguments: [String]
    /// Everything behind the keyword as written, for keywords whose value is a command.
    package var rest: String

    /// Nil for an empty line or a comment. Throws the reason for an unfinished quotation.
    package static func parse(_ line: String) throws(LexicalError) -> ConfigLine? {
        let text = line.trimmedBlanks
        guard let first = text.first, first != "#" else { return nil }
        let end =
            text.firstIndex { $0 == " " || $0 == "\t" || $0 == "=" } ?? text.endIndex
        var keyword = String(text[..<end])
        if keyword.hasPrefix("\""), keyword.hasSuffix("\""), keyword.count > 1 {
            keyword = String(keyword.dropFirst().dropLast())
        }
        var rest = text[end...].drop { $0 == " " || $0 == "\t" }
        if rest.first == "=" { rest = rest.dropFirst().drop { $0 == " " || $0 == "\t" } }
        return ConfigLine(
            keyword: keyword,
            arguments: try split(rest),
            rest: String(rest)
        )
    }

    /// Words as argv: quotes hold blanks together, a backslash keeps a quote, `#` ends the line.
    package static func split(_ text: Substring) throws(LexicalError) -> [String] {
        var words: [String] = []
        var word = ""
        var isInWord = false
        var quote: Character?
        var characters = text.makeIterator()
        var pending: Character?
        while let character = pending ?? characters.next() {
            pending = nil
            if character == "\\" {
                guard let next = characters.next() else {
                    word.append(character)
                    break
                }
                if next == "\\" || next == "\"" || next == "'" || (quote == nil && next == " ") {
                    word.append(next)
                } else {
                    word.append(character)
                    pending = next
                }
                isInWord = true
            } else if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                isInWord = true
            } else if character == " " || character == "\t" {
                if isInWord { words.append(word) }
                word = ""
                isInWord = false
            } else if character == "#", !isInWord {
                break
            } else {
                word.append(character)
                isInWord = true
            }
        }
        guard quote == nil else { throw LexicalError() }
        if isInWord { words.append(word) }
        return words
    }
}

/// A quotation has no end.
package struct LexicalError: Error, Equatable, Sendable {}

extension String {
    var trimmedBlanks: Substring {
        var text = self[...]
        while let last = text.last, last == " " || last == "\t" || last == "\r" || last == "\u{c}" {
            text.removeLast()
        }
        return text.drop { $0 == " " || $0 == "\t" }
    }
}
