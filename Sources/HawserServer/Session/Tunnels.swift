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
    private let mode: ChannelOpening.TunnelMode

    init(channel: ChannelID, descriptor: Int32, mode: ChannelOpening.TunnelMode) {
        self.channel = channel
        self.descriptor = descriptor
        self.mode = mode
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
            let message = TunnelPacket.message(scratch.rawBytes.extracting(first: count), mode)
            guard message.count <= TunnelPacket.maximumBytes,
                connection.sendableBytes(on: channel) >= message.count
            else { continue }
            _ = connection.send(message.rawBytes, on: channel)
        }
    }

    /// Gives the system a packet that the peer sent.
    func takeReceived(_ connection: inout ServerConnection) {
        let count = connection.received.byteCount
        let head = TunnelPacket.headBytes(mode)
        if count > head {
            _ = Descriptor.write(descriptor, connection.received.extracting(droppingFirst: head))
        }
        connection.consumed(count, on: channel)
    }
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
            !settings.isYes("disableforwarding", default: false), !start.isRefused
        else {
            log.debug("Server has rejected tunnel device forwarding")
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
            let (descriptor, name) = try TunnelDevice.open(
                isPackets ? .packets : .frames,
                unit: number
            )
            log.debug("Tunnel forwarding using interface \(name)")
            let tunnel = TunnelChannel(
                channel: id,
                descriptor: descriptor,
                mode: mode
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
