// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A channel that carries network packets (OpenSSH's PROTOCOL §2.3): one in each message.
///
/// What does not fit the window is dropped, as a network does.
final class TunnelChannel {
    let channel: ChannelID
    let descriptor: Int32
    /// Packets have their address family before them on the channel, frames have nothing.
    let isPacketLayer: Bool

    init(channel: ChannelID, descriptor: Int32, isPacketLayer: Bool) {
        self.channel = channel
        self.descriptor = descriptor
        self.isPacketLayer = isPacketLayer
    }

    /// The families as OpenBSD numbers them.
    private static func family(_ packet: RawSpan) -> UInt8 {
        packet.byteCount > 0 && packet[byteAt: 0] >> 4 == 6 ? 24 : 2
    }

    /// Sends every packet that the system has for the peer.
    func read(_ scratch: inout [UInt8], _ connection: inout ServerConnection) {
        // A packet is read whole or not at all.
        if scratch.count < ChannelPipe.largeReadBytes {
            scratch = [UInt8](repeating: 0, count: ChannelPipe.largeReadBytes)
        }
        for _ in 0..<64 {
            var transfer = Transfer.wouldBlock
            do {
                var span = scratch.mutableRawBytes
                transfer = Descriptor.read(descriptor, into: &span)
            }
            guard case .bytes(let count) = transfer else { return }
            let packet = scratch.rawBytes.extracting(first: count)
            let size = count + (isPacketLayer ? 4 : 0)
            guard size <= Self.maximumBytes, connection.sendableBytes(on: channel) >= size else {
                continue
            }
            if isPacketLayer {
                var message: [UInt8] = [0, 0, 0, Self.family(packet)]
                message.append(copying: packet)
                _ = connection.send(message.rawBytes, on: channel)
            } else {
                _ = connection.send(packet, on: channel)
            }
        }
    }

    /// Gives the system a packet that the peer sent.
    func takeReceived(_ connection: inout ServerConnection) {
        let count = connection.received.byteCount
        let head = isPacketLayer ? 4 : 0
        if count > head {
            _ = Descriptor.write(descriptor, connection.received.extracting(droppingFirst: head))
        }
        connection.consumed(count, on: channel)
    }

    /// What one message of a channel holds at least.
    private static let maximumBytes = 32768
}

extension SessionProcess {
    /// `PermitTunnel`, and the device that the key forces.
    func openTunnel(_ id: ChannelID, _ mode: ChannelOpening.TunnelMode, _ unit: UInt32) {
        func refuse(_ text: String) {
            connection.refuseChannel(id, reason: .administrativelyProhibited, message: text)
        }
        let isPackets = mode == .pointToPoint
        guard isPackets || mode == .ethernet else { return refuse("unsupported tunnel mode") }
        let wanted = isPackets ? "point-to-point" : "ethernet"
        let permitted = settings.first("permittunnel") ?? "no"
        guard permitted == "yes" || permitted == wanted,
            !settings.isYes("disableforwarding", default: false)
        else {
            log.info("Server has rejected tunnel device forwarding")
            return refuse("open failed")
        }
        var number = unit == ChannelOpening.anyTunnelUnit ? nil : unit
        if case .number(let forced)? = keyOptions.tunnel {
            guard number == nil || number == UInt32(clamping: forced) else {
                return refuse("open failed")
            }
            number = UInt32(clamping: forced)
        }
        do throws(SystemError) {
            let (descriptor, name) = try Tunnel.open(isPackets ? .packets : .frames, unit: number)
            log.debug("Tunnel forwarding using interface \(name)")
            let tunnel = TunnelChannel(
                channel: id,
                descriptor: descriptor,
                isPacketLayer: isPackets
            )
            tunnels[id] = tunnel
            own([descriptor], .channel(id))
            watch.set(descriptor, read: true, write: false)
            connection.confirmChannel(id)
        } catch {
            log.error("tunnel: \(error)")
            refuse("open failed")
        }
    }

    func closeTunnel(_ id: ChannelID) {
        guard let tunnel = tunnels.removeValue(forKey: id) else { return }
        watch.forget(tunnel.descriptor)
        Descriptor.close(tunnel.descriptor)
    }
}
