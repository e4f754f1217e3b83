// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// Private keys in DER: RSAPrivateKey (RFC 8017 §A.1.2), ECPrivateKey (RFC 5915), DSAPrivateKey
/// (OpenSSL's custom), and PrivateKeyInfo around any of them (RFC 5208, RFC 5958).
enum PKCS {
    // MARK: Reading

    static func readRSA(_ body: RawSpan) throws(KeyError) -> PrivateKey {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        guard try reader.readSmallInteger() == 0 else { throw .invalidFormat("RSA version") }
        let modulus = try reader.readInteger()
        let exponent = try reader.readInteger()
        let privateExponent = SecretBytes(try reader.readInteger())
        let prime1 = SecretBytes(try reader.readInteger())
        let prime2 = SecretBytes(try reader.readInteger())
        _ = try reader.readInteger()
        _ = try reader.readInteger()
        let coefficient = SecretBytes(try reader.readInteger())
        try reader.expectEnd()
        let numbers = RSA.PrivateNumbers(
            publicNumbers: RSA.PublicNumbers(modulus: modulus, exponent: exponent),
            privateExponent: privateExponent,
            prime1: prime1,
            prime2: prime2,
            coefficient: coefficient
        )
        return try pair(PublicKey(.rsa(exponent: exponent, modulus: modulus)), .rsa(numbers))
    }

    static func readDSA(_ body: RawSpan) throws(KeyError) -> PrivateKey {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        guard try reader.readSmallInteger() == 0 else { throw .invalidFormat("DSA version") }
        let p = try reader.readInteger()
        let q = try reader.readInteger()
        let g = try reader.readInteger()
        let y = try reader.readInteger()
        let x = SecretBytes(try reader.readInteger())
        try reader.expectEnd()
        return try pair(PublicKey(.dsa(p: p, q: q, g: g, y: y)), .dsa(x: x))
    }

    /// - Parameter outside: the curve that a PrivateKeyInfo names; the inner one may be absent then.
    static func readEC(
        _ body: RawSpan,
        curve outside: NISTCurve? = nil
    ) throws(KeyError) -> PrivateKey {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        guard try reader.readSmallInteger() == 1 else { throw .invalidFormat("EC version") }
        let scalar = try reader.readOctetString()
        var curve = outside
        if reader.nextTag == DER.Tag.context(0) {
            var parameters = DERReader(try reader.read(DER.Tag.context(0)))
            guard let inside = try parameters.readObjectIdentifier()?.curve,
                outside == nil || outside == inside
            else { throw .unsupported("unsupported elliptic curve") }
            curve = inside
        }
        guard let curve else { throw .invalidFormat("no curve") }
        guard let padded = Magnitude.padded(scalar, to: curve.fieldBytes) else {
            throw .invalidFormat("scalar")
        }
        let secret = SecretBytes(padded)
        var point = try KeyPair.point(of: secret, on: curve)
        if reader.nextTag == DER.Tag.context(1) {
            var wrapped = DERReader(try reader.read(DER.Tag.context(1)))
            let given = try wrapped.readBitString()
            if given.first == 4 { point = given }
        }
        try reader.expectEnd()
        return try pair(PublicKey(.ecdsa(curve, point: point)), .ecdsa(curve, scalar: secret))
    }

    static func readPrivateKeyInfo(_ body: RawSpan) throws(KeyError) -> PrivateKey {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        guard try reader.readSmallInteger() <= 1 else { throw .invalidFormat("PKCS#8 version") }
        var algorithm = try reader.readSequence()
        let identifier = try algorithm.readObjectIdentifier()
        let content = SecretBytes(try reader.readOctetString())
        switch identifier {
        case .rsaEncryption: return try readRSA(content.bytes)
        case .ecPublicKey:
            guard let curve = try algorithm.readObjectIdentifier()?.curve else {
                throw .unsupported("unsupported elliptic curve")
            }
            return try readEC(content.bytes, curve: curve)
        case .ed25519:
            var inner = DERReader(content.bytes)
            let seed = SecretBytes(try inner.readOctetString())
            try inner.expectEnd()
            guard seed.count == 32 else { throw .invalidFormat("Ed25519 seed") }
            let key = try PublicKey(.ed25519(KeyPair.ed25519PublicKey(of: seed)))
            return try pair(key, .ed25519(seed: seed))
        case .dsa:
            var parameters = try algorithm.readSequence()
            let p = try parameters.readInteger()
            let q = try parameters.readInteger()
            let g = try parameters.readInteger()
            var inner = DERReader(content.bytes)
            let x = SecretBytes(try inner.readInteger())
            try inner.expectEnd()
            let y = try KeyPair.dsaPublicNumber(of: x, p: p, q: q, g: g)
            return try pair(PublicKey(.dsa(p: p, q: q, g: g, y: y)), .dsa(x: x))
        default:
            throw .unsupported("unknown or unsupported key type")
        }
    }

    private static func pair(
        _ key: PublicKey,
        _ material: PrivateKey.Material
    ) throws(KeyError) -> PrivateKey {
        try KeyPair.check(key, material)
        return PrivateKey(publicKey: key, material: material)
    }

    // MARK: Writing

    /// The traditional form and the label that goes with it; nil for types that have none.
    static func traditional(_ key: PrivateKey) -> (label: String, body: [UInt8])? {
        switch (key.publicKey.material, key.material) {
        case (.rsa(let exponent, let modulus), .rsa(let numbers)):
            ("RSA PRIVATE KEY", rsa(exponent: exponent, modulus: modulus, numbers))
        case (.ecdsa(let curve, let point), .ecdsa(_, let scalar)):
            ("EC PRIVATE KEY", ec(curve, point: point, scalar, namesCurve: true))
        case (.dsa(let p, let q, let g, let y), .dsa(let x)):
            (
                "DSA PRIVATE KEY",
                DER.sequence(
                    DER.integer(0),
                    DER.integer(p),
                    DER.integer(q),
                    DER.integer(g),
                    DER.integer(y),
                    DER.integer(x.exposed)
                )
            )
        default: nil
        }
    }

    /// PrivateKeyInfo; nil for types that have none.
    static func privateKeyInfo(_ key: PrivateKey) -> [UInt8]? {
        let algorithm: [UInt8]
        let content: [UInt8]
        switch (key.publicKey.material, key.material) {
        case (.rsa(let exponent, let modulus), .rsa(let numbers)):
            algorithm = DER.sequence(DER.objectIdentifier(.rsaEncryption), DER.null)
            content = rsa(exponent: exponent, modulus: modulus, numbers)
        case (.ecdsa(let curve, let point), .ecdsa(_, let scalar)):
            algorithm = DER.sequence(
                DER.objectIdentifier(.ecPublicKey),
                DER.objectIdentifier(ObjectIdentifier(curve))
            )
            content = ec(curve, point: point, scalar, namesCurve: false)
        case (.ed25519, .ed25519(let seed)):
            algorithm = DER.sequence(DER.objectIdentifier(.ed25519))
            content = DER.octetString(seed.exposed)
        case (.dsa(let p, let q, let g, _), .dsa(let x)):
            algorithm = DER.sequence(
                DER.objectIdentifier(.dsa),
                DER.sequence(DER.integer(p), DER.integer(q), DER.integer(g))
            )
            content = DER.integer(x.exposed)
        default: return nil
        }
        return DER.sequence(DER.integer(0), algorithm, DER.octetString(content))
    }

    private static func rsa(
        exponent: [UInt8],
        modulus: [UInt8],
        _ numbers: RSA.PrivateNumbers
    ) -> [UInt8] {
        let privateExponent = numbers.privateExponent.exposed
        return DER.sequence(
            DER.integer(0),
            DER.integer(modulus),
            DER.integer(exponent),
            DER.integer(privateExponent),
            DER.integer(numbers.prime1.exposed),
            DER.integer(numbers.prime2.exposed),
            DER.integer(reduced(privateExponent, numbers.prime1)),
            DER.integer(reduced(privateExponent, numbers.prime2)),
            DER.integer(numbers.coefficient.exposed)
        )
    }

    /// The exponent modulo the prime less one.
    private static func reduced(_ exponent: [UInt8], _ prime: SecretBytes) -> [UInt8] {
        let order = BigNumber(prime.exposed).minusOne()
        return BigNumber(exponent).remainder(modulo: order)?.magnitude ?? []
    }

    private static func ec(
        _ curve: NISTCurve,
        point: [UInt8],
        _ scalar: SecretBytes,
        namesCurve: Bool
    ) -> [UInt8] {
        let name = DER.objectIdentifier(ObjectIdentifier(curve))
        return DER.sequence(
            DER.integer(1),
            DER.octetString(scalar.exposed),
            namesCurve ? DER.value(DER.Tag.context(0), name) : [],
            DER.value(DER.Tag.context(1), DER.bitString(point))
        )
    }

    // MARK: Public keys

    /// SubjectPublicKeyInfo (RFC 5280 §4.1); nil for types that have none.
    static func subjectPublicKeyInfo(_ key: PublicKey) -> [UInt8]? {
        switch key.material {
        case .rsa:
            guard let content = rsaPublicKey(key) else { return nil }
            return DER.sequence(
                DER.sequence(DER.objectIdentifier(.rsaEncryption), DER.null),
                DER.bitString(content)
            )
        case .ecdsa(let curve, let point):
            return DER.sequence(
                DER.sequence(
                    DER.objectIdentifier(.ecPublicKey),
                    DER.objectIdentifier(ObjectIdentifier(curve))
                ),
                DER.bitString(point)
            )
        case .ed25519(let bytes):
            return DER.sequence(
                DER.sequence(DER.objectIdentifier(.ed25519)),
                DER.bitString(bytes)
            )
        case .dsa(let p, let q, let g, let y):
            return DER.sequence(
                DER.sequence(
                    DER.objectIdentifier(.dsa),
                    DER.sequence(DER.integer(p), DER.integer(q), DER.integer(g))
                ),
                DER.bitString(DER.integer(y))
            )
        default: return nil
        }
    }

    static func readSubjectPublicKeyInfo(_ body: RawSpan) throws(KeyError) -> PublicKey {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        var algorithm = try reader.readSequence()
        let identifier = try algorithm.readObjectIdentifier()
        let content = try reader.readBitString()
        try reader.expectEnd()
        switch identifier {
        case .rsaEncryption: return try readRSAPublicKey(content.rawBytes)
        case .ecPublicKey:
            guard let curve = try algorithm.readObjectIdentifier()?.curve else {
                throw .unsupported("unsupported elliptic curve")
            }
            return try PublicKey(.ecdsa(curve, point: content))
        case .ed25519: return try PublicKey(.ed25519(content))
        case .dsa:
            var parameters = try algorithm.readSequence()
            let p = try parameters.readInteger()
            let q = try parameters.readInteger()
            let g = try parameters.readInteger()
            var inner = DERReader(content.rawBytes)
            return try PublicKey(.dsa(p: p, q: q, g: g, y: try inner.readInteger()))
        default: throw .unsupported("unknown or unsupported key type")
        }
    }

    /// RSAPublicKey, RFC 8017 §A.1.1; nil for other types.
    static func rsaPublicKey(_ key: PublicKey) -> [UInt8]? {
        guard case .rsa(let exponent, let modulus) = key.material else { return nil }
        return DER.sequence(DER.integer(modulus), DER.integer(exponent))
    }

    static func readRSAPublicKey(_ body: RawSpan) throws(KeyError) -> PublicKey {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        let modulus = try reader.readInteger()
        let exponent = try reader.readInteger()
        try reader.expectEnd()
        return try PublicKey(.rsa(exponent: exponent, modulus: modulus))
    }
}
