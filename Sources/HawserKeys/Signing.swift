// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The values inside signature blobs, from and to the raw numbers that HawserCrypto works on.
enum Signing {
    static func verify(
        _ signature: Signature,
        over message: RawSpan,
        with key: PublicKey.Material
    ) throws(KeyError) -> Bool {
        let value = signature.value
        switch key {
        case .ed25519(let publicKey):
            return Ed25519.verify(value, over: message, publicKey: publicKey)
        case .mldsa44Ed25519(let publicKey):
            return CompositeKey.verify(value, over: message, publicKey: publicKey)
        case .rsa(let exponent, let modulus):
            guard let hash = signature.algorithm.rsaHash else { throw .typeMismatch }
            guard value.count <= modulus.count else { throw .invalidFormat("RSA signature") }
            let numbers = RSA.PublicNumbers(modulus: modulus, exponent: exponent)
            return RSA.verify(value, over: message, hash: hash, key: numbers)
        case .ecdsa(let curve, let point):
            let (r, s) = try ecdsaNumbers(value)
            return curve.verify(r: r, s: s, over: message, point: point)
        case .dsa(let p, let q, let g, let y):
            guard value.count == dsaBytes else { throw .invalidFormat("DSA signature") }
            let numbers = DSA.PublicNumbers(prime: p, subprime: q, generator: g, publicValue: y)
            return DSA.verify(
                r: Array(value.prefix(dsaBytes / 2)),
                s: Array(value.suffix(dsaBytes / 2)),
                over: message,
                key: numbers
            )
        case .securityKeyEd25519(let publicKey, let application):
            let signed = try securityKeyMessage(signature, application, message)
            return Ed25519.verify(value, over: signed.rawBytes, publicKey: publicKey)
        case .securityKeyECDSA(let point, let application):
            let signed = try securityKeyMessage(signature, application, message)
            let (r, s) = try ecdsaNumbers(value)
            return NISTCurve.p256.verify(r: r, s: s, over: signed.rawBytes, point: point)
        }
    }

    static func sign(
        _ message: RawSpan,
        with key: PrivateKey,
        algorithm: SignatureAlgorithm
    ) throws(KeyError) -> [UInt8] {
        do {
            switch key.material {
            case .ed25519(let seed):
                return try Ed25519.sign(message, seed: seed)
            case .mldsa44Ed25519(let seeds):
                return try CompositeKey.sign(message, seeds: seeds)
            case .rsa(let numbers):
                guard let hash = algorithm.rsaHash else { throw KeyError.typeMismatch }
                return try RSA.sign(message, hash: hash, key: numbers)
            case .ecdsa(let curve, let scalar):
                let (r, s) = try curve.sign(message, scalar: scalar)
                var writer = WireWriter(reserving: 160)
                writer.write(multiplePrecision: r)
                writer.write(multiplePrecision: s)
                return writer.take()
            case .dsa(let x):
                guard case .dsa(let p, let q, let g, let y) = key.publicKey.material else {
                    throw KeyError.typeMismatch
                }
                let numbers = DSA.PublicNumbers(
                    prime: p,
                    subprime: q,
                    generator: g,
                    publicValue: y
                )
                let (r, s) = try DSA.sign(message, key: numbers, privateValue: x)
                guard let first = Magnitude.padded(r, to: dsaBytes / 2),
                    let second = Magnitude.padded(s, to: dsaBytes / 2)
                else { throw KeyError.cryptography("DSA signature") }
                return first + second
            case .securityKey:
                throw KeyError.unsupported("security keys are not supported")
            }
        } catch let error as CryptoError {
            throw KeyError(error)
        } catch let error as KeyError {
            throw error
        } catch {
            throw KeyError.cryptography("\(error)")
        }
    }

    /// Two `mpint`s, RFC 5656 §3.1.2.
    private static func ecdsaNumbers(
        _ value: [UInt8]
    ) throws(KeyError) -> (r: [UInt8], s: [UInt8]) {
        var reader = WireReader(value.rawBytes)
        let r = try reader.keyNumber()
        let s = try reader.keyNumber()
        try reader.keyEnd()
        return (r, s)
    }

    /// What a token signs instead of the message, PROTOCOL.u2f "SSH U2F Signatures".
    private static func securityKeyMessage(
        _ signature: Signature,
        _ application: [UInt8],
        _ message: RawSpan
    ) throws(KeyError) -> [UInt8] {
        guard let details = signature.securityKey else { throw .invalidFormat("no flags") }
        var writer = WireWriter(reserving: 80)
        writer.write(fixed: HashAlgorithm.sha256.hash(application))
        writer.write(byte: details.flags)
        writer.write(uint32: details.counter)
        if let webAuthn = signature.webAuthn {
            guard webAuthn.isAbout(message) else { throw .badSignature }
            writer.write(fixed: webAuthn.extensions)
            writer.write(fixed: HashAlgorithm.sha256.hash(webAuthn.clientData))
        } else {
            writer.write(fixed: HashAlgorithm.sha256.hash(message))
        }
        return writer.take()
    }

    /// r and s in 20 bytes each, RFC 4253 §6.6.
    private static let dsaBytes = 40
}

extension SignatureAlgorithm {
    fileprivate var rsaHash: HashAlgorithm? {
        switch self {
        case .rsaSHA512: .sha512
        case .rsaSHA256: .sha256
        case .rsaSHA1: .sha1
        default: nil
        }
    }
}
