// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// A block cipher in counter or CBC mode with a MAC beside it, over the plain packet (RFC 4253 §6.4)
/// or over the encrypted one (-etm, where the length stays in clear).
@safe
final class BlockCipherPackets: PacketSealer, PacketOpener {
    enum Direction { case seal, open }

    let blockBytes: Int
    let lengthIsPadded: Bool
    let tagBytes: Int
    let headBytes: Int

    private let keys: PacketCipherState
    private let mode: BlockMode
    private var code: PacketCode

    init(_ state: PacketCipherState, direction: Direction) throws(CryptoError) {
        try PacketProtection.check(state)
        guard let cipher = state.cipher, let mac = state.mac else { throw .badKey("no MAC") }
        keys = state
        mode = try BlockMode(cipher, key: state.key, iv: state.iv, encrypts: direction == .seal)
        code = PacketCode(mac, key: state.macKey)
        blockBytes = cipher.blockBytes
        lengthIsPadded = !mac.isEncryptThenMAC
        tagBytes = mac.tagBytes
        headBytes = mac.isEncryptThenMAC ? 4 : cipher.blockBytes
    }

    var state: PacketCipherState {
        var state = keys
        state.iv = mode.iv
        return state
    }

    func seal(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) {
        precondition(packet.byteCount >= 4 + tagBytes)
        unsafe packet.withUnsafeMutableBytes { buffer in
            // SAFETY: the text ends where the tag begins; both are inside the packet.
            let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress.neverNil
            let end = buffer.count - tagBytes
            if lengthIsPadded {
                unsafe code.write(sequenceNumber, start, end, to: start + end)
                unsafe mode.apply(start, end)
            } else {
                unsafe mode.apply(start + 4, end - 4)
                unsafe code.write(sequenceNumber, start, end, to: start + end)
            }
        }
    }

    func openLength(_ head: inout MutableRawSpan, sequenceNumber: UInt32) -> UInt32 {
        precondition(head.byteCount >= headBytes)
        if lengthIsPadded {
            unsafe head.withUnsafeMutableBytes { buffer in
                // SAFETY: one block, in place.
                unsafe mode.apply(
                    buffer.bindMemory(to: UInt8.self).baseAddress.neverNil,
                    blockBytes
                )
            }
        }
        return head.bytes.bigEndianUInt32(at: 0)
    }

    func open(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) throws(CryptoError) {
        let end = packet.byteCount - tagBytes
        let clear = lengthIsPadded ? blockBytes : 4
        guard end >= clear, (end - clear) % blockBytes == 0 else {
            throw .badParameter("packet size")
        }
        let genuine = unsafe packet.withUnsafeMutableBytes { buffer in
            // SAFETY: as in `seal`.
            let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress.neverNil
            if lengthIsPadded {
                unsafe mode.apply(start + clear, end - clear)
                return unsafe code.verify(sequenceNumber, start, end, against: start + end)
            }
            guard unsafe code.verify(sequenceNumber, start, end, against: start + end) else {
                return false
            }
            unsafe mode.apply(start + clear, end - clear)
            return true
        }
        guard genuine else { throw .authenticationFailed }
    }
}

/// The MAC of a packet: over its sequence number and bytes, or, with UMAC, over its bytes with the
/// sequence number as nonce.
@safe
final class PacketCode {
    private let tagBytes: Int
    private var hmac: HMAC?
    private var umac: UMAC?
    private let scratch: UnsafeMutablePointer<UInt8>

    init(_ mac: MACAlgorithm, key: SecretBytes) {
        tagBytes = mac.tagBytes
        if let hash = mac.hash {
            hmac = HMAC(hash, key: key.exposed)
        } else {
            umac = UMAC(key: key.exposed, tagBytes: mac.tagBytes)
        }
        // SAFETY: freed in `deinit`; room for the longest digest.
        unsafe scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
    }

    deinit {
        unsafe scratch.deallocate()
    }

    /// Writes the tag of `count` bytes to `tag`.
    func write(
        _ sequenceNumber: UInt32,
        _ bytes: UnsafeMutablePointer<UInt8>,
        _ count: Int,
        to tag: UnsafeMutablePointer<UInt8>
    ) {
        unsafe compute(sequenceNumber, bytes, count)
        // SAFETY: both have `tagBytes` bytes.
        unsafe tag.update(from: scratch, count: tagBytes)
    }

    /// Whether `tag` is that of `count` bytes, in constant time.
    func verify(
        _ sequenceNumber: UInt32,
        _ bytes: UnsafeMutablePointer<UInt8>,
        _ count: Int,
        against tag: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        unsafe compute(sequenceNumber, bytes, count)
        // SAFETY: both have `tagBytes` bytes.
        return unsafe CCryptoBoringSSL_CRYPTO_memcmp(scratch, tag, tagBytes) == 0
    }

    private func compute(
        _ sequenceNumber: UInt32,
        _ bytes: UnsafeMutablePointer<UInt8>,
        _ count: Int
    ) {
        // SAFETY: the caller's bytes are alive for the call; the scratch has 64 bytes.
        let message = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
        if hmac != nil {
            unsafe hmac?.tag(prefix: sequenceNumber, message, into: scratch)
        } else {
            var tag = unsafe MutableRawSpan(_unsafeStart: scratch, byteCount: 64)
            unsafe umac?.tag(
                of: RawSpan(_unsafeBytes: message),
                nonce: UInt64(sequenceNumber),
                into: &tag
            )
        }
    }
}
