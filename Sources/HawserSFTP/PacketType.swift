// SPDX-License-Identifier: Apache-2.0

/// The kinds of packets, draft-ietf-secsh-filexfer-02 §3.
package enum PacketType: UInt8, Sendable {
    case initialize = 1
    case version = 2
    case open = 3
    case close = 4
    case read = 5
    case write = 6
    case lstat = 7
    case fstat = 8
    case setstat = 9
    case fsetstat = 10
    case opendir = 11
    case readdir = 12
    case remove = 13
    case mkdir = 14
    case rmdir = 15
    case realpath = 16
    case stat = 17
    case rename = 18
    case readlink = 19
    case symlink = 20
    case status = 101
    case handle = 102
    case data = 103
    case name = 104
    case attributes = 105
    case extended = 200
    case extendedReply = 201
}

/// Bounds of what travels, in bytes.
package enum PacketLimits {
    /// The longest packet behind its length, as OpenSSH has it.
    package static let packetBytes = 256 * 1024
    /// The most file data that one read or write moves: a packet less 1 KiB for what surrounds it.
    package static let dataBytes = packetBytes - 1024
    /// What a server without limits@openssh.com takes in any case (§6.4 of the draft: 32 KiB).
    package static let cautiousDataBytes = 32 * 1024
    /// Names in one answer: some clients take no packet beyond 34000 bytes.
    package static let nameBytes = 30 * 1024
    /// The version that both ends speak.
    package static let version: UInt32 = 3
}
