// SPDX-License-Identifier: Apache-2.0

/// Reads the data types of RFC 4251 §5 from borrowed bytes, copying nothing but numbers.
///
/// Every read either yields a value and moves on, or throws and leaves the rest undefined.
package struct WireReader: ~Escapable {
    /// What has not been read yet.
    package private(set) var rest: RawSpan

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        rest = bytes
    }

    /// How many bytes have not been read yet.
    package var remainingBytes: Int { rest.byteCount }

    package var isAtEnd: Bool { rest.byteCount == 0 }

    /// Throws `WireError.trailingBytes` unless everything has been read.
    package func expectEnd() throws(WireError) {
        if rest.byteCount != 0 { throw .trailingBytes }
    }

    /// `byte`.
    @_lifetime(self: copy self)
    package mutating func readByte() throws(WireError) -> UInt8 {
        guard rest.byteCount >= 1 else { throw .truncated }
        let value = rest[byteAt: 0]
        rest = rest.extracting(droppingFirst: 1)
        return value
    }

    /// `boolean`: any non-zero byte is true.
    @_lifetime(self: copy self)
    package mutating func readBoolean() throws(WireError) -> Bool {
        try readByte() != 0
    }

    /// `uint32`, big-endian.
    @_lifetime(self: copy self)
    package mutating func readUInt32() throws(WireError) -> UInt32 {
        guard rest.byteCount >= 4 else { throw .truncated }
        let value = rest.bigEndianUInt32(at: 0)
        rest = rest.extracting(droppingFirst: 4)
        return value
    }

    /// `uint64`, big-endian.
    @_lifetime(self: copy self)
    package mutating func readUInt64() throws(WireError) -> UInt64 {
        let high = UInt64(try readUInt32())
        return high << 32 | UInt64(try readUInt32())
    }

    /// `string`: the bytes themselves, borrowed.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    package mutating func readString() throws(WireError) -> RawSpan {
        let count = Int(try readUInt32())
        return try readFixed(count)
    }

    /// `byte[n]`: `count` bytes without a length before them, borrowed.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    package mutating func readFixed(_ count: Int) throws(WireError) -> RawSpan {
        guard count >= 0, count <= rest.byteCount else { throw .truncated }
        let value = rest.extracting(first: count)
        rest = rest.extracting(droppingFirst: count)
        return value
    }

    /// `string`, copied; `limit` bytes at most.
    @_lifetime(self: copy self)
    package mutating func readBytes(limit: Int = .max) throws(WireError) -> [UInt8] {
        let value = try readString()
        guard value.byteCount <= limit else { throw .tooLong }
        return [UInt8](copying: value)
    }

    /// `string` as text that stands for its bytes.
    @_lifetime(self: copy self)
    package mutating func readText(limit: Int = .max) throws(WireError) -> String {
        let value = try readString()
        guard value.byteCount <= limit else { throw .tooLong }
        return String(octets: value)
    }

    /// `name-list`, its names in order; an empty list has none (RFC 4251 §5, §6).
    @_lifetime(self: copy self)
    package mutating func readNameList() throws(WireError) -> [String] {
        try NameList.parse(readString())
    }

    /// `mpint` that is not negative: its magnitude, big-endian, without leading zeros.
    @_lifetime(self: copy self)
    package mutating func readMultiplePrecision() throws(WireError) -> [UInt8] {
        try MultiplePrecision.magnitude(of: readString())
    }

    /// Everything that is left.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    package mutating func readRest() -> RawSpan {
        let value = rest
        rest = rest.extracting(droppingFirst: rest.byteCount)
        return value
    }
}
