// SPDX-License-Identifier: Apache-2.0

/// The bounds of the transport, each with its unit and reason. (`ConnectionLimits` has the others.)
package enum Limits {
    /// The longest packet_length, in bytes: what OpenSSH takes, seven times what RFC 4253 §6.1 asks.
    package static let packetBytes = 256 << 10
    /// The shortest packet that we send, in bytes without its code (RFC 4253 §6).
    static let minimumPacketBytes = 16
    /// Packets that may hold a password are a multiple of this, in bytes without their code.
    static let secretBlockBytes = 128
    /// The longest identification line, in bytes with its end (RFC 4253 §4.2).
    package static let identificationBytes = 255
    /// Lines that a server may send before its identification.
    package static let identificationLines = 1024
    /// The longest of those lines, in bytes.
    package static let bannerLineBytes = 8192
    /// What may wait for the end of a key exchange, in bytes: several windows of channel answers.
    package static let heldBytes = 4 << 20
    /// What one compressed packet may become, in bytes.
    package static let decompressedBytes = 256 << 10
    /// Packets under one key in one direction (RFC 4344 §3.1).
    package static let packetsPerKey: UInt64 = 1 << 31
    /// Bytes under one key with blocks of 16 bytes: 2^32 blocks (RFC 4344 §3.2).
    package static let bytesPerKey: UInt64 = 1 << 36
    /// Bytes under one key with smaller blocks (RFC 4344 §3.2 would allow 8 GB for chacha20).
    package static let bytesPerKeySmallBlocks: UInt64 = 1 << 30
    /// Sizes of a group for group exchange, in bits (RFC 8270; moduli files end at 8192).
    package static let groupBits = 2048...8192
    /// Algorithms in one name-list of the peer.
    package static let namesPerList = 512
    /// Extensions in one SSH_MSG_EXT_INFO.
    package static let extensions = 256
    /// Answers to pings that wait, at most.
    package static let pingBytes = 32 << 10
}
