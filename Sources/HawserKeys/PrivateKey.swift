// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserWire

/// A private key and the public key that belongs to it.
package final class PrivateKey: Sendable {
    /// The secret numbers of a key.
    package enum Material: Sendable {
        /// RFC 8032: the 32-byte seed.
        case ed25519(seed: SecretBytes)
        case rsa(RSA.PrivateNumbers)
        case ecdsa(NISTCurve, scalar: SecretBytes)
        /// The ML-DSA-44 seed, then the Ed25519 seed, 32 bytes each.
        case mldsa44Ed25519(seeds: SecretBytes)
        case dsa(x: SecretBytes)
        /// PROTOCOL.u2f: what the token needs to find its key.
        case securityKey(flags: UInt8, handle: SecretBytes, reserved: [UInt8])
    }

    /// The plain public key, or the certificate that goes with the private key.
    package let publicKey: PublicKey
    package let material: Material
    /// The comment as it stands in the file, which need not be UTF-8.
    package let commentBytes: [UInt8]

    package init(publicKey: PublicKey, material: Material, commentBytes: [UInt8] = []) {
        self.publicKey = publicKey
        self.material = material
        self.commentBytes = commentBytes
    }

    package var type: KeyType { publicKey.type }

    package var comment: String { String(octets: commentBytes) }

    /// The same key with another comment.
    package func commented(_ comment: [UInt8]) -> PrivateKey {
        PrivateKey(publicKey: publicKey, material: material, commentBytes: comment)
    }

    /// The same key, shown to others as `certificate`. Throws when that is about another key.
    package func certified(by certificate: PublicKey) throws(KeyError) -> PrivateKey {
        guard certificate.plain == publicKey.plain else { throw .typeMismatch }
        return PrivateKey(
            publicKey: certificate,
            material: material,
            commentBytes: commentBytes
        )
    }
}
