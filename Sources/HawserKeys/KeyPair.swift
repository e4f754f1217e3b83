// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// What ties the two halves of a key together.
enum KeyPair {
    /// Throws unless `material` is the private half of `key`.
    static func check(_ key: PublicKey, _ material: PrivateKey.Material) throws(KeyError) {
        let matches: Bool
        switch (key.material, material) {
        case (.ed25519(let bytes), .ed25519(let seed)):
            matches = try bytes == ed25519PublicKey(of: seed)
        case (.mldsa44Ed25519(let bytes), .mldsa44Ed25519(let seeds)):
            matches = try bytes == CompositeKey.publicKey(seeds: seeds)
        case (.rsa(_, let modulus), .rsa(let numbers)):
            let longest = modulus.count + 1
            matches =
                [numbers.prime1, numbers.prime2, numbers.privateExponent, numbers.coefficient]
                .allSatisfy { $0.count <= longest } && RSA.isConsistent(numbers)
        case (.ecdsa(let curve, let point), .ecdsa(_, let scalar)):
            matches = try point == self.point(of: scalar, on: curve)
        case (.dsa(let p, let q, let g, let y), .dsa(let x)):
            matches = try Magnitude.stripped(y) == dsaPublicNumber(of: x, p: p, q: q, g: g)
        case (.securityKeyEd25519, .securityKey), (.securityKeyECDSA, .securityKey):
            matches = true
        default:
            throw .typeMismatch
        }
        guard matches else { throw .invalidKey("the halves of the key differ") }
    }

    /// An RSA key from numbers of another format, with the first pair of primes that they fit.
    static func rsa(
        modulus: [UInt8],
        exponent: [UInt8],
        privateExponent: [UInt8],
        primes: [([UInt8], [UInt8])],
        coefficient: [UInt8]
    ) throws(KeyError) -> PrivateKey {
        let key = try PublicKey(.rsa(exponent: exponent, modulus: modulus))
        for (prime1, prime2) in primes {
            let numbers = RSA.PrivateNumbers(
                publicNumbers: RSA.PublicNumbers(modulus: modulus, exponent: exponent),
                privateExponent: SecretBytes(privateExponent),
                prime1: SecretBytes(prime1),
                prime2: SecretBytes(prime2),
                coefficient: SecretBytes(coefficient)
            )
            if (try? check(key, .rsa(numbers))) != nil {
                return PrivateKey(publicKey: key, material: .rsa(numbers))
            }
        }
        throw .invalidKey("the halves of the key differ")
    }

    static func dsaPublicNumber(
        of x: SecretBytes,
        p: [UInt8],
        q: [UInt8],
        g: [UInt8]
    ) throws(KeyError) -> [UInt8] {
        guard Magnitude.bits(p) == 1024, Magnitude.bits(q) == 160, Magnitude.isLess(x.exposed, q),
            let y = BigNumber(g).power(BigNumber(x.exposed), modulo: BigNumber(p))
        else { throw .invalidKey("DSA numbers") }
        return y.magnitude
    }

    static func ed25519PublicKey(of seed: SecretBytes) throws(KeyError) -> [UInt8] {
        do {
            return try Ed25519.publicKey(seed: seed)
        } catch {
            throw KeyError(error)
        }
    }

    /// The uncompressed point of a scalar of the curve's length.
    static func point(of scalar: SecretBytes, on curve: NISTCurve) throws(KeyError) -> [UInt8] {
        do {
            return try curve.point(scalar: scalar)
        } catch {
            throw KeyError(error)
        }
    }
}

extension KeyError {
    init(_ error: CryptoError) {
        switch error {
        case .badKey(let reason), .badParameter(let reason): self = .invalidKey(reason)
        case .badSignature, .authenticationFailed: self = .badSignature
        case .unsupported(let name): self = .unsupported(name)
        }
    }
}
