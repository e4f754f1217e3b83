// SPDX-License-Identifier: Apache-2.0

/// Text that stands for any bytes.
///
/// Paths, commands, names and comments are bytes to the system and on the wire, and bytes of any
/// kind must come out as they went in. Nearly all of them are UTF-8 and are text as they are. A byte
/// that is not becomes one scalar at the end of the last private plane: U+10FF80 for 0x80 to
/// U+10FFFF for 0xff. What would be those scalars in the input is taken byte by byte as well, so
/// each text made so stands for one row of bytes, and for no other.
///
/// Whoever takes bytes from outside makes text by `String(octets:)`, and whoever hands text out
/// gives its `octets`; bytes that are still to be taken apart are octets, never such a text's UTF-8.
extension String {
    package init(octets bytes: [UInt8]) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(octets: $0) }
    }

    package init(octets bytes: ArraySlice<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(octets: $0) }
    }

    package init(octets bytes: RawSpan) {
        // SAFETY: the text is copied before the closure returns; every byte is a `UInt8`.
        self = unsafe bytes.withUnsafeBytes {
            unsafe String(octets: $0.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// A C string.
    package init(cOctets start: UnsafePointer<CChar>) {
        var count = 0
        // SAFETY: it ends with a zero; `CChar` and `UInt8` have the same layout.
        while unsafe start[count] != 0 { count += 1 }
        self = unsafe start.withMemoryRebound(to: UInt8.self, capacity: count) {
            unsafe String(octets: UnsafeBufferPointer(start: $0, count: count))
        }
    }

    package init(octets bytes: UnsafeBufferPointer<UInt8>) {
        guard unsafe !OctetScalar.isASCII(UnsafeRawBufferPointer(bytes)) else {
            self = unsafe String(decoding: bytes, as: UTF8.self)
            return
        }
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + 16)
        var index = 0
        while index < bytes.count {
            // SAFETY: the index is below the count.
            let first = unsafe bytes[index]
            let length = unsafe OctetScalar.wellFormedBytes(bytes, at: index)
            if length == 0 {
                text += OctetScalar.encoding(first)
                index += 1
            } else {
                for offset in 0..<length { unsafe text.append(bytes[index + offset]) }
                index += length
            }
        }
        self = String(decoding: text, as: UTF8.self)
    }

    /// The bytes that the text stands for.
    package var octets: [UInt8] {
        guard standsForOctets else { return Array(utf8) }
        var result: [UInt8] = []
        var rest = Array(utf8)[...]
        while let first = rest.first {
            if let octet = OctetScalar.octet(at: rest) {
                result.append(octet)
                rest = rest.dropFirst(4)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// Whether there may be bytes in it that are not UTF-8.
    package var standsForOctets: Bool {
        // SAFETY: the bytes are only read, inside the closure.
        let isASCII = unsafe utf8.withContiguousStorageIfAvailable {
            unsafe OctetScalar.isASCII(UnsafeRawBufferPointer($0))
        }
        return isASCII != true && utf8.contains(OctetScalar.first)
    }

    /// Lends the bytes as a C string.
    package func withCOctets<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        guard standsForOctets else { return unsafe withCString(body) }
        let bytes = octets.map { CChar(bitPattern: $0) } + [0]
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            // It holds at least the zero at its end.
            guard let start = buffer.baseAddress else { preconditionFailure("no bytes") }
            return unsafe body(start)
        }
    }
}

extension StringProtocol {
    /// Equal byte by byte, as names are to the system: `==` takes a letter with an accent and the
    /// letter with the accent behind it for the same (Unicode, canonical equivalence).
    package func hasSameOctets(as other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8)
    }

    /// The bytes that the text stands for.
    package var octets: [UInt8] { String(self).octets }
}

/// The scalars that stand for bytes.
package enum OctetScalar {
    /// The first byte of each in UTF-8.
    static let first: UInt8 = 0xf4

    /// Whether there is no byte above 0x7f. Eight at a time: every name and path is asked.
    static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let high: UInt64 = 0x8080_8080_8080_8080
        var index = 0
        while index + 8 <= bytes.count {
            // SAFETY: eight bytes are left.
            let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard word & high == 0 else { return false }
            index += 8
        }
        while index < bytes.count {
            // SAFETY: the index is below the count.
            guard unsafe bytes[index] < 0x80 else { return false }
            index += 1
        }
        return true
    }

    /// The byte that a scalar stands for, if it is one of them.
    package static func octet(of scalar: Unicode.Scalar) -> UInt8? {
        scalar.value >= 0x10_ff80 ? UInt8(truncatingIfNeeded: scalar.value) : nil
    }

    /// In UTF-8, U+10FF00 and the byte.
    static func encoding(_ octet: UInt8) -> [UInt8] {
        [first, 0x8f, 0xbc | octet >> 6, 0x80 | octet & 0x3f]
    }

    /// The byte that the scalar at the begin of a text's UTF-8 stands for.
    static func octet(at text: ArraySlice<UInt8>) -> UInt8? {
        let start = text.startIndex
        guard text.count >= 4, text[start] == first, text[start + 1] == 0x8f,
            text[start + 2] >= 0xbe
        else { return nil }
        return text[start + 2] << 6 | text[start + 3] & 0x3f
    }

    /// How many bytes the scalar at `index` has in UTF-8 (Unicode, table 3-7); 0 for what is no
    /// UTF-8 and for the scalars that stand for bytes.
    static func wellFormedBytes(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        // SAFETY: `index` is below the count, and each later one is compared with it.
        func byte(_ offset: Int) -> UInt8 {
            unsafe index + offset < bytes.count ? bytes[index + offset] : 0
        }
        func continues(_ offset: Int) -> Bool { byte(offset) & 0xc0 == 0x80 }
        switch byte(0) {
        case 0x00..<0x80: return 1
        case 0xc2..<0xe0: return continues(1) ? 2 : 0
        case 0xe0..<0xf0:
            let second: ClosedRange<UInt8> =
                switch byte(0) {
                case 0xe0: 0xa0...0xbf
                case 0xed: 0x80...0x9f
                default: 0x80...0xbf
                }
            return second.contains(byte(1)) && continues(2) ? 3 : 0
        case 0xf0...0xf4:
            let second: ClosedRange<UInt8> =
                switch byte(0) {
                case 0xf0: 0x90...0xbf
                case 0xf4: 0x80...0x8f
                default: 0x80...0xbf
                }
            guard second.contains(byte(1)), continues(2), continues(3) else { return 0 }
            let standsForOctet = byte(0) == first && byte(1) == 0x8f && byte(2) >= 0xbe
            return standsForOctet ? 0 : 4
        default: return 0
        }
    }
}
