// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

extension String {
    /// The text with everything that could steer a terminal made visible, as `\ooo`; line ends and
    /// tabs stay, and bytes that are not UTF-8 become `\ooo`, too. For what a peer sends.
    package var visible: String { visible(keeping: [0x09, 0x0a, 0x0d]) }

    /// The text with every control character but those of `kept` as `\ooo`, and unless they are
    /// `keepingOctets`, bytes that are not UTF-8, too.
    package func visible(keeping kept: [UInt8], keepingOctets: Bool = false) -> String {
        guard utf8.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0xc2 || $0 == 0xf4 })
        else { return self }
        return escaping { scalar in
            if let octet = OctetScalar.octet(of: scalar) {
                return keepingOctets ? nil : UInt32(octet)
            }
            let isControl = scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
            let isKept = kept.contains(UInt8(truncatingIfNeeded: scalar.value))
            return isControl && !isKept ? scalar.value : nil
        }
    }

    /// Text of any bytes, as `visible(keeping:)` has it; what is not UTF-8 becomes `\ooo`, too.
    package init(visible bytes: [UInt8], keeping kept: [UInt8]) {
        self = String(octets: bytes).visible(keeping: kept)
    }

    /// The text as OpenSSH's daemons log it: one line of printable US-ASCII, other bytes in the
    /// manner of C (`\n`, `\033`), a backslash doubled. No peer can forge a line or a part of one.
    package var logged: String {
        guard utf8.contains(where: { !(0x20..<0x7f).contains($0) || $0 == 0x5c }) else {
            return self
        }
        var result = ""
        for byte in octets {
            switch byte {
            case 0x5c: result += "\\\\"
            case 0x20..<0x7f: result.unicodeScalars.append(Unicode.Scalar(byte))
            case 0x07: result += "\\a"
            case 0x08: result += "\\b"
            case 0x09: result += "\\t"
            case 0x0a: result += "\\n"
            case 0x0b: result += "\\v"
            case 0x0c: result += "\\f"
            case 0x0d: result += "\\r"
            default: result += Self.octal(UInt32(byte))
            }
        }
        return result
    }

    /// The text with bytes that are not UTF-8 as `\ooo`, and everything else as it is.
    package var withVisibleOctets: String {
        guard standsForOctets else { return self }
        return escaping { OctetScalar.octet(of: $0).map { UInt32($0) } }
    }

    /// The text with those scalars as `\ooo` for which there is a number.
    private func escaping(_ number: (Unicode.Scalar) -> UInt32?) -> String {
        var result = ""
        for scalar in unicodeScalars {
            if let number = number(scalar) {
                result += Self.octal(number)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func octal(_ value: UInt32) -> String {
        let digits = String(value, radix: 8)
        return "\\" + String(repeating: "0", count: Swift.max(0, 3 - digits.utf8.count)) + digits
    }
}
