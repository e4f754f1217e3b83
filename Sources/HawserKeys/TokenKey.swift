// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// Keys whose private half stays in a PKCS#11 token: how such a token shows them, and what it is
/// given to sign (PKCS #11 v3.0, "Current Mechanisms").
package enum TokenKey {
    /// RSA: CKA_MODULUS and CKA_PUBLIC_EXPONENT, big-endian.
    package static func rsa(modulus: [UInt8], exponent: [UInt8]) throws(KeyError) -> PublicKey {
        try PublicKey(
            .rsa(exponent: Magnitude.stripped(exponent), modulus: Magnitude.stripped(modulus))
        )
    }

    /// ECDSA: CKA_EC_PARAMS is the object of a named curve, CKA_EC_POINT an octet string that
    /// holds the point; some tokens leave the string away.
    package static func ecdsa(parameters: [UInt8], point: [UInt8]) throws(KeyError) -> PublicKey {
        var reader = DERReader(parameters.rawBytes)
        guard let curve = try reader.readObjectIdentifier()?.curve else {
            throw .unsupported("unsupported elliptic curve")
        }
        return try PublicKey(.ecdsa(curve, point: unwrapped(point)))
    }

    /// Ed25519: as ECDSA, with a point of 32 bytes.
    package static func ed25519(parameters: [UInt8], point: [UInt8]) throws(KeyError) -> PublicKey {
        // Either the object of RFC 8410, or the name as a printable string.
        let name = DER.value(0x13, Array("edwards25519".utf8))
        guard parameters == name || parameters == DER.objectIdentifier(.ed25519) else {
            throw .unsupported("unsupported elliptic curve")
        }
        return try PublicKey(.ed25519(unwrapped(point)))
    }

    /// The key that an X.509 certificate (CKA_VALUE) is about; RFC 5280 §4.1. Nothing else in it
    /// is looked at.
    package static func certified(by certificate: [UInt8]) throws(KeyError) -> PublicKey {
        var outer = DERReader(certificate.rawBytes)
        var whole = try outer.readSequence()
        var fields = try whole.readSequence()
        if fields.nextTag == DER.Tag.context(0) { _ = try fields.read(DER.Tag.context(0)) }
        _ = try fields.read(DER.Tag.integer)  // serialNumber
        // signature, issuer, validity, subject
        for _ in 0..<4 { _ = try fields.readSequence() }
        let key = DER.value(DER.Tag.sequence, [UInt8](copying: try fields.read(DER.Tag.sequence)))
        return try PKCS.readSubjectPublicKeyInfo(key.rawBytes)
    }

    private static func unwrapped(_ point: [UInt8]) -> [UInt8] {
        var reader = DERReader(point.rawBytes)
        if let content = try? reader.readOctetString(), (try? reader.expectEnd()) != nil {
            return content
        }
        return point
    }

    // MARK: Signatures

    /// What a token does with its key.
    package enum Mechanism: Sendable {
        /// CKM_RSA_PKCS: over a DigestInfo.
        case rsa
        /// CKM_ECDSA: over a hash; r and s come back in half the bytes each.
        case ecdsa
        /// CKM_EDDSA: over the message itself.
        case eddsa
    }

    /// What the token must sign, and how, for a signature of `message` by `algorithm` (nil: the
    /// key's preferred one).
    package static func request(
        _ message: RawSpan,
        key: PublicKey,
        algorithm name: String?
    ) throws(KeyError) -> (mechanism: Mechanism, input: [UInt8], algorithm: SignatureAlgorithm) {
        var algorithm = key.type.signatureAlgorithms.first
        if let name { algorithm = PublicKeyAlgorithm(name: name)?.signature }
        guard let algorithm, key.type.signatureAlgorithms.contains(algorithm) else {
            throw .algorithmNotAllowed(name ?? key.type.name)
        }
        switch (key.material, algorithm) {
        case (.rsa, .rsaSHA512):
            return (.rsa, digestInfo(.sha512, message), algorithm)
        case (.rsa, .rsaSHA256):
            return (.rsa, digestInfo(.sha256, message), algorithm)
        case (.rsa, .rsaSHA1):
            return (.rsa, digestInfo(.sha1, message), algorithm)
        case (.ecdsa(let curve, _), _):
            return (.ecdsa, curve.hash.hash(message), algorithm)
        case (.ed25519, _):
            return (.eddsa, [UInt8](copying: message), algorithm)
        default: throw .unsupported("this type of key cannot be in a token")
        }
    }

    /// The signature blob for what a token gave back.
    package static func signature(
        _ value: [UInt8],
        key: PublicKey,
        algorithm: SignatureAlgorithm
    ) throws(KeyError) -> [UInt8] {
        switch key.material {
        case .rsa(_, let modulus):
            guard let padded = Magnitude.padded(value, to: modulus.count) else {
                throw .invalidFormat("RSA signature")
            }
            return Signature.encode(algorithm, value: padded)
        case .ecdsa(let curve, _):
            guard value.count == 2 * curve.fieldBytes else {
                throw .invalidFormat("ECDSA signature")
            }
            var writer = WireWriter(reserving: 160)
            writer.write(multiplePrecision: Array(value.prefix(curve.fieldBytes)))
            writer.write(multiplePrecision: Array(value.suffix(curve.fieldBytes)))
            return Signature.encode(algorithm, value: writer.take())
        default:
            guard value.count == 64 else { throw .invalidFormat("Ed25519 signature") }
            return Signature.encode(algorithm, value: value)
        }
    }

    // MARK: ssh-pkcs11-helper

    /// A signature that ssh-pkcs11-helper makes. As with OpenSSH's helper, which either suite's
    /// programs may use, it gets what the token signs, and answers with what the token gave, for
    /// ECDSA in DER.
    package struct Pending: Sendable {
        /// What the helper is to sign.
        package let input: [UInt8]
        private let message: [UInt8]
        private let key: PublicKey
        private let algorithm: SignatureAlgorithm

        /// A signature of `message` by a plain key and `algorithm`, or the key's preferred one.
        package init(
            _ message: [UInt8],
            key: PublicKey,
            algorithm name: String?
        ) throws(KeyError) {
            let request = try TokenKey.request(message.rawBytes, key: key, algorithm: name)
            input = request.input
            algorithm = request.algorithm
            self.message = message
            self.key = key
        }

        /// The signature blob for the helper's answer; a token that signs wrongly is found out here.
        package func signature(_ answer: [UInt8]) throws(KeyError) -> [UInt8] {
            var value = answer
            if case .ecdsa(let curve, _) = key.material {
                let numbers = try SecurityKey.ecdsaNumbers(answer)
                guard let r = Magnitude.padded(numbers.r, to: curve.fieldBytes),
                    let s = Magnitude.padded(numbers.s, to: curve.fieldBytes)
                else { throw .invalidFormat("ECDSA signature") }
                value = r + s
            }
            let blob = try TokenKey.signature(value, key: key, algorithm: algorithm)
            try key.verify(
                signature: blob,
                over: message.rawBytes,
                allowing: [algorithm.name]
            )
            return blob
        }
    }

    /// How the helper lets a token sign with a key.
    package static func mechanism(of key: PublicKey) -> Mechanism? {
        switch key.material {
        case .rsa: .rsa
        case .ecdsa: .ecdsa
        case .ed25519: .eddsa
        default: nil
        }
    }

    /// What the helper answers for a token's value.
    package static func helperAnswer(_ value: [UInt8], key: PublicKey) -> [UInt8] {
        guard case .ecdsa(let curve, _) = key.material, value.count == 2 * curve.fieldBytes else {
            return value
        }
        return DER.sequence(
            DER.integer(Array(value.prefix(curve.fieldBytes))),
            DER.integer(Array(value.suffix(curve.fieldBytes)))
        )
    }

    /// RFC 8017 §9.2: the DER of a hash and its algorithm, which is the same up to the hash.
    private static func digestInfo(_ hash: HashAlgorithm, _ message: RawSpan) -> [UInt8] {
        let object: [UInt8] =
            switch hash {
            case .sha1: [0x2b, 0x0e, 3, 2, 0x1a]
            case .sha512: [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3]
            default: [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]
            }
        return DER.sequence(
            DER.sequence(DER.value(DER.Tag.objectIdentifier, object), DER.null),
            DER.octetString(hash.hash(message))
        )
    }
}
