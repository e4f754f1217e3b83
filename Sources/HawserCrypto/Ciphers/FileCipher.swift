// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// A cipher over a whole text at once, with nothing but the text authenticated: what private key
/// files are encrypted with (PROTOCOL.key, PEM, PKCS #5).
package enum FileCipher {
    /// The encrypted text and its tag, which only the AEAD ciphers have. The length of `clear` is
    /// a multiple of the block size. `iv` is empty for chacha20-poly1305.
    package static func seal(
        _ cipher: CipherAlgorithm,
        key: SecretBytes,
        iv: [UInt8],
        _ clear: [UInt8]
    ) throws(CryptoError) -> (text: [UInt8], tag: [UInt8]) {
        switch cipher {
        case .chaCha20Poly1305:
            let text = try chaCha20(clear, key: key)
            return (text, try poly1305(text, key: key))
        case .aes128GCM, .aes256GCM:
            return try sealGCM(key: key, iv: iv, clear)
        default:
            return (try blocks(cipher, key: key, iv: iv, clear, encrypts: true), [])
        }
    }

    /// The clear text. Throws `.authenticationFailed` where there is a tag and it does not fit.
    package static func open(
        _ cipher: CipherAlgorithm,
        key: SecretBytes,
        iv: [UInt8],
        _ text: [UInt8],
        tag: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        switch cipher {
        case .chaCha20Poly1305:
            guard ConstantTime.equal(try poly1305(text, key: key), tag) else {
                throw .authenticationFailed
            }
            return try chaCha20(text, key: key)
        case .aes128GCM, .aes256GCM:
            return try openGCM(key: key, iv: iv, text, tag: tag)
        default:
            return try blocks(cipher, key: key, iv: iv, text, encrypts: false)
        }
    }

    private static func blocks(
        _ cipher: CipherAlgorithm,
        key: SecretBytes,
        iv: [UInt8],
        _ text: [UInt8],
        encrypts: Bool
    ) throws(CryptoError) -> [UInt8] {
        guard !text.isEmpty, text.count % cipher.blockBytes == 0 else {
            throw .badParameter("text is not whole blocks")
        }
        return try BlockMode(cipher, key: key, iv: iv, encrypts: encrypts).applied(to: text)
    }

    private static let nonce = [UInt8](repeating: 0, count: 12)

    private static func chaCha20(_ text: [UInt8], key: SecretBytes) throws(CryptoError) -> [UInt8] {
        guard key.count == 64 else { throw .badKey("chacha20-poly1305") }
        var result = [UInt8](repeating: 0, count: text.count)
        // SAFETY: `count` bytes in and out, 32 of the 64 key bytes, 12 nonce bytes.
        unsafe CCryptoBoringSSL_CRYPTO_chacha_20(&result, text, text.count, key.exposed, nonce, 1)
        return result
    }

    private static func poly1305(_ text: [UInt8], key: SecretBytes) throws(CryptoError) -> [UInt8] {
        guard key.count == 64 else { throw .badKey("chacha20-poly1305") }
        var once = [UInt8](repeating: 0, count: 32)
        let zeros = once
        var tag = [UInt8](repeating: 0, count: 16)
        // SAFETY: the state is aligned storage of its own size; 32 key bytes, 16 tag bytes.
        unsafe CCryptoBoringSSL_CRYPTO_chacha_20(&once, zeros, 32, key.exposed, nonce, 0)
        let state = unsafe UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<poly1305_state>.size,
            alignment: 64
        ).bindMemory(to: poly1305_state.self, capacity: 1)
        unsafe CCryptoBoringSSL_CRYPTO_poly1305_init(state, once)
        unsafe CCryptoBoringSSL_CRYPTO_poly1305_update(state, text, text.count)
        unsafe CCryptoBoringSSL_CRYPTO_poly1305_finish(state, &tag)
        unsafe UnsafeMutableRawPointer(state).deallocate()
        return tag
    }

    private static func sealGCM(
        key: SecretBytes,
        iv: [UInt8],
        _ clear: [UInt8]
    ) throws(CryptoError) -> (text: [UInt8], tag: [UInt8]) {
        let context = try AEADContext(key: key, iv: iv)
        var sealed = [UInt8](repeating: 0, count: clear.count + 16)
        var sealedBytes = 0
        // SAFETY: writes at most `sealed.count` bytes; reads nonce and text of the given sizes.
        let done = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_seal(
            context.pointer,
            &sealed,
            &sealedBytes,
            sealed.count,
            iv,
            iv.count,
            clear,
            clear.count,
            nil,
            0
        )
        guard done == 1, sealedBytes == sealed.count else { throw .badParameter("AES-GCM") }
        return (Array(sealed.dropLast(16)), Array(sealed.suffix(16)))
    }

    private static func openGCM(
        key: SecretBytes,
        iv: [UInt8],
        _ text: [UInt8],
        tag: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let context = try AEADContext(key: key, iv: iv)
        let sealed = text + tag
        var clear = [UInt8](repeating: 0, count: sealed.count)
        var clearBytes = 0
        // SAFETY: writes at most `clear.count` bytes; reads nonce and text of the given sizes.
        let done = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_open(
            context.pointer,
            &clear,
            &clearBytes,
            clear.count,
            iv,
            iv.count,
            sealed,
            sealed.count,
            nil,
            0
        )
        guard done == 1, clearBytes == text.count else { throw .authenticationFailed }
        return Array(clear.prefix(clearBytes))
    }
}

/// An AES-GCM key, wiped and freed with its owner.
@safe
private final class AEADContext {
    let pointer: UnsafeMutablePointer<EVP_AEAD_CTX>

    init(key: SecretBytes, iv: [UInt8]) throws(CryptoError) {
        guard key.count == 16 || key.count == 32, iv.count == 12 else { throw .badKey("AES-GCM") }
        let aead =
            unsafe key.count == 16
            ? CCryptoBoringSSL_EVP_aead_aes_128_gcm() : CCryptoBoringSSL_EVP_aead_aes_256_gcm()
        // SAFETY: reads the key; freed in `deinit`.
        guard
            let context = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_new(aead, key.exposed, key.count, 16)
        else { throw .badKey("AES-GCM") }
        unsafe pointer = context
    }

    deinit {
        // SAFETY: the one owner.
        unsafe CCryptoBoringSSL_EVP_AEAD_CTX_free(pointer)
    }
}
