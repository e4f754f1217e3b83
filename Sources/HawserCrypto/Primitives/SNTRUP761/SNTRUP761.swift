// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// Streamlined NTRU Prime with p = 761, q = 4591, w = 286: a key encapsulation of NTRU Prime's
/// round 3 submission (2020), as draft-ietf-sshm-ntruprime-ssh uses it.
///
/// Arithmetic on secrets neither branches nor indexes by them.
package enum SNTRUP761 {
    package static let publicKeyBytes = 1158
    package static let ciphertextBytes = 1039
    package static let sharedKeyBytes = 32

    /// A new key pair.
    package static func generate(
        _ random: any RandomSource
    ) -> (publicKey: [UInt8], secretKey: SecretBytes) {
        while true {
            let small = SmallPolynomial.random(random)
            guard let inverse = small.invertedModuloThree() else { continue }
            let short = SmallPolynomial.randomShort(random)
            let scaled = ModularPolynomial.reciprocalOfTriple(short)
            let publicKey = scaled.multiplied(by: small).encoded()
            var rejection = [UInt8](repeating: 0, count: SmallPolynomial.encodedBytes)
            var rejectionBytes = rejection.mutableRawBytes
            random.fill(&rejectionBytes)
            return (
                publicKey,
                SecretBytes(short.encoded() + inverse.encoded() + rejection + publicKey)
            )
        }
    }

    /// A fresh shared key and the ciphertext that carries it to the owner of `publicKey`.
    /// Throws `CryptoError.badParameter` when the key has another length than `publicKeyBytes`.
    package static func encapsulate(
        publicKey: [UInt8],
        _ random: any RandomSource
    ) throws(CryptoError) -> (ciphertext: [UInt8], sharedKey: SecretBytes) {
        guard publicKey.count == publicKeyBytes else {
            throw .badParameter("sntrup761 public key has \(publicKey.count) bytes")
        }
        let short = SmallPolynomial.randomShort(random)
        let (ciphertext, plain) = hide(short, publicKey)
        return (ciphertext, SecretBytes(sessionHash(1, plain, ciphertext)))
    }

    /// The shared key in `ciphertext`. A ciphertext that no encapsulation made gives a key that
    /// nobody knows, as the KEM demands, and no error. Throws `CryptoError.badParameter` when the
    /// ciphertext has another length than `ciphertextBytes`.
    package static func decapsulate(
        _ ciphertext: [UInt8],
        secretKey: SecretBytes
    ) throws(CryptoError) -> SecretBytes {
        guard ciphertext.count == ciphertextBytes else {
            throw .badParameter("sntrup761 ciphertext has \(ciphertext.count) bytes")
        }
        let small = SmallPolynomial.encodedBytes
        var secret = secretKey.exposed
        defer { secret.wipe() }
        let short = SmallPolynomial(encoded: Array(secret[0..<small]))
        let inverse = SmallPolynomial(encoded: Array(secret[small..<2 * small]))
        let rejection = Array(secret[2 * small..<3 * small])
        let publicKey = Array(secret[(3 * small)...])

        let rounded = ModularPolynomial(
            roundedEncoding: Array(ciphertext[0..<ModularPolynomial.roundedBytes])
        )
        let product = rounded.multiplied(by: short).tripled().modulo3().multiplied(by: inverse)
        let (again, plain) = hide(product.shortOrDefault(), publicKey)
        let same = ConstantTime.equal(again, ciphertext)
        let mask: UInt8 = same ? 0xff : 0
        let input = zip(plain, rejection).map { ($0 & mask) | ($1 & ~mask) }
        return SecretBytes(sessionHash(mask & 1, input, ciphertext))
    }

    /// The ciphertext of `short`: rounded product, then the confirmation; and `short` encoded.
    private static func hide(
        _ short: SmallPolynomial,
        _ publicKey: [UInt8]
    ) -> (ciphertext: [UInt8], plain: [UInt8]) {
        let product = ModularPolynomial(encoding: publicKey).multiplied(by: short)
        let plain = short.encoded()
        let confirmation = hash(2, hash(3, plain) + hash(4, publicKey))
        return (product.rounded().roundedEncoding() + confirmation, plain)
    }

    private static func sessionHash(
        _ prefix: UInt8,
        _ plain: [UInt8],
        _ ciphertext: [UInt8]
    ) -> [UInt8] {
        hash(prefix, hash(3, plain) + ciphertext)
    }

    /// The first half of SHA-512 over a prefix byte and `bytes`.
    private static func hash(_ prefix: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let input = [prefix] + bytes
        var digest = [UInt8](repeating: 0, count: 64)
        // SAFETY: reads `count` bytes, writes 64.
        _ = unsafe CCryptoBoringSSL_SHA512(input, input.count, &digest)
        return Array(digest[0..<32])
    }
}
