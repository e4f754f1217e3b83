// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `type base64 comment`: a line of a `.pub` file, and the tail of many other lines.
package struct PublicKeyLine: Hashable, Sendable {
    package let key: PublicKey
    /// What follows the key, without the blanks around it. May be empty.
    package let comment: String

    package init(key: PublicKey, comment: String = "") {
        self.key = key
        self.comment = comment
    }

    /// Reads one line, with or without its end.
    package static func parse(_ line: some StringProtocol) throws(KeyError) -> PublicKeyLine {
        var rest = Substring(line).utf8[...]
        guard let name = word(from: &rest) else { throw .invalidFormat("no key type") }
        guard let type = KeyType(name: String(Substring(name))) else {
            throw .unknownType(String(Substring(name)))
        }
        guard let encoded = word(from: &rest) else { throw .invalidFormat("no key") }
        guard let blob = Base64.decode(encoded, .lenient) else { throw .invalidFormat("base64") }
        let key = try PublicKey(blob: blob)
        guard key.type == type else { throw .typeMismatch }
        while let first = rest.first, isBlank(first) { rest.removeFirst() }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return PublicKeyLine(key: key, comment: String(Substring(rest)))
    }

    /// Reads one line of a file whose text may not be UTF-8.
    package static func parse(_ line: RawSpan) throws(KeyError) -> PublicKeyLine {
        try parse(String(lossy: line))
    }

    /// The line without its end.
    package var text: String {
        let keyText = key.text
        return comment.isEmpty ? keyText : keyText + " " + comment
    }

    /// The next run of characters that are not blank.
    private static func word(
        from rest: inout Substring.UTF8View.SubSequence
    ) -> Substring.UTF8View.SubSequence? {
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
