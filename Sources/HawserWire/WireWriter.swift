// SPDX-License-Identifier: Apache-2.0

/// Appends the data types of RFC 4251 §5 to bytes that it owns.
///
/// For messages that are built once in a while; the packet path writes into a `ByteQueue`.
package struct WireWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8]

    package init(reserving capacityBytes: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacityBytes)
    }

    package var count: Int { bytes.count }

    /// `byte`.
    package mutating func write(byte value: UInt8) {
        bytes.append(value)
    }

    /// `boolean`.
    package mutating func write(boolean value: Bool) {
        bytes.append(value ? 1 : 0)
    }

    /// `uint32`, big-endian.
    package mutating func write(uint32 value: UInt32) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 24))
        bytes.append(UInt8(truncatingIfNeeded: value >> 16))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    /// `uint64`, big-endian.
    package mutating func write(uint64 value: UInt64) {
        write(uint32: UInt32(truncatingIfNeeded: value >> 32))
        write(uint32: UInt32(truncatingIfNeeded: value))
    }

    /// `byte[n]`: bytes without a length before them.
    package mutating func write(fixed value: [UInt8]) {
        bytes.append(contentsOf: value)
    }

    /// `byte[n]`, borrowed.
    package mutating func write(fixed value: RawSpan) {
        bytes.append(copying: value)
    }

    /// `string`.
    package mutating func write(string value: [UInt8]) {
        write(uint32: UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    /// `string`, borrowed.
    package mutating func write(string value: RawSpan) {
        write(uint32: UInt32(value.byteCount))
        bytes.append(copying: value)
    }

    /// `string` of the bytes that a text stands for.
    package mutating func write(text value: String) {
        guard !value.standsForOctets else { return write(string: value.octets) }
        write(uint32: UInt32(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// `name-list`.
    package mutating func write(nameList names: [String]) {
        write(text: names.joined(separator: ","))
    }

    /// `mpint` of a magnitude, big-endian, leading zeros allowed.
    package mutating func write(multiplePrecision magnitude: [UInt8]) {
        write(string: MultiplePrecision.encoding(ofMagnitude: magnitude))
    }

    /// A `string` whose content is written by `content`; the length is filled in afterwards.
    package mutating func writeString<Failure: Error>(
        _ content: (inout WireWriter) throws(Failure) -> Void
    ) throws(Failure) {
        let start = bytes.count
        write(uint32: 0)
        try content(&self)
        let count = UInt32(bytes.count - start - 4)
        for (index, shift) in [24, 16, 8, 0].enumerated() {
            bytes[start + index] = UInt8(truncatingIfNeeded: count >> UInt32(shift))
        }
    }

    /// Gives away what has been written and starts anew.
    package mutating func take() -> [UInt8] {
        let taken = bytes
        bytes = []
        return taken
    }
}
