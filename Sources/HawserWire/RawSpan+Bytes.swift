// SPDX-License-Identifier: Apache-2.0

extension RawSpan {
    /// The byte at an offset, bounds checked.
    @inlinable
    package subscript(byteAt offset: Int) -> UInt8 {
        // SAFETY: every bit pattern is a `UInt8`; the bounds are checked.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The four bytes from an offset as a big-endian number, bounds checked.
    @inlinable
    package func bigEndianUInt32(at offset: Int) -> UInt32 {
        // SAFETY: every bit pattern is a `UInt32`; the bounds are checked.
        UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The eight bytes from an offset as a big-endian number, bounds checked.
    @inlinable
    package func bigEndianUInt64(at offset: Int) -> UInt64 {
        // SAFETY: every bit pattern is a `UInt64`; the bounds are checked.
        UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Whether both hold the same bytes; stops at the first difference, so not for secrets.
    package func elementsEqual(_ other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        for index in 0..<byteCount where self[byteAt: index] != other[byteAt: index] {
            return false
        }
        return true
    }
}

extension MutableRawSpan {
    /// The byte at an offset, bounds checked.
    @inlinable
    package subscript(byteAt offset: Int) -> UInt8 {
        get {
            // SAFETY: every bit pattern is a `UInt8`; the bounds are checked.
            unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        }
        @_lifetime(self: copy self)
        set {
            storeBytes(of: newValue, toByteOffset: offset, as: UInt8.self)
        }
    }

    /// Copies `source` into these bytes from `offset` on; it must fit.
    @_lifetime(self: copy self)
    package mutating func copy(_ source: RawSpan, at offset: Int = 0) {
        precondition(offset >= 0 && source.byteCount <= byteCount - offset)
        let count = source.byteCount
        // SAFETY: the precondition keeps both ranges inside their spans, and a mutable span
        // never overlaps another one that is alive.
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { bytes in
                guard count > 0, let to = target.baseAddress, let from = bytes.baseAddress
                else { return }
                unsafe (to + offset).copyMemory(from: from, byteCount: count)
            }
        }
    }
}

extension [UInt8] {
    /// These bytes, borrowed.
    package var rawBytes: RawSpan {
        // SAFETY: a byte has no padding.
        @_lifetime(borrow self) get { unsafe span.bytes }
    }

    /// These bytes, to be changed in place.
    package var mutableRawBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            // SAFETY: a byte has no padding and any value; the exclusive borrow of `self` lasts.
            let count = count
            let start = unsafe withUnsafeMutableBytes { $0.baseAddress }
            guard let start = unsafe start else { return MutableRawSpan() }
            let bytes = unsafe MutableRawSpan(_unsafeStart: start, byteCount: count)
            return unsafe _overrideLifetime(bytes, mutating: &self)
        }
    }

    /// A copy of borrowed bytes.
    package init(copying bytes: RawSpan) {
        // SAFETY: `Array` copies the bytes before the closure returns.
        self = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }

    /// Appends a copy of borrowed bytes.
    package mutating func append(copying bytes: RawSpan) {
        // SAFETY: `append` copies the bytes before the closure returns.
        unsafe bytes.withUnsafeBytes { unsafe self.append(contentsOf: $0) }
    }
}

extension MutableRawSpan {
    /// The first `count` bytes, to be changed in place.
    @_lifetime(&self)
    package mutating func prefix(_ count: Int) -> MutableRawSpan {
        precondition(count >= 0 && count <= byteCount)
        // SAFETY: the precondition keeps the part inside; the exclusive borrow of `self` lasts.
        let start = unsafe withUnsafeMutableBytes { $0.baseAddress }
        guard count > 0, let start = unsafe start else { return MutableRawSpan() }
        let part = unsafe MutableRawSpan(_unsafeStart: start, byteCount: count)
        return unsafe _overrideLifetime(part, mutating: &self)
    }

    /// The bytes from `offset` on, to be changed in place.
    @_lifetime(&self)
    package mutating func suffix(from offset: Int) -> MutableRawSpan {
        precondition(offset >= 0 && offset <= byteCount)
        let count = byteCount - offset
        // SAFETY: as in `prefix`.
        let start = unsafe withUnsafeMutableBytes { $0.baseAddress }
        guard count > 0, let start = unsafe start else { return MutableRawSpan() }
        let part = unsafe MutableRawSpan(_unsafeStart: start + offset, byteCount: count)
        return unsafe _overrideLifetime(part, mutating: &self)
    }
}
