// SPDX-License-Identifier: Apache-2.0

/// Comma-separated names (RFC 4251 §5 `name-list`, §6 for what a name may hold).
package enum NameList {
    /// The longest name that may be sent, in bytes (RFC 4251 §6).
    package static let maximumNameBytes = 64

    /// The names in `bytes`. Throws `WireError.badName` for an empty name, or one with a byte
    /// outside printable US-ASCII. Longer names than §6 allows are let through, as peers send them.
    package static func parse(_ bytes: RawSpan) throws(WireError) -> [String] {
        if bytes.byteCount == 0 { return [] }
        var names: [String] = []
        var start = 0
        for index in 0...bytes.byteCount {
            if index < bytes.byteCount {
                let byte = bytes[byteAt: index]
                guard byte > 0x20, byte < 0x7f else { throw .badName }
                guard byte == UInt8(ascii: ",") else { continue }
            }
            guard index > start else { throw .badName }
            names.append(String(octets: bytes.extracting(start..<index)))
            start = index + 1
        }
        return names
    }

    /// Whether a single name may stand in a list: printable US-ASCII, no comma, 1 to 64 bytes.
    package static func isValid(name: String) -> Bool {
        let bytes = name.utf8
        return !bytes.isEmpty && bytes.count <= maximumNameBytes
            && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ",") }
    }
}
