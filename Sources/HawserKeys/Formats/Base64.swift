// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Base64 with the alphabet of RFC 4648 §4.
package enum Base64 {
    /// The encoding, padded, without line ends.
    package static func encode(_ bytes: [UInt8]) -> String {
        String(octets: encoded(bytes))
    }

    package static func encode(_ bytes: RawSpan) -> String {
        encode([UInt8](copying: bytes))
    }

    /// The encoding of RFC 4648 §5, for URLs and the like, not padded.
    package static func encodeForURL(_ bytes: RawSpan) -> String {
        let characters = encoded([UInt8](copying: bytes)).lazy.filter { $0 != padding }.map {
            switch $0 {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: $0
            }
        }
        return String(octets: Array(characters))
    }

    /// The encoding as bytes, padded, without line ends.
    package static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let first = UInt32(bytes[index])
            let second = left > 1 ? UInt32(bytes[index + 1]) : 0
            let third = left > 2 ? UInt32(bytes[index + 2]) : 0
            let group = first << 16 | second << 8 | third
            text.append(alphabet[Int(group >> 18)])
            text.append(alphabet[Int(group >> 12 & 63)])
            text.append(left > 1 ? alphabet[Int(group >> 6 & 63)] : padding)
            text.append(left > 2 ? alphabet[Int(group & 63)] : padding)
            index += 3
        }
        return text
    }

    /// The encoding in lines of `columns` characters, each ended by a line feed.
    package static func lines(_ bytes: [UInt8], columns: Int) -> [UInt8] {
        var lines: [UInt8] = []
        var column = 0
        for character in encoded(bytes) {
            if column == columns {
                lines.append(UInt8(ascii: "\n"))
                column = 0
            }
            lines.append(character)
            column += 1
        }
        if column > 0 { lines.append(UInt8(ascii: "\n")) }
        return lines
    }

    /// How far `decode` forgives.
    package enum Strictness: Sendable {
        /// Only the alphabet, padded to a multiple of four characters, unused bits zero.
        case strict
        /// White space anywhere, padding absent or complete, unused bits of any value.
        case lenient
    }

    /// The bytes that `text` encodes, or nil when it is not Base64.
    package static func decode(
        _ text: some Sequence<UInt8>,
        _ strictness: Strictness = .strict
    ) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.underestimatedCount / 4 * 3 + 3)
        var group: UInt32 = 0
        var characters = 0
        var paddings = 0
        for character in text {
            if character == padding {
                paddings += 1
                guard paddings <= 2 else { return nil }
                continue
            }
            let value = values[Int(character)]
            if value == whitespace, strictness == .lenient { continue }
            guard value < 64, paddings == 0 else { return nil }
            group = group << 6 | UInt32(value)
            characters += 1
            if characters % 4 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: group >> 16))
                bytes.append(UInt8(truncatingIfNeeded: group >> 8))
                bytes.append(UInt8(truncatingIfNeeded: group))
                group = 0
            }
        }
        let rest = characters % 4
        guard rest != 1 else { return nil }
        let complete = rest == 0 ? 0 : 4 - rest
        guard paddings == complete || (strictness == .lenient && paddings == 0) else { return nil }
        if rest == 2 {
            guard strictness == .lenient || group & 0xf == 0 else { return nil }
            bytes.append(UInt8(truncatingIfNeeded: group >> 4))
        } else if rest == 3 {
            guard strictness == .lenient || group & 0x3 == 0 else { return nil }
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
        }
        return bytes
    }

    private static let padding = UInt8(ascii: "=")
    private static let whitespace: UInt8 = 64
    private static let invalid: UInt8 = 255

    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// The value of each character, or `whitespace`, or `invalid`.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() {
            table[Int(character)] = UInt8(value)
        }
        for character: UInt8 in [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20] {
            table[Int(character)] = whitespace
        }
        return table
    }()
}
