// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// What ties the two halves of a key together.
enum KeyPair {
    /// Throws unless `material` is the private half of `key`, as far as that can be told cheaply.
    static func check(_ key: PublicKey, _ material: PrivateKey.Material) throws(KeyError) {
        let matches: Bool
        switch (key.material, material) {
        case (.ed25519(let bytes), .ed25519(let seed)):
            matches = try bytes == ed25519PublicKey(of: seed)
        case (.mldsa44Ed25519(let bytes), .mldsa44Ed25519(let seeds)):
            matches = try bytes == compositePublicKey(of: seeds)
        case (.rsa(let exponent, let modulus), .rsa(let numbers)):
            matches = rsaFits(exponent: exponent, modulus: modulus, numbers)
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

    /// Whether n = p q and e d = 1 modulo p - 1 and q - 1.
    private static func rsaFits(
        exponent: [UInt8],
        modulus: [UInt8],
        _ numbers: RSAPrivateNumbers
    ) -> Bool {
        let prime1 = numbers.prime1.exposed
        let prime2 = numbers.prime2.exposed
        let secret = numbers.privateExponent.exposed
        guard prime1.count <= modulus.count, prime2.count <= modulus.count,
            secret.count <= modulus.count + 1,
            numbers.coefficient.count <= modulus.count,
            Magnitude.bits(prime1) > 1, Magnitude.bits(prime2) > 1,
            BigNumber.product(prime1, prime2) == Magnitude.stripped(modulus)
        else { return false }
        return [prime1, prime2].allSatisfy { prime in
            let order = BigNumber.decremented(prime)
            let reduced = BigNumber.remainder(secret, order)
            return BigNumber.remainder(BigNumber.product(reduced, exponent), order) == [1]
        }
            && BigNumber.remainder(
                BigNumber.product(numbers.coefficient.exposed, prime2),
                prime1
            ) == [1]
    }

    static func dsaPublicNumber(
        of x: SecretBytes,
        p: [UInt8],
        q: [UInt8],
        g: [UInt8]
    ) throws(KeyError) -> [UInt8] {
        guard Magnitude.bits(p) <= 1024, Magnitude.isLess(g, p), Magnitude.isLess(x.exposed, q),
            Magnitude.bits(q) == 160, !x.isEmpty
        else { throw .invalidKey("DSA numbers") }
        return BigNumber.power(g, x.exposed, p)
    }

    static func ed25519PublicKey(of seed: SecretBytes) throws(KeyError) -> [UInt8] {
        throw .unsupported("not yet")
    }

    static func compositePublicKey(of seeds: SecretBytes) throws(KeyError) -> [UInt8] {
        throw .unsupported("not yet")
    }

    /// The uncompressed point of a scalar of the curve's length.
    static func point(of scalar: SecretBytes, on curve: NamedCurve) throws(KeyError) -> [UInt8] {
        throw .unsupported("not yet")
    }
}
