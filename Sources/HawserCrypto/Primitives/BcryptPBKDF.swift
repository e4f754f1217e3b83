// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// The key derivation of encrypted private key files: PBKDF2's shape over a bcrypt with SHA-512
/// (bcrypt_pbkdf(3) of OpenBSD; PROTOCOL.key, "kdfname bcrypt").
package enum BcryptPBKDF {
    /// Derives `bytes` bytes. `rounds` is the work factor, 1 or more.
    package static func deriveKey(
        passphrase: [UInt8],
        salt: [UInt8],
        rounds: Int,
        bytes: Int
    ) -> SecretBytes {
        precondition(rounds > 0 && bytes > 0)
        var derived = [UInt8](repeating: 0, count: bytes)
        var hashedPassphrase = bigEndianWords(sha512(passphrase))
        defer { for index in hashedPassphrase.indices { hashedPassphrase[index] = 0 } }

        // The output of each block is spread over the key, so that no part of it is cheaper.
        let stride = (bytes + blockBytes - 1) / blockBytes
        let bytesPerBlock = (bytes + stride - 1) / stride
        var cipher = Blowfish()
        for block in 0..<stride {
            let counter = UInt32(block + 1)
            let suffix = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: counter >> UInt32($0)) }
            var output = bcrypt(&cipher, hashedPassphrase, sha512(salt + suffix))
            var sum = output
            for _ in 1..<rounds {
                output = bcrypt(&cipher, hashedPassphrase, sha512(output))
                for index in sum.indices { sum[index] ^= output[index] }
            }
            for index in 0..<bytesPerBlock where index * stride + block < bytes {
                derived[index * stride + block] = sum[index]
            }
            output.wipe()
            sum.wipe()
        }
        cipher.wipe()
        return SecretBytes(derived)
    }

    private static let blockBytes = 32

    /// One bcrypt of the hashed passphrase with a hashed salt: 32 bytes.
    private static func bcrypt(
        _ cipher: inout Blowfish,
        _ key: [UInt32],
        _ salt: [UInt8]
    ) -> [UInt8] {
        let salt = bigEndianWords(salt)
        cipher.reset()
        cipher.expand(key: key, salt: salt)
        for _ in 0..<64 {
            cipher.expand(key: salt, salt: nil)
            cipher.expand(key: key, salt: nil)
        }
        var text = bigEndianWords(Array("OxychromaticBlowfishSwatDynamite".utf8))
        for _ in 0..<64 { cipher.encrypt(&text) }
        return text.flatMap { word in
            [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
        }
    }

    private static func bigEndianWords(_ bytes: [UInt8]) -> [UInt32] {
        Swift.stride(from: 0, to: bytes.count - 3, by: 4).map {
            bytes.rawBytes.bigEndianUInt32(at: $0)
        }
    }

    private static func sha512(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        // SAFETY: reads `count` bytes, writes 64.
        _ = unsafe CCryptoBoringSSL_SHA512(bytes, bytes.count, &digest)
        return digest
    }
}
