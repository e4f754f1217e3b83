// SPDX-License-Identifier: Apache-2.0

/// A line of commands, taken apart as sftp(1) does: quotes, backslashes, and comments, which begin
/// at any `#` that is neither quoted nor escaped.
struct Words {
    enum Failure: Error { case unterminatedQuote }

    /// Each word as a pattern: what was quoted and would be a wildcard has a backslash before it.
    let patterns: [[UInt8]]

    init(_ line: [UInt8]) throws(Failure) {
        var words: [[UInt8]] = []
        var word: [UInt8]?
        var quote: UInt8?
        var index = 0
        while index < line.count {
            let byte = line[index]
            index += 1
            if let mark = quote {
                if byte == mark {
                    quote = nil
                } else if byte == backslash, index < line.count,
                    line[index] == mark || line[index] == backslash
                {
                    word = (word ?? []) + GlobCharacter.plain(line[index])
                    index += 1
                } else {
                    word = (word ?? []) + GlobCharacter.plain(byte)
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                quote = byte
                word = word ?? []
            case backslash:
                if index < line.count {
                    word = (word ?? []) + GlobCharacter.plain(line[index])
                    index += 1
                }
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                if let ended = word { words.append(ended) }
                word = nil
            case UInt8(ascii: "#"): index = line.count
            default: word = (word ?? []) + [byte]
            }
        }
        guard quote == nil else { throw .unterminatedQuote }
        if let word { words.append(word) }
        patterns = words
    }

    /// A word without its backslashes.
    static func plain(_ pattern: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < pattern.count {
            if pattern[index] == backslash, index + 1 < pattern.count { index += 1 }
            result.append(pattern[index])
            index += 1
        }
        return result
    }
}

/// Characters that a pattern would take for wildcards.
private enum GlobCharacter {
    static func plain(_ byte: UInt8) -> [UInt8] {
        [UInt8](#"*?[]\"#.utf8).contains(byte) ? [backslash, byte] : [byte]
    }
}

private let backslash = UInt8(ascii: "\\")
