// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserWire

extension PrivateKey {
    /// What a new key is made of, beside its type.
    package enum NewKey: Sendable {
        case ed25519
        case rsa(bits: Int)
        case ecdsa(NISTCurve)
        case mldsa44Ed25519
    }

    /// Makes a new key.
    package static func generate(
        _ kind: NewKey,
        comment: [UInt8] = [],
        random: any RandomSource
    ) throws(KeyError) -> PrivateKey {
        let (publicKey, material) = try generateNumbers(kind, random)
        return PrivateKey(publicKey: publicKey, material: material, commentBytes: comment)
    }

    private static func generateNumbers(
        _ kind: NewKey,
        _ random: any RandomSource
    ) throws(KeyError) -> (PublicKey, Material) {
        do {
            switch kind {
            case .ed25519:
                let seed = SecretBytes(random.bytes(Ed25519.seedBytes))
                return (
                    try PublicKey(.ed25519(Ed25519.publicKey(seed: seed))), .ed25519(seed: seed)
                )
            case .mldsa44Ed25519:
                let seeds = SecretBytes(random.bytes(CompositeKey.seedBytes))
                let key = try PublicKey(.mldsa44Ed25519(CompositeKey.publicKey(seeds: seeds)))
                return (key, .mldsa44Ed25519(seeds: seeds))
            case .rsa(let bits):
                guard (PublicKey.minimumRSABits...PublicKey.maximumRSABits).contains(bits) else {
                    throw KeyError.invalidKeyLength(bits: bits)
                }
                let numbers = try RSA.generate(bits: bits)
                let (exponent, modulus) = (
                    numbers.publicNumbers.exponent, numbers.publicNumbers.modulus
                )
                return (try PublicKey(.rsa(exponent: exponent, modulus: modulus)), .rsa(numbers))
            case .ecdsa(let curve):
                let (scalar, point) = try curve.generate()
                return (try PublicKey(.ecdsa(curve, point: point)), .ecdsa(curve, scalar: scalar))
            }
        } catch let error as CryptoError {
            throw KeyError(error)
        } catch let error as KeyError {
            throw error
        } catch {
            throw KeyError.cryptography("\(error)")
        }
    }
}
