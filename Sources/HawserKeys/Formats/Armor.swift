// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The text around binary key material: `-----BEGIN label-----`, perhaps headers, Base64 (RFC 7468,
/// and RFC 1421 for the headers).
struct Armor {
    let label: String
    /// `Name: value`, in order, with the original letters.
    let headers: [(name: String, value: String)]
    let body: SecretBytes

    subscript(header name: String) -> String? {
        headers.first { $0.name.asciiLowercased == name.asciiLowercased }?.value
    }

    /// Finds the first armoured block in `text` whose label ends as given; nil when there is none.
    /// Other blocks are passed over, such as the parameters or the certificate before a key. Throws
    /// when there is the beginning of one but not all of it.
    static func find(in text: [UInt8], suffix: String) throws(KeyError) -> Armor? {
        var lines = LineIterator(text)
        while let line = lines.next() {
            guard let label = Armor.label(of: line, begin: "-----BEGIN "), label.hasSuffix(suffix)
            else { continue }
            return try read(label: label, from: &lines)
        }
        return nil
    }

    private static func read(
        label: String,
        from lines: inout LineIterator
    ) throws(KeyError) -> Armor {
        var headers: [(name: String, value: String)] = []
        var encoded: [UInt8] = []
        defer { encoded.wipe() }
        var isHead = true
        while let line = lines.next() {
            if let end = Armor.label(of: line, begin: "-----END ") {
                guard end == label else { throw .invalidFormat("armour ends with another label") }
                guard let body = Base64.decode(encoded, .lenient) else {
                    throw .invalidFormat("armour: base64")
                }
                return Armor(label: label, headers: headers, body: SecretBytes(body))
            }
            if isHead, let colon = line.firstIndex(of: UInt8(ascii: ":")) {
                let name = String(octets: line[..<colon])
                let value = line[(colon + 1)...].drop(while: \.isBlank)
                headers.append((name, String(octets: value)))
            } else {
                isHead = false
                encoded += line
            }
        }
        throw .invalidFormat("armour has no end")
    }

    private static func label(of line: ArraySlice<UInt8>, begin: String) -> String? {
        let begin = begin.octets
        let end = Array("-----".utf8)
        guard line.count >= begin.count + end.count, line.starts(with: begin),
            line.suffix(end.count).elementsEqual(end)
        else { return nil }
        return String(octets: line.dropFirst(begin.count).dropLast(end.count))
    }

    /// An armoured block with lines of `columns` characters.
    static func text(
        label: String,
        headers: [(name: String, value: String)] = [],
        _ body: [UInt8],
        columns: Int
    ) -> [UInt8] {
        var text = "-----BEGIN \(label)-----\n".octets
        for header in headers { text += "\(header.name): \(header.value)\n".octets }
        if !headers.isEmpty { text.append(0x0a) }
        text += Base64.lines(body, columns: columns)
        return text + "-----END \(label)-----\n".octets
    }
}

/// The lines of a file whose ends may be LF, CR or CR LF, without blanks at their end.
struct LineIterator {
    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) {
        self.text = text
    }

    mutating func next() -> ArraySlice<UInt8>? {
        guard position < text.count else { return nil }
        let start = position
        while position < text.count, text[position] != 0x0a, text[position] != 0x0d {
            position += 1
        }
        var end = position
        if position < text.count {
            let isPair =
                text[position] == 0x0d && position + 1 < text.count && text[position + 1] == 0x0a
            position += isPair ? 2 : 1
        }
        while end > start, text[end - 1].isBlank { end -= 1 }
        return text[start..<end]
    }
}
