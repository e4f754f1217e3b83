// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Packets of a network interface here and one there (`-w`; OpenSSH's PROTOCOL §2.3): one in each
/// message of data. What does not fit is lost, as packets are.
final class TunnelChannel: ClientChannel {
    private let device: Int32
    private let mode: ChannelOpening.TunnelMode

    override var timeoutTypes: [String] { ["tun-connection"] }

    init(_ id: ChannelID, _ device: Int32, _ mode: ChannelOpening.TunnelMode) {
        self.device = device
        self.mode = mode
        super.init(id, kind: "tun")
    }

    override func opened(_ loop: ClientLoop) {
        markOpen()
        loop.log.debug("tunnel forward established, id=\(id)")
        attach(input: device, output: device, loop)
    }

    override func openFailed(
        _ reason: ChannelOpenFailureReason,
        _ text: String,
        _ loop: ClientLoop
    ) {
        loop.log.info("channel \(id): open failed: \(reason): \(text.visible)")
        loop.tunnelFailed("Tunnel forwarding failed")
        Descriptor.close(device)
    }

    override func tookInput(_ count: Int, _ loop: ClientLoop) {
        guard count > 0 else { return }
        let message = TunnelPacket.message(loop.buffer.rawBytes.extracting(first: count), mode)
        guard message.count <= TunnelPacket.maximumBytes,
            loop.connection.sendableBytes(on: id) >= message.count
        else { return }
        _ = loop.connection.send(message.rawBytes, on: id)
    }

    override func receive(_ count: Int, isError: Bool, _ loop: ClientLoop) {
        let message = loop.received
        loop.connection.consumed(count, on: id)
        let head = TunnelPacket.headBytes(mode)
        guard !isError, message.count > head else { return }
        _ = Descriptor.write(device, message.rawBytes.extracting(droppingFirst: head))
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        Descriptor.close(device)
        loop.tunnel = nil
    }
}

extension ClientLoop {
    /// `Tunnel` says so, and the server is the one that is known.
    var wantsTunnel: Bool {
        settings.options.tunnel ?? .no != .no && settings.options.clearAllForwardings != true
    }

    /// Opens the interface here and asks for the one there, where `Tunnel` says so.
    package func startTunnel() throws(ClientFailure) {
        guard wantsTunnel, !isUntrusted else { return }
        let wanted = settings.options.tunnel ?? .no
        let units = (settings.options.tunnelDevice ?? "any:any").split(separator: ":")
        let isEthernet = wanted == .ethernet
        let mode: ChannelOpening.TunnelMode = isEthernet ? .ethernet : .pointToPoint
        do throws(SystemError) {
            let (fd, name) = try TunnelDevice.open(
                isEthernet ? .frames : .packets,
                unit: units.first.flatMap { UInt32($0) }
            )
            log.debug("Tunnel forwarding using interface \(name)")
            let opening = ChannelOpening.tunnel(
                mode: mode,
                unit: units.last.flatMap { UInt32($0) } ?? ChannelOpening.anyTunnelUnit
            )
            guard let id = connection.openChannel(opening) else { return Descriptor.close(fd) }
            tunnelInterface = name
            let channel = TunnelChannel(id, fd, mode)
            tunnel = channel
            add(channel)
        } catch {
            log.error("Tunnel device open failed: \(error.reason)")
            guard forwarding.exitOnFailure else {
                return log.error("Could not request tunnel forwarding.")
            }
            throw ClientFailure("Could not request tunnel forwarding.")
        }
    }

    func tunnelFailed(_ text: String) {
        tunnel = nil
        if forwarding.exitOnFailure { failure = ClientFailure(text) } else { log.info(text) }
    }
}
