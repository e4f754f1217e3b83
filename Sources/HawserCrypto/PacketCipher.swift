// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// Protects the packets of one direction as they leave (RFC 4253 §6).
package protocol PacketSealer: AnyObject {
    /// What the packet's size must be a multiple of, at least 8 (RFC 4253 §6).
    var blockBytes: Int { get }
    /// Whether the four length bytes count for that: with an encrypt-and-MAC cipher they do.
    var lengthIsPadded: Bool { get }
    /// The bytes of the tag behind the packet.
    var tagBytes: Int { get }
    /// Encrypts and tags in place. `packet` is packet_length, padding_length, payload, padding and
    /// room for the tag; its size without the tag obeys `blockBytes`.
    func seal(_ packet: inout MutableRawSpan, sequenceNumber: UInt32)
    /// What another process needs to go on with the next packet.
    var state: PacketCipherState { get }
}

/// Checks and opens the packets of one direction as they arrive.
package protocol PacketOpener: AnyObject {
    var blockBytes: Int { get }
    var lengthIsPadded: Bool { get }
    var tagBytes: Int { get }
    /// How many bytes must be there before the length can be known.
    var headBytes: Int { get }
    /// The packet_length of the packet whose first bytes, at least `headBytes`, are `head`. To be
    /// called once per packet, before `open`; it may decrypt the head in place.
    func openLength(_ head: inout MutableRawSpan, sequenceNumber: UInt32) -> UInt32
    /// Checks and decrypts a whole packet in place: length, its bytes, tag. Throws
    /// `CryptoError.authenticationFailed`, and `badParameter` for a size that no sealer makes.
    func open(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) throws(CryptoError)
    var state: PacketCipherState { get }
}

/// Keys and counters of one direction between two packets.
package struct PacketCipherState: Sendable {
    /// nil: nothing is encrypted yet.
    package var cipher: CipherAlgorithm?
    /// nil with a cipher that authenticates by itself.
    package var mac: MACAlgorithm?
    package var key: SecretBytes
    /// The current initial vector or counter.
    package var iv: [UInt8]
    package var macKey: SecretBytes

    package init(
        cipher: CipherAlgorithm?,
        mac: MACAlgorithm?,
        key: SecretBytes,
        iv: [UInt8],
        macKey: SecretBytes
    ) {
        self.cipher = cipher
        self.mac = mac
        self.key = key
        self.iv = iv
        self.macKey = macKey
    }

    /// No encryption, as every connection starts.
    package static var plain: PacketCipherState {
        PacketCipherState(
            cipher: nil,
            mac: nil,
            key: SecretBytes([]),
            iv: [],
            macKey: SecretBytes([])
        )
    }

    package func write(to writer: inout WireWriter) {
        writer.write(text: cipher?.rawValue ?? "")
        writer.write(text: mac?.rawValue ?? "")
        writer.write(string: key.bytes)
        writer.write(string: iv)
        writer.write(string: macKey.bytes)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        cipher = CipherAlgorithm(rawValue: try reader.readText())
        mac = MACAlgorithm(rawValue: try reader.readText())
        key = SecretBytes(copying: try reader.readString())
        iv = try reader.readBytes()
        macKey = SecretBytes(copying: try reader.readString())
    }
}

/// Makes sealers and openers.
package enum PacketProtection {
    /// Throws `CryptoError.badKey` when a key or initial vector has not the algorithm's length.
    package static func sealer(
        cipher: CipherAlgorithm,
        mac: MACAlgorithm?,
        key: SecretBytes,
        iv: [UInt8],
        macKey: SecretBytes
    ) throws(CryptoError) -> any PacketSealer {
        try sealer(
            from: PacketCipherState(cipher: cipher, mac: mac, key: key, iv: iv, macKey: macKey)
        )
    }

    /// As `sealer`, for the other direction.
    package static func opener(
        cipher: CipherAlgorithm,
        mac: MACAlgorithm?,
        key: SecretBytes,
        iv: [UInt8],
        macKey: SecretBytes
    ) throws(CryptoError) -> any PacketOpener {
        try opener(
            from: PacketCipherState(cipher: cipher, mac: mac, key: key, iv: iv, macKey: macKey)
        )
    }

    package static func sealer(
        from state: PacketCipherState
    ) throws(CryptoError) -> any PacketSealer {
        switch state.cipher {
        case nil: PlainPackets()
        case .aes128GCM, .aes256GCM: try AESGCMPackets(state)
        case .chaCha20Poly1305: try ChaCha20Poly1305Packets(state)
        default: try BlockCipherPackets(state, direction: .seal)
        }
    }

    package static func opener(
        from state: PacketCipherState
    ) throws(CryptoError) -> any PacketOpener {
        switch state.cipher {
        case nil: PlainPackets()
        case .aes128GCM, .aes256GCM: try AESGCMPackets(state)
        case .chaCha20Poly1305: try ChaCha20Poly1305Packets(state)
        default: try BlockCipherPackets(state, direction: .open)
        }
    }

    /// The state with its lengths checked against its algorithms.
    static func check(_ state: PacketCipherState) throws(CryptoError) {
        guard let cipher = state.cipher else { return }
        guard state.key.count == cipher.keyBytes else {
            throw .badKey("\(cipher.name): key of \(state.key.count) bytes")
        }
        guard state.iv.count == cipher.ivBytes else {
            throw .badKey("\(cipher.name): initial vector of \(state.iv.count) bytes")
        }
        if cipher.isAEAD { return }
        guard let mac = state.mac else { throw .badKey("\(cipher.name): no MAC") }
        guard state.macKey.count == mac.keyBytes else {
            throw .badKey("\(mac.name): key of \(state.macKey.count) bytes")
        }
    }
}

/// Packets before the first key exchange: not protected at all.
final class PlainPackets: PacketSealer, PacketOpener {
    let blockBytes = 8
    let lengthIsPadded = true
    let tagBytes = 0
    let headBytes = 4
    var state: PacketCipherState { .plain }

    func seal(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) {}

    func openLength(_ head: inout MutableRawSpan, sequenceNumber: UInt32) -> UInt32 {
        head.bytes.bigEndianUInt32(at: 0)
    }

    func open(_ packet: inout MutableRawSpan, sequenceNumber: UInt32) throws(CryptoError) {}
}
