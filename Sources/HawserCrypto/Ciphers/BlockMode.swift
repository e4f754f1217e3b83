// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// AES or Triple DES in counter or CBC mode, going on from one call to the next (RFC 4253 §6.3,
/// RFC 4344 §4).
@safe
final class BlockMode {
    private enum Kind { case aesCounter, aesCBC, tripleDES }

    private let kind: Kind
    private let encrypts: Bool
    private var aes = AES_KEY()
    private var des = (DES_key_schedule(), DES_key_schedule(), DES_key_schedule())
    /// Sixteen bytes: the running counter or the last block of ciphertext.
    private let vector: UnsafeMutablePointer<UInt8>
    private let keystream: UnsafeMutablePointer<UInt8>
    private var keystreamOffset: UInt32 = 0
    private let ivBytes: Int

    init(
        _ cipher: CipherAlgorithm,
        key: SecretBytes,
        iv: [UInt8],
        encrypts: Bool
    ) throws(CryptoError) {
        guard key.count == cipher.keyBytes, iv.count == cipher.ivBytes, !cipher.isAEAD else {
            throw .badKey(cipher.name)
        }
        self.encrypts = encrypts
        ivBytes = iv.count
        kind =
            cipher == .tripleDESCBC ? .tripleDES : cipher.isCBC ? .aesCBC : .aesCounter
        // SAFETY: freed in `deinit`; sixteen bytes each.
        unsafe vector = UnsafeMutablePointer<UInt8>.allocate(capacity: 16)
        unsafe vector.initialize(repeating: 0, count: 16)
        for (index, byte) in iv.enumerated() { unsafe vector[index] = byte }
        unsafe keystream = UnsafeMutablePointer<UInt8>.allocate(capacity: 16)
        unsafe keystream.initialize(repeating: 0, count: 16)
        schedule(key.exposed)
    }

    deinit {
        // SAFETY: all owned by this object alone.
        unsafe CCryptoBoringSSL_OPENSSL_cleanse(&aes, MemoryLayout<AES_KEY>.size)
        unsafe CCryptoBoringSSL_OPENSSL_cleanse(
            &des,
            MemoryLayout<(DES_key_schedule, DES_key_schedule, DES_key_schedule)>.size
        )
        unsafe vector.deallocate()
        unsafe keystream.deallocate()
    }

    /// What the next call starts from.
    var iv: [UInt8] { (0..<ivBytes).map { unsafe vector[$0] } }

    /// Encrypts or decrypts `count` bytes in place, a multiple of the block size.
    func apply(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard count > 0 else { return }
        switch kind {
        case .aesCounter:
            // SAFETY: in place over `count` bytes.
            unsafe CCryptoBoringSSL_AES_ctr128_encrypt(
                bytes,
                bytes,
                count,
                &aes,
                vector,
                keystream,
                &keystreamOffset
            )
        case .aesCBC:
            // SAFETY: in place over `count` bytes, whole blocks.
            unsafe CCryptoBoringSSL_AES_cbc_encrypt(
                bytes,
                bytes,
                count,
                &aes,
                vector,
                encrypts ? 1 : 0
            )
        case .tripleDES:
            // SAFETY: in place over `count` bytes, whole blocks; the vector's first eight bytes.
            unsafe vector.withMemoryRebound(to: DES_cblock.self, capacity: 2) { vector in
                unsafe CCryptoBoringSSL_DES_ede3_cbc_encrypt(
                    bytes,
                    bytes,
                    count,
                    &des.0,
                    &des.1,
                    &des.2,
                    vector,
                    encrypts ? 1 : 0
                )
            }
        }
    }

    private func schedule(_ key: [UInt8]) {
        var key = key
        defer { key.wipe() }
        switch kind {
        case .aesCounter:
            // SAFETY: reads the key.
            _ = unsafe CCryptoBoringSSL_AES_set_encrypt_key(key, UInt32(key.count * 8), &aes)
        case .aesCBC where encrypts:
            _ = unsafe CCryptoBoringSSL_AES_set_encrypt_key(key, UInt32(key.count * 8), &aes)
        case .aesCBC:
            _ = unsafe CCryptoBoringSSL_AES_set_decrypt_key(key, UInt32(key.count * 8), &aes)
        case .tripleDES:
            unsafe key.withUnsafeBytes { bytes in
                // SAFETY: three keys of eight bytes each.
                let blocks = unsafe bytes.bindMemory(to: DES_cblock.self).baseAddress.neverNil
                unsafe CCryptoBoringSSL_DES_set_key(blocks, &des.0)
                unsafe CCryptoBoringSSL_DES_set_key(blocks + 1, &des.1)
                unsafe CCryptoBoringSSL_DES_set_key(blocks + 2, &des.2)
            }
        }
    }
}

extension BlockMode {
    /// `bytes`, whole blocks, encrypted or decrypted.
    func applied(to bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            // SAFETY: in place over the whole array.
            unsafe apply(start, buffer.count)
        }
        return bytes
    }
}
