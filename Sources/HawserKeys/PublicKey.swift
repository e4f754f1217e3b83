// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserWire

/// A public key, or a certificate around one: RFC 4253 §6.6 and what followed it.
package struct PublicKey: Sendable {
    /// The numbers of a public key.
    package enum Material: Hashable, Sendable {
        /// RFC 8709: 32 bytes.
        case ed25519([UInt8])
        /// RFC 4253 §6.6: magnitudes, big-endian.
        case rsa(exponent: [UInt8], modulus: [UInt8])
        /// RFC 5656 §3.1: the uncompressed point.
        case ecdsa(NISTCurve, point: [UInt8])
        /// draft-miller-sshm-mldsa44-ed25519-composite-sigs: ML-DSA-44 key, then Ed25519 key.
        case mldsa44Ed25519([UInt8])
        /// RFC 4253 §6.6: magnitudes, big-endian.
        case dsa(p: [UInt8], q: [UInt8], g: [UInt8], y: [UInt8])
        /// PROTOCOL.u2f: an Ed25519 key that a token holds.
        case securityKeyEd25519([UInt8], application: [UInt8])
        /// PROTOCOL.u2f: a key on nistp256 that a token holds.
        case securityKeyECDSA(point: [UInt8], application: [UInt8])
    }

    package let material: Material
    /// What certifies the key, when this is a certificate.
    package let certificate: Certificate?
    /// The key (or certificate) as it travels: a name, then its fields.
    package let blob: [UInt8]

    /// A plain key from its numbers, as they come from a private key or another format.
    package init(_ material: Material) throws(KeyError) {
        try Self.check(material)
        self.init(checked: material)
    }

    /// Reads a key or certificate blob. Throws unless it is complete, in canonical form and of a
    /// type that we know; the signature of a certificate is not checked here.
    package init(blob: RawSpan) throws(KeyError) {
        guard blob.byteCount <= Self.maximumBlobBytes else { throw .invalidFormat("too long") }
        var reader = WireReader(blob)
        let name = try reader.keyText(limit: 256)
        guard let type = KeyType(name: name) else { throw .unknownType(name) }
        var nonce: [UInt8] = []
        if type.isCertificate { nonce = try reader.keyBytes() }
        let material = try Self.readMaterial(of: type.plain, from: &reader)
        try Self.check(material)
        var certificate: Certificate?
        if type.isCertificate {
            certificate = try Certificate(nonce: nonce, from: &reader, of: blob)
        }
        try reader.keyEnd()
        self.material = material
        self.certificate = certificate
        self.blob = [UInt8](copying: blob)
    }

    /// Reads a key or certificate blob, as `init(blob: RawSpan)`.
    package init(blob: [UInt8]) throws(KeyError) {
        try self.init(blob: blob.rawBytes)
    }

    init(checked material: Material) {
        self.material = material
        certificate = nil
        var writer = WireWriter(reserving: 128)
        writer.write(text: material.type.name)
        material.write(to: &writer)
        blob = writer.take()
    }

    package var type: KeyType { certificate == nil ? material.type : material.type.certificate }

    /// The key without a certificate around it.
    package var plain: PublicKey { certificate == nil ? self : PublicKey(checked: material) }

    /// The size that people compare: bits of the modulus, of the curve, or 256.
    package var bits: Int {
        switch material {
        case .ed25519, .securityKeyEd25519, .securityKeyECDSA: 256
        case .mldsa44Ed25519: 10752
        case .rsa(_, let modulus): Magnitude.bits(modulus)
        case .dsa(let p, _, _, _): Magnitude.bits(p)
        case .ecdsa(let curve, _): curve.bits
        }
    }

    /// The longest blob that is read, in bytes: a certificate with a great many principals.
    package static let maximumBlobBytes = 256 * 1024

    /// The shortest RSA modulus that is used unless a caller says otherwise, in bits.
    package static let minimumRSABits = 1024

    /// The longest RSA modulus that is used, in bits: verification time grows with its square.
    package static let maximumRSABits = 16384

    private static func readMaterial(
        of type: KeyType,
        from reader: inout WireReader
    ) throws(KeyError) -> Material {
        switch type {
        case .ed25519:
            return .ed25519(try reader.keyBytes())
        case .rsa:
            let exponent = try reader.keyNumber()
            return .rsa(exponent: exponent, modulus: try reader.keyNumber())
        case .mldsa44Ed25519:
            return .mldsa44Ed25519(try reader.keyBytes())
        case .dsa:
            let p = try reader.keyNumber()
            let q = try reader.keyNumber()
            let g = try reader.keyNumber()
            return .dsa(p: p, q: q, g: g, y: try reader.keyNumber())
        case .securityKeyEd25519:
            let key = try reader.keyBytes()
            return .securityKeyEd25519(key, application: try reader.keyBytes())
        case .securityKeyECDSA:
            guard try reader.keyText() == NISTCurve.p256.rawValue else { throw .typeMismatch }
            let point = try reader.keyBytes()
            return .securityKeyECDSA(point: point, application: try reader.keyBytes())
        default:
            guard let curve = type.curve else { throw .unknownType(type.name) }
            guard try reader.keyText() == curve.rawValue else { throw .typeMismatch }
            return .ecdsa(curve, point: try reader.keyBytes())
        }
    }

    /// What can be said of the numbers without cryptography; points are checked to be on their curve.
    private static func check(_ material: Material) throws(KeyError) {
        switch material {
        case .ed25519(let key), .securityKeyEd25519(let key, _):
            guard key.count == 32 else { throw .invalidFormat("length of an Ed25519 key") }
        case .mldsa44Ed25519(let key):
            guard key.count == CompositeKey.publicBytes else {
                throw .invalidFormat("length of a composite key")
            }
        case .rsa(let exponent, let modulus):
            let bits = Magnitude.bits(modulus)
            guard bits <= maximumRSABits, bits >= 512 else { throw .invalidKeyLength(bits: bits) }
            guard modulus.last.map({ $0 & 1 == 1 }) == true,
                exponent.last.map({ $0 & 1 == 1 }) == true,
                Magnitude.bits(exponent) > 1, exponent.count <= modulus.count
            else { throw .invalidKey("RSA exponent or modulus") }
        case .ecdsa(let curve, let point):
            guard point.count == curve.pointBytes, curve.isValid(point: point) else {
                throw .invalidFormat("elliptic curve point")
            }
        case .securityKeyECDSA(let point, _):
            guard point.count == NISTCurve.p256.pointBytes,
                NISTCurve.p256.isValid(point: point)
            else {
                throw .invalidFormat("elliptic curve point")
            }
        case .dsa(let p, let q, let g, let y):
            guard Magnitude.bits(p) == 1024, Magnitude.bits(q) == 160 else {
                throw .invalidKeyLength(bits: Magnitude.bits(p))
            }
            guard Magnitude.isLess(g, p), Magnitude.isLess(y, p), g != [1], !g.isEmpty, !y.isEmpty
            else { throw .invalidKey("DSA numbers") }
        }
    }
}

extension PublicKey: Hashable {
    /// The same type and the same numbers; for certificates the same certificate.
    package static func == (first: PublicKey, second: PublicKey) -> Bool {
        first.blob == second.blob
    }

    package func hash(into hasher: inout Swift.Hasher) {
        hasher.combine(blob)
    }
}

extension PublicKey.Material {
    /// The plain type of such a key.
    package var type: KeyType {
        switch self {
        case .ed25519: .ed25519
        case .rsa: .rsa
        case .ecdsa(let curve, _): KeyType(ecdsa: curve)
        case .mldsa44Ed25519: .mldsa44Ed25519
        case .dsa: .dsa
        case .securityKeyEd25519: .securityKeyEd25519
        case .securityKeyECDSA: .securityKeyECDSA
        }
    }

    /// Appends the fields that follow the name (in a certificate, the nonce) in a blob.
    func write(to writer: inout WireWriter) {
        switch self {
        case .ed25519(let key), .mldsa44Ed25519(let key):
            writer.write(string: key)
        case .rsa(let exponent, let modulus):
            writer.write(multiplePrecision: exponent)
            writer.write(multiplePrecision: modulus)
        case .ecdsa(let curve, let point):
            writer.write(text: curve.rawValue)
            writer.write(string: point)
        case .dsa(let p, let q, let g, let y):
            for number in [p, q, g, y] { writer.write(multiplePrecision: number) }
        case .securityKeyEd25519(let key, let application):
            writer.write(string: key)
            writer.write(string: application)
        case .securityKeyECDSA(let point, let application):
            writer.write(text: NISTCurve.p256.rawValue)
            writer.write(string: point)
            writer.write(string: application)
        }
    }
}
