// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `type base64 comment`: a line of a `.pub` file, and the tail of many other lines.
package struct PublicKeyLine: Hashable, Sendable {
    package let key: PublicKey
    /// What follows the key, without the blanks around it. May be empty, and need not be UTF-8.
    package let commentBytes: [UInt8]
    /// The comment with what is not UTF-8 replaced.
    package var comment: String { String(octets: commentBytes) }

    package init(key: PublicKey, comment: String = "") {
        self.init(key: key, commentBytes: comment.octets)
    }

    package init(key: PublicKey, commentBytes: [UInt8]) {
        self.key = key
        self.commentBytes = commentBytes
    }

    /// Reads one line, with or without its end.
    package static func parse(_ line: some StringProtocol) throws(KeyError) -> PublicKeyLine {
        try parse(line.octets[...])
    }

    /// Reads one line of a file, with or without its end.
    package static func parse(_ line: ArraySlice<UInt8>) throws(KeyError) -> PublicKeyLine {
        var rest = line
        guard let word = Self.word(from: &rest) else { throw .invalidFormat("no key type") }
        let name = String(octets: word)
        guard let type = KeyType(name: name) else { throw .unknownType(name) }
        guard let encoded = Self.word(from: &rest) else { throw .invalidFormat("no key") }
        guard let blob = Base64.decode(encoded, .lenient) else { throw .invalidFormat("base64") }
        let key = try PublicKey(blob: blob)
        guard key.type == type else { throw .typeMismatch }
        while let first = rest.first, isBlank(first) { rest.removeFirst() }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return PublicKeyLine(key: key, commentBytes: Array(rest))
    }

    /// Reads one line of a file whose text may not be UTF-8.
    package static func parse(_ line: RawSpan) throws(KeyError) -> PublicKeyLine {
        try parse(String(octets: line))
    }

    /// The line without its end.
    package var text: String {
        let keyText = key.text
        return comment.isEmpty ? keyText : keyText + " " + comment
    }

    /// The next run of characters that are not blank.
    private static func word(from rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        while let first = rest.first, isBlank(first) { rest.removeFirst() }
        guard !rest.isEmpty else { return nil }
        let end = rest.firstIndex(where: isBlank) ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    private static func isBlank(_ character: UInt8) -> Bool {
        character == 0x20 || character == 0x09 || character == 0x0a || character == 0x0d
    }
}

extension PublicKey {
    /// `type base64`.
    package var text: String { type.name + " " + Base64.encode(blob) }
}
