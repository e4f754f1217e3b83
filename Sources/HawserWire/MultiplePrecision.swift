// SPDX-License-Identifier: Apache-2.0

/// `mpint` (RFC 4251 §5), of which SSH uses only the numbers from zero up.
package enum MultiplePrecision {
    /// The content of an `mpint` as a magnitude, big-endian, without leading zeros (zero is empty).
    /// Throws `WireError.badMultiplePrecision` for a negative or padded number.
    package static func magnitude(of content: RawSpan) throws(WireError) -> [UInt8] {
        guard content.byteCount > 0 else { return [] }
        let first = content[byteAt: 0]
        guard first < 0x80 else { throw .badMultiplePrecision }
        guard first == 0 else { return [UInt8](copying: content) }
        guard content.byteCount > 1, content[byteAt: 1] >= 0x80 else {
            throw .badMultiplePrecision
        }
        return [UInt8](copying: content.extracting(droppingFirst: 1))
    }

    /// The content of the `mpint` for a magnitude: no leading zeros, but one when the top bit is set.
    package static func encoding(ofMagnitude magnitude: [UInt8]) -> [UInt8] {
        let significant = magnitude.drop(while: { $0 == 0 })
        guard let first = significant.first else { return [] }
        return first >= 0x80 ? [0] + significant : [UInt8](significant)
    }
}
