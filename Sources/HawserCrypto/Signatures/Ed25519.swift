// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// Ed25519 (RFC 8032).
package enum Ed25519 {
    package static let seedBytes = 32
    package static let publicKeyBytes = 32
    package static let signatureBytes = 64

    /// The public key of a 32-byte seed.
    package static func publicKey(seed: SecretBytes) throws(CryptoError) -> [UInt8] {
        var secret = try expanded(seed)
        defer { secret.wipe() }
        return Array(secret[32...])
    }

    package static func sign(_ message: RawSpan, seed: SecretBytes) throws(CryptoError) -> [UInt8] {
        var secret = try expanded(seed)
        defer { secret.wipe() }
        var signature = [UInt8](repeating: 0, count: signatureBytes)
        let signed = unsafe message.withUnsafeBytes { bytes in
            // SAFETY: reads the message and 64 bytes of key, writes 64 bytes.
            unsafe CCryptoBoringSSL_ED25519_sign(
                &signature,
                bytes.bindMemory(to: UInt8.self).baseAddress,
                bytes.count,
                secret
            )
        }
        guard signed == 1 else { throw .badKey("Ed25519") }
        return signature
    }

    package static func verify(
        _ signature: [UInt8],
        over message: RawSpan,
        publicKey: [UInt8]
    ) -> Bool {
        guard signature.count == signatureBytes, publicKey.count == publicKeyBytes else {
            return false
        }
        return unsafe message.withUnsafeBytes { bytes in
            // SAFETY: reads the message, 64 bytes of signature and 32 of key.
            unsafe CCryptoBoringSSL_ED25519_verify(
                bytes.bindMemory(to: UInt8.self).baseAddress,
                bytes.count,
                signature,
                publicKey
            )
                == 1
        }
    }

    /// Seed and public key, as BoringSSL wants a private key.
    private static func expanded(_ seed: SecretBytes) throws(CryptoError) -> [UInt8] {
        guard seed.count == seedBytes else { throw .badKey("Ed25519 seed of \(seed.count) bytes") }
        var publicKey = [UInt8](repeating: 0, count: 32)
        var secret = [UInt8](repeating: 0, count: 64)
        var seed = seed.exposed
        defer { seed.wipe() }
        // SAFETY: reads 32 bytes, writes 32 and 64.
        unsafe CCryptoBoringSSL_ED25519_keypair_from_seed(&publicKey, &secret, seed)
        return secret
    }
}
