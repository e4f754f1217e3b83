// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Names of files made safe to show: what could steer a terminal, or is not UTF-8, becomes `\ooo`.
package enum PrintableText {
    package static func of(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) {
            return String(decoding: bytes, as: UTF8.self)
        }
        var result = ""
        var start = 0
        while start < bytes.count {
            let length = sequenceBytes(bytes, at: start)
            if length == 0 {
                result += octal(bytes[start])
                start += 1
                continue
            }
            let part = String(decoding: bytes[start..<start + length], as: UTF8.self)
            let isSteering = part.unicodeScalars.contains(where: steers)
            if isSteering {
                for byte in bytes[start..<start + length] { result += octal(byte) }
            } else {
                result += part
            }
            start += length
        }
        return result
    }

    /// How many columns of a terminal a text takes: the wide characters of East Asia (Unicode Standard
    /// Annex #11) and pictures two, marks above the character before them none.
    package static func columns(of text: String) -> Int {
        text.unicodeScalars.reduce(0) { sum, scalar in
            switch scalar.value {
            case 0x300...0x36f: sum
            case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3,
                0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6,
                0x1f300...0x1f64f, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
                sum + 2
            default: sum + 1
            }
        }
    }

    /// Control characters, and those that turn the direction of text or hide it.
    private static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x200b...0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff:
            true
        default: false
        }
    }

    /// How many bytes a valid UTF-8 sequence at `index` has; 0 when there is none.
    private static func sequenceBytes(_ bytes: [UInt8], at index: Int) -> Int {
        let lead = bytes[index]
        let length =
            switch lead {
            case 0..<0x80: 1
            case 0xc2..<0xe0: 2
            case 0xe0..<0xf0: 3
            case 0xf0..<0xf5: 4
            default: 0
            }
        guard length > 0, index + length <= bytes.count else { return 0 }
        let sequence = Array(bytes[index..<index + length])
        return String(validating: sequence, as: UTF8.self) == nil ? 0 : length
    }

    private static func octal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 8)
        return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
    }
}
