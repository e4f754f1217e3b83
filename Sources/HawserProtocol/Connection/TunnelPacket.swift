// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The form of a network packet in a channel's message (OpenSSH's PROTOCOL §2.3): the message is
/// the string, and a packet of layer 3 has its address family before it.
package enum TunnelPacket {
    /// What no message of a channel may exceed, in bytes.
    package static let maximumBytes = 32768

    /// What stands before a packet, in bytes.
    package static func headBytes(_ mode: ChannelOpening.TunnelMode) -> Int {
        mode == .pointToPoint ? 4 : 0
    }

    /// The message of a packet. The families are numbered as OpenBSD does: 2 and 24.
    package static func message(_ packet: RawSpan, _ mode: ChannelOpening.TunnelMode) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(packet.byteCount + headBytes(mode))
        if mode == .pointToPoint {
            let isVersion6 = packet.byteCount > 0 && packet[byteAt: 0] >> 4 == 6
            message += [0, 0, 0, isVersion6 ? 24 : 2]
        }
        message.append(copying: packet)
        return message
    }
}
