// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// aes128-gcm@openssh.com and aes256-gcm@openssh.com: the length in clear and authenticated, a
/// nonce of four fixed bytes and a counter (RFC 5647 §7; PROTOCOL of OpenSSH, §1.6).
@safe
final class AESGCMPackets: PacketSealer, PacketOpener {
    let blockBytes = 16
    let lengthIsPadded = false
    let tagBytes = 16
    let headBytes = 4

    private let keys: PacketCipherState
    private let context: UnsafeMutablePointer<EVP_AEAD_CTX>
    private let nonce: UnsafeMutablePointer<UInt8>

    init(_ state: PacketCipherState) throws(CryptoError) {
        try PacketProtection.check(state)
        keys = state
        let key = state.key.exposed
        let aead =
            unsafe key.count == 16
            ? CCryptoBoringSSL_EVP_aead_aes_128_gcm() : CCryptoBoringSSL_EVP_aead_aes_256_gcm()
        // SAFETY: reads the key; the context is freed in `deinit`.
        guard
            let context = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_new(aead, key, key.count, 16)
        else { throw .badKey("AES-GCM") }
        unsafe self.context = context
        unsafe nonce = UnsafeMutablePointer<UInt8>.allocate(capacity: 12)
        for index in 0..<12 { unsafe nonce[index] = state.iv[index] }
    }

    deinit {
        // SAFETY: both are owned by this object alone.
        unsafe CCryptoBoringSSL_EVP_AEAD_CTX_free(context)
        unsafe nonce.deallocate()
    }

    var state: PacketCipherState {
        var state = keys
        state.iv = (0..<12).map { unsafe nonce[$0] }
        return state
    }

    func seal(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) {
        precondition(packet.byteCount >= 4 + tagBytes)
        unsafe packet.withUnsafeMutableBytes { buffer in
            // SAFETY: length, text and tag lie one behind the other inside the packet.
            let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress.neverNil
            let textBytes = buffer.count - 4 - 16
            var tagCount = 0
            let sealed = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_seal_scatter(
                context,
                start + 4,
                start + 4 + textBytes,
                &tagCount,
                16,
                nonce,
                12,
                start + 4,
                textBytes,
                nil,
                0,
                start,
                4
            )
            precondition(sealed == 1)
        }
        advance()
    }

    func openLength(_ head: inout MutableRawSpan, sequenceNumber: UInt32) -> UInt32 {
        head.bytes.bigEndianUInt32(at: 0)
    }

    func open(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) throws(CryptoError) {
        guard packet.byteCount >= 4 + 16 else { throw .badParameter("packet size") }
        let opened = unsafe packet.withUnsafeMutableBytes { buffer in
            // SAFETY: as in `seal`.
            let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress.neverNil
            let textBytes = buffer.count - 4 - 16
            return unsafe CCryptoBoringSSL_EVP_AEAD_CTX_open_gather(
                context,
                start + 4,
                nonce,
                12,
                start + 4,
                textBytes,
                start + 4 + textBytes,
                16,
                start,
                4
            )
        }
        guard opened == 1 else {
            CCryptoBoringSSL_ERR_clear_error()
            throw .authenticationFailed
        }
        advance()
    }

    /// Adds one to the counter in the last eight bytes of the nonce.
    private func advance() {
        // SAFETY: the nonce has twelve bytes.
        let counter = unsafe UnsafeMutableRawPointer(nonce + 4)
        let value = unsafe UInt64(bigEndian: counter.loadUnaligned(as: UInt64.self)) &+ 1
        unsafe counter.storeBytes(of: value.bigEndian, as: UInt64.self)
    }
}
