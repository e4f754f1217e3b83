// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// chacha20-poly1305@openssh.com: one key for the length, another for the rest, the sequence number
/// as nonce (draft-ietf-sshm-chacha20-poly1305; PROTOCOL.chacha20poly1305).
@safe
final class ChaCha20Poly1305Packets: PacketSealer, PacketOpener {
    let blockBytes = 8
    let lengthIsPadded = false
    let tagBytes = 16
    let headBytes = 4

    private let keys: PacketCipherState
    /// 64 bytes: K_2 for the packet, then K_1 for the length.
    private let key: UnsafeMutablePointer<UInt8>
    private let nonce: UnsafeMutablePointer<UInt8>
    /// The first blocks of K_2's keystream: the key of Poly1305, half a block unused, and what a
    /// short packet is encrypted with.
    private let stream: UnsafeMutablePointer<UInt8>
    private let authenticator: UnsafeMutablePointer<poly1305_state>
    /// The last length that was opened, and the sequence number of its packet.
    private var opened: (length: UInt32, sequenceNumber: UInt32)?

    init(_ state: PacketCipherState) throws(CryptoError) {
        try PacketProtection.check(state)
        keys = state
        unsafe key = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
        for index in 0..<64 { unsafe key[index] = state.key.bytes[byteAt: index] }
        unsafe nonce = UnsafeMutablePointer<UInt8>.allocate(capacity: 12)
        unsafe nonce.initialize(repeating: 0, count: 12)
        unsafe stream = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.streamBytes)
        unsafe stream.initialize(repeating: 0, count: Self.streamBytes)
        unsafe authenticator = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<poly1305_state>.size,
            alignment: 64
        ).bindMemory(to: poly1305_state.self, capacity: 1)
    }

    deinit {
        // SAFETY: all are owned by this object alone.
        unsafe CCryptoBoringSSL_OPENSSL_cleanse(key, 64)
        unsafe CCryptoBoringSSL_OPENSSL_cleanse(stream, Self.streamBytes)
        unsafe CCryptoBoringSSL_OPENSSL_cleanse(
            authenticator,
            MemoryLayout<poly1305_state>.size
        )
        unsafe key.deallocate()
        unsafe nonce.deallocate()
        unsafe stream.deallocate()
        unsafe UnsafeMutableRawPointer(authenticator).deallocate()
    }

    var state: PacketCipherState { keys }

    func seal(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) {
        precondition(packet.byteCount >= 4 + tagBytes)
        setNonce(sequenceNumber)
        unsafe packet.withUnsafeMutableBytes { buffer in
            // SAFETY: length, text and tag lie one behind the other inside the packet.
            let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress.neverNil
            let textBytes = buffer.count - 4 - 16
            unsafe CCryptoBoringSSL_CRYPTO_chacha_20(start, start, 4, key + 32, nonce, 0)
            makeStream(for: textBytes)
            unsafe applyStream(start + 4, textBytes)
            unsafe authenticate(start, 4 + textBytes, into: start + 4 + textBytes)
        }
    }

    func openLength(_ head: inout MutableRawSpan, sequenceNumber: UInt32) -> UInt32 {
        precondition(head.byteCount >= 4)
        setNonce(sequenceNumber)
        var length: UInt32 = 0
        unsafe head.withUnsafeMutableBytes { buffer in
            unsafe withUnsafeMutableBytes(of: &length) { target in
                // SAFETY: four bytes in, four bytes out; the packet stays encrypted for its tag.
                unsafe CCryptoBoringSSL_CRYPTO_chacha_20(
                    target.bindMemory(to: UInt8.self).baseAddress,
                    buffer.bindMemory(to: UInt8.self).baseAddress,
                    4,
                    key + 32,
                    nonce,
                    0
                )
            }
        }
        opened = (length, sequenceNumber)
        return UInt32(bigEndian: length)
    }

    func open(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) throws(CryptoError) {
        guard packet.byteCount >= 4 + 16 else { throw .badParameter("packet size") }
        if opened?.sequenceNumber != sequenceNumber {
            _ = openLength(&packet, sequenceNumber: sequenceNumber)
        }
        let length = opened?.length ?? 0
        opened = nil
        setNonce(sequenceNumber)
        let genuine = unsafe packet.withUnsafeMutableBytes { buffer in
            // SAFETY: as in `seal`.
            let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress.neverNil
            let textBytes = buffer.count - 4 - 16
            makeStream(for: textBytes)
            let same = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { tag in
                unsafe authenticate(start, 4 + textBytes, into: tag.baseAddress.neverNil)
                return unsafe CCryptoBoringSSL_CRYPTO_memcmp(
                    tag.baseAddress,
                    start + 4 + textBytes,
                    16
                ) == 0
            }
            guard same else { return false }
            unsafe UnsafeMutableRawPointer(start).storeBytes(of: length, as: UInt32.self)
            unsafe applyStream(start + 4, textBytes)
            return true
        }
        guard genuine else { throw .authenticationFailed }
    }

    /// Fills `stream` for a text of `textBytes`: with the key of Poly1305 alone or, for a short text,
    /// with all that it needs. Four blocks in one call cost less than one block twice.
    private func makeStream(for textBytes: Int) {
        let count = textBytes <= Self.shortBytes ? Self.streamBytes : 32
        // SAFETY: the keystream is what zeros become; `stream` has room for it.
        unsafe stream.update(repeating: 0, count: count)
        unsafe CCryptoBoringSSL_CRYPTO_chacha_20(stream, stream, count, key, nonce, 0)
    }

    /// Encrypts or decrypts a text in place, with the keystream from its second block on.
    private func applyStream(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard count <= Self.shortBytes else {
            // SAFETY: in place over `count` bytes.
            unsafe CCryptoBoringSSL_CRYPTO_chacha_20(bytes, bytes, count, key, nonce, 1)
            return
        }
        // SAFETY: `makeStream` has filled as much of `stream` as is read here.
        for index in 0..<count { unsafe bytes[index] ^= stream[64 + index] }
    }

    /// Poly1305 under the key that `makeStream` has made.
    private func authenticate(
        _ bytes: UnsafeMutablePointer<UInt8>,
        _ count: Int,
        into tag: UnsafeMutablePointer<UInt8>
    ) {
        // SAFETY: 32 bytes of key and `count` bytes are read, 16 written.
        unsafe CCryptoBoringSSL_CRYPTO_poly1305_init(authenticator, stream)
        unsafe CCryptoBoringSSL_CRYPTO_poly1305_update(authenticator, bytes, count)
        unsafe CCryptoBoringSSL_CRYPTO_poly1305_finish(authenticator, tag)
    }

    private func setNonce(_ sequenceNumber: UInt32) {
        // SAFETY: the nonce has twelve bytes; only the last four ever differ from zero.
        unsafe UnsafeMutableRawPointer(nonce + 8).storeBytes(
            of: sequenceNumber.bigEndian,
            as: UInt32.self
        )
    }

    /// Four blocks of keystream.
    private static let streamBytes = 256
    /// The longest text that they are enough for.
    private static let shortBytes = 192
}
