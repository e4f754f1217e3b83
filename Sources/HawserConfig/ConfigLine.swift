// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A line of ssh_config(5) or sshd_config(5): a keyword and its arguments.
package struct ConfigLine: Equatable, Sendable {
    /// As written.
    package var keyword: String
    package var arguments: [String]
    /// Everything behind the keyword as written, for keywords whose value is a command.
    package var rest: String

    /// Nil for an empty line or a comment. Throws the reason for an unfinished quotation.
    package static func parse(_ line: String) throws(LexicalError) -> ConfigLine? {
        try parse(bytes: line.octets[...])
    }

    /// The same from the bytes of a line, without its end.
    package static func parse(
        bytes line: ArraySlice<UInt8>
    ) throws(LexicalError) -> ConfigLine? {
        guard let (keyword, rest) = separated(line) else { return nil }
        return ConfigLine(
            keyword: String(octets: keyword),
            arguments: try words(rest),
            rest: String(octets: rest)
        )
    }

    /// The keyword, without quotes, and what follows it; nil for an empty line or a comment.
    static func separated(
        _ line: ArraySlice<UInt8>
    ) -> (keyword: ArraySlice<UInt8>, rest: ArraySlice<UInt8>)? {
        var text = line
        while let last = text.last, isBlank(last) || last == returnByte || last == formFeed {
            text.removeLast()
        }
        text = text.drop(while: isBlank)
        guard let first = text.first, first != hash else { return nil }
        if first == quote, let close = text.dropFirst().firstIndex(of: quote) {
            // Behind quotes an equals sign belongs to the argument.
            let rest = text[text.index(after: close)...].drop(while: isSpace)
            return (text[text.index(after: text.startIndex)..<close], rest)
        }
        let end = text.firstIndex { isSpace($0) || $0 == equals } ?? text.endIndex
        var rest = text[end...].drop(while: isSpace)
        if rest.first == equals { rest = rest.dropFirst().drop(while: isSpace) }
        return (text[..<end], rest)
    }

    /// Words as argv: quotes hold blanks together, a backslash keeps a quote, `#` ends the line.
    package static func split(_ text: Substring) throws(LexicalError) -> [String] {
        try words(text.octets[...])
    }

    static func words(_ text: ArraySlice<UInt8>) throws(LexicalError) -> [String] {
        var words: [String] = []
        var word: [UInt8] = []
        var isInWord = false
        var open: UInt8?
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            index += 1
            if byte == backslash, index < text.endIndex,
                case let next = text[index],
                next == backslash || next == quote || next == apostrophe
                    || (open == nil && next == space)
            {
                word.append(next)
                index += 1
                isInWord = true
            } else if let quotation = open {
                if byte == quotation { open = nil } else { word.append(byte) }
            } else if byte == quote || byte == apostrophe {
                open = byte
                isInWord = true
            } else if isBlank(byte) {
                if isInWord { words.append(String(octets: word)) }
                word.removeAll(keepingCapacity: true)
                isInWord = false
            } else if byte == hash, !isInWord {
                break
            } else {
                word.append(byte)
                isInWord = true
            }
        }
        guard open == nil else { throw LexicalError() }
        if isInWord { words.append(String(octets: word)) }
        return words
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// What may stand between a keyword and its arguments.
    private static func isSpace(_ byte: UInt8) -> Bool { isBlank(byte) || byte == returnByte }

    private static let space = UInt8(ascii: " ")
    private static let tab = UInt8(ascii: "\t")
    private static let returnByte = UInt8(ascii: "\r")
    private static let formFeed: UInt8 = 0x0c
    private static let equals = UInt8(ascii: "=")
    private static let hash = UInt8(ascii: "#")
    private static let quote = UInt8(ascii: "\"")
    private static let apostrophe = UInt8(ascii: "'")
    private static let backslash = UInt8(ascii: "\\")
}

extension ConfigLine {
    /// The arguments of a line, taken one after the other.
    struct Arguments: Sendable {
        private var words: ArraySlice<String>
        private let rest: ArraySlice<UInt8>

        init(_ rest: ArraySlice<UInt8>) throws(LexicalError) {
            self.rest = rest
            words = try ConfigLine.words(rest)[...]
        }

        private init() {
            rest = []
            words = []
        }

        static let none = Arguments()

        /// The next argument.
        mutating func take() -> String? { words.popFirst() }

        var next: String? { words.first }

        mutating func takeAll() -> [String] {
            defer { words = [] }
            return Array(words)
        }

        /// Everything as it is written, whatever quotes and signs of comments are in it.
        mutating func takeRest() -> String {
            words = []
            return String(octets: rest)
        }

        /// The arguments as they are written, without a comment behind them.
        mutating func takeWritten() -> String {
            var end = rest.startIndex
            while end < rest.endIndex {
                let next = rest[end...].firstIndex(of: hash) ?? rest.endIndex
                // A sign that begins a comment is one that changes nothing when it is left out.
                let isComment =
                    next < rest.endIndex
                    && (try? ConfigLine.words(rest[..<next])) == (try? ConfigLine.words(rest))
                end = next
                if isComment || next == rest.endIndex { break }
                end += 1
            }
            words = []
            var written = rest[..<end]
            while let last = written.last, isBlank(last) { written.removeLast() }
            return String(octets: written)
        }

        var isEmpty: Bool { words.isEmpty }
    }
}

/// A quotation has no end.
package struct LexicalError: Error, Equatable, Sendable {}
