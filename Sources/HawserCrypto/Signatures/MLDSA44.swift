// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// ML-DSA-44 (FIPS 204), keys as 32-byte seeds.
package enum MLDSA44 {
    package static let seedBytes = 32
    package static let publicKeyBytes = 1312
    package static let signatureBytes = 2420

    /// The encoded public key of a seed.
    package static func publicKey(seed: SecretBytes) throws(CryptoError) -> [UInt8] {
        var privateKey = try expanded(seed)
        defer { wipe(&privateKey) }
        var publicKey = MLDSA44_public_key()
        var bytes = [UInt8](repeating: 0, count: publicKeyBytes)
        var builder = unsafe CBB()
        // SAFETY: the builder writes at most `publicKeyBytes` into `bytes`.
        let done = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            unsafe CCryptoBoringSSL_MLDSA44_public_from_private(&publicKey, &privateKey) == 1
                && CCryptoBoringSSL_CBB_init_fixed(&builder, buffer.baseAddress, buffer.count) == 1
                && CCryptoBoringSSL_MLDSA44_marshal_public_key(&builder, &publicKey) == 1
        }
        guard done else { throw .badKey("ML-DSA-44") }
        return bytes
    }

    /// A hedged signature of `message` in `context`, at most 255 bytes.
    package static func sign(
        _ message: RawSpan,
        context: [UInt8],
        seed: SecretBytes
    ) throws(CryptoError) -> [UInt8] {
        var privateKey = try expanded(seed)
        defer { wipe(&privateKey) }
        var signature = [UInt8](repeating: 0, count: signatureBytes)
        let signed = unsafe message.withUnsafeBytes { bytes in
            // SAFETY: reads message and context, writes `signatureBytes`.
            unsafe CCryptoBoringSSL_MLDSA44_sign(
                &signature,
                &privateKey,
                bytes.bindMemory(to: UInt8.self).baseAddress,
                bytes.count,
                context,
                context.count
            )
        }
        guard signed == 1 else { throw .badKey("ML-DSA-44") }
        return signature
    }

    package static func verify(
        _ signature: [UInt8],
        over message: RawSpan,
        context: [UInt8],
        publicKey: [UInt8]
    ) -> Bool {
        guard signature.count == signatureBytes, publicKey.count == publicKeyBytes else {
            return false
        }
        var parsed = MLDSA44_public_key()
        let readable = unsafe publicKey.withUnsafeBufferPointer { buffer in
            var reader = unsafe CBS()
            // SAFETY: reads `count` bytes.
            unsafe CCryptoBoringSSL_CBS_init(&reader, buffer.baseAddress, buffer.count)
            return unsafe CCryptoBoringSSL_MLDSA44_parse_public_key(&parsed, &reader) == 1
        }
        guard readable else { return false }
        return unsafe message.withUnsafeBytes { bytes in
            // SAFETY: reads message, signature and context.
            unsafe CCryptoBoringSSL_MLDSA44_verify(
                &parsed,
                signature,
                signature.count,
                bytes.bindMemory(to: UInt8.self).baseAddress,
                bytes.count,
                context,
                context.count
            )
                == 1
        }
    }

    private static func expanded(_ seed: SecretBytes) throws(CryptoError) -> MLDSA44_private_key {
        var privateKey = MLDSA44_private_key()
        var bytes = seed.exposed
        defer { bytes.wipe() }
        // SAFETY: reads the seed.
        guard
            unsafe CCryptoBoringSSL_MLDSA44_private_key_from_seed(&privateKey, bytes, bytes.count)
                == 1
        else { throw .badKey("ML-DSA-44 seed of \(bytes.count) bytes") }
        return privateKey
    }

    private static func wipe(_ key: inout MLDSA44_private_key) {
        // SAFETY: the size of the value itself.
        unsafe CCryptoBoringSSL_OPENSSL_cleanse(&key, MemoryLayout<MLDSA44_private_key>.size)
    }
}
