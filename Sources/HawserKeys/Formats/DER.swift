// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The part of X.690 that key files need: definite lengths, low tag numbers.
enum DER {
    enum Tag {
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let null: UInt8 = 0x05
        static let objectIdentifier: UInt8 = 0x06
        static let sequence: UInt8 = 0x30

        /// `[number]`, constructed.
        static func context(_ number: UInt8) -> UInt8 { 0xa0 | number }
        /// `[number]` in front of a primitive type, implicitly tagged.
        static func implicit(_ number: UInt8) -> UInt8 { 0x80 | number }
    }

    /// One value: tag, length, content.
    static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [tag]
        switch content.count {
        case ..<0x80:
            bytes.append(UInt8(content.count))
        case ..<0x100:
            bytes += [0x81, UInt8(content.count)]
        case ..<0x10000:
            bytes += [0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)]
        default:
            bytes.append(0x84)
            for shift in [24, 16, 8, 0] {
                bytes.append(UInt8(truncatingIfNeeded: content.count >> shift))
            }
        }
        return bytes + content
    }

    static func sequence(_ values: [UInt8]...) -> [UInt8] {
        value(Tag.sequence, values.flatMap { $0 })
    }

    /// A non-negative number from its magnitude.
    static func integer(_ magnitude: [UInt8]) -> [UInt8] {
        let significant = MultiplePrecision.encoding(ofMagnitude: magnitude)
        return value(Tag.integer, significant.isEmpty ? [0] : significant)
    }

    static func integer(_ number: UInt32) -> [UInt8] {
        integer([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) })
    }

    static func octetString(_ bytes: [UInt8]) -> [UInt8] { value(Tag.octetString, bytes) }

    /// A bit string of whole bytes.
    static func bitString(_ bytes: [UInt8]) -> [UInt8] { value(Tag.bitString, [0] + bytes) }

    static func objectIdentifier(_ identifier: ObjectIdentifier) -> [UInt8] {
        value(Tag.objectIdentifier, identifier.encoding)
    }

    static let null: [UInt8] = [Tag.null, 0]
}

/// The objects that key files name.
enum ObjectIdentifier: CaseIterable {
    case rsaEncryption, dsa, ecPublicKey, ed25519
    case prime256v1, secp384r1, secp521r1
    case pbes2, pbkdf2
    case hmacSHA1, hmacSHA256, hmacSHA384, hmacSHA512
    case aes128CBC, aes192CBC, aes256CBC, desEDE3CBC

    /// The content octets, X.690 §8.19.
    var encoding: [UInt8] {
        switch self {
        // 1.2.840.113549.1.1.1, 1.2.840.10040.4.1, 1.2.840.10045.2.1, 1.3.101.112
        case .rsaEncryption: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]
        case .dsa: [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1]
        case .ecPublicKey: [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]
        case .ed25519: [0x2b, 0x65, 0x70]
        // 1.2.840.10045.3.1.7, 1.3.132.0.34, 1.3.132.0.35
        case .prime256v1: [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]
        case .secp384r1: [0x2b, 0x81, 0x04, 0, 0x22]
        case .secp521r1: [0x2b, 0x81, 0x04, 0, 0x23]
        // 1.2.840.113549.1.5.13 and .12
        case .pbes2: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0d]
        case .pbkdf2: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0c]
        // 1.2.840.113549.2.7, .9, .10, .11
        case .hmacSHA1: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7]
        case .hmacSHA256: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9]
        case .hmacSHA384: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 10]
        case .hmacSHA512: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11]
        // 2.16.840.1.101.3.4.1.2, .22, .42; 1.2.840.113549.3.7
        case .aes128CBC: [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2]
        case .aes192CBC: [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22]
        case .aes256CBC: [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42]
        case .desEDE3CBC: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7]
        }
    }

    init?(encoding: RawSpan) {
        let bytes = [UInt8](copying: encoding)
        guard let known = Self.allCases.first(where: { $0.encoding == bytes }) else { return nil }
        self = known
    }

    /// A curve by its object.
    var curve: NISTCurve? {
        switch self {
        case .prime256v1: .p256
        case .secp384r1: .p384
        case .secp521r1: .p521
        default: nil
        }
    }

    init(_ curve: NISTCurve) {
        self =
            switch curve {
            case .p256: .prime256v1
            case .p384: .secp384r1
            case .p521: .secp521r1
            }
    }
}

/// Reads DER values one after the other from borrowed bytes.
struct DERReader: ~Escapable {
    private(set) var rest: RawSpan

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        rest = bytes
    }

    var isAtEnd: Bool { rest.byteCount == 0 }

    /// The tag of the next value.
    var nextTag: UInt8? { rest.byteCount > 0 ? rest[byteAt: 0] : nil }

    func expectEnd() throws(KeyError) {
        if !isAtEnd { throw .invalidFormat("DER: bytes after the last value") }
    }

    /// The content of the next value, which must have this tag.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    mutating func read(_ tag: UInt8) throws(KeyError) -> RawSpan {
        guard rest.byteCount >= 2, rest[byteAt: 0] == tag else {
            throw .invalidFormat("DER: another type expected")
        }
        var length = Int(rest[byteAt: 1])
        var head = 2
        if length >= 0x80 {
            let lengthBytes = length & 0x7f
            guard lengthBytes >= 1, lengthBytes <= 4, rest.byteCount >= 2 + lengthBytes else {
                throw .invalidFormat("DER: length")
            }
            length = 0
            for index in 0..<lengthBytes { length = length << 8 | Int(rest[byteAt: 2 + index]) }
            head += lengthBytes
            guard length >= 0x80 else { throw .invalidFormat("DER: length not minimal") }
        }
        guard length <= rest.byteCount - head else { throw .invalidFormat("DER: truncated") }
        let content = rest.extracting(head..<head + length)
        rest = rest.extracting(droppingFirst: head + length)
        return content
    }

    @_lifetime(copy self)
    @_lifetime(self: copy self)
    mutating func readSequence() throws(KeyError) -> DERReader {
        DERReader(try read(DER.Tag.sequence))
    }

    /// A non-negative number: its magnitude.
    @_lifetime(self: copy self)
    mutating func readInteger() throws(KeyError) -> [UInt8] {
        let content = try read(DER.Tag.integer)
        guard content.byteCount > 0, content[byteAt: 0] < 0x80 else {
            throw .invalidFormat("DER: negative number")
        }
        return Magnitude.stripped([UInt8](copying: content))
    }

    /// A small non-negative number.
    @_lifetime(self: copy self)
    mutating func readSmallInteger() throws(KeyError) -> Int {
        let magnitude = try readInteger()
        guard magnitude.count <= 4 else { throw .invalidFormat("DER: number too large") }
        return magnitude.reduce(0) { $0 << 8 | Int($1) }
    }

    @_lifetime(self: copy self)
    mutating func readOctetString() throws(KeyError) -> [UInt8] {
        [UInt8](copying: try read(DER.Tag.octetString))
    }

    /// A bit string of whole bytes.
    @_lifetime(self: copy self)
    mutating func readBitString() throws(KeyError) -> [UInt8] {
        let content = try read(DER.Tag.bitString)
        guard content.byteCount > 0, content[byteAt: 0] == 0 else {
            throw .invalidFormat("DER: bit string")
        }
        return [UInt8](copying: content.extracting(droppingFirst: 1))
    }

    /// An object identifier; nil when it is none of ours.
    @_lifetime(self: copy self)
    mutating func readObjectIdentifier() throws(KeyError) -> ObjectIdentifier? {
        ObjectIdentifier(encoding: try read(DER.Tag.objectIdentifier))
    }
}
