// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// A forwarded connection whose local end connected to us: its channel is opened for it.
final class LocalConnection: ClientChannel {
    private var socket: Int32
    /// Whom to answer first, for a connection that came with SOCKS.
    private var socks: SOCKSNegotiation?

    init(_ id: ChannelID, kind: String, socket: Int32, socks: SOCKSNegotiation? = nil) {
        self.socket = socket
        self.socks = socks
        super.init(id, kind: kind)
    }

    override func opened(_ loop: ClientLoop) {
        markOpen()
        // Who came with SOCKS waits for the answer before it says more.
        let speaksFirst = socks == nil
        if let socks {
            showBytes(socks.reply(.connected), loop)
            if !socks.rest.isEmpty { send(socks.rest.rawBytes, loop) }
            self.socks = nil
        }
        attach(
            input: socket,
            output: socket,
            isSocket: true,
            mayHaveInput: speaksFirst,
            loop
        )
    }

    /// It speaks before it has been told that it may: that waits in the socket.
    override func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        guard isOpen else { return loop.watch(socket, read: false, write: false, self) }
        super.fire(ready, loop)
    }

    override func openFailed(
        _ reason: ChannelOpenFailureReason,
        _ text: String,
        _ loop: ClientLoop
    ) {
        loop.log.info("channel \(id): open failed: \(reason): \(text.visible)")
        if let socks {
            let outcome =
                reason == .administrativelyProhibited
                ? .prohibited
                : .refused
                    as SOCKSNegotiation.Outcome
            let answer = socks.reply(outcome)
            _ = Descriptor.write(socket, answer.rawBytes)
        }
        close(loop)
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        close(loop)
    }

    /// One that came with SOCKS is watched before its channel is open.
    private func close(_ loop: ClientLoop) {
        loop.release(socket)
        Descriptor.close(socket)
        socket = -1
    }
}

/// A connection that the server passes on: we connect to where it belongs, then confirm it.
final class PassedConnection: ClientChannel {
    /// What the user knows the place by.
    private let target: Forward.End
    private var socket: Int32 = -1
    private var isConnecting = false
    /// Addresses that are left to try.
    private var addresses: [SocketAddress] = []
    private var isConfirmed = false
    /// Reads from the channel where to go (`-R` without a target).
    private var socks: SOCKSNegotiation?

    override var timeoutTypes: [String] { [kind == "rdynamic" ? "forwarded-tcpip" : kind] }

    init(_ id: ChannelID, kind: String, target: Forward.End) {
        self.target = target
        super.init(id, kind: kind)
    }

    /// The channel's first bytes say where to go; it is confirmed at once.
    init(socks id: ChannelID) {
        target = .tcp(host: "socks", port: 0)
        socks = SOCKSNegotiation()
        super.init(id, kind: "rdynamic")
    }

    /// Begins; the loop holds this channel already.
    func begin(_ loop: ClientLoop) {
        if socks != nil {
            confirm(loop)
        } else {
            connect(to: target, loop)
        }
    }

    private func confirm(_ loop: ClientLoop) {
        guard !isConfirmed else { return }
        isConfirmed = true
        markOpen()
        loop.connection.confirmChannel(id)
    }

    // MARK: Connecting

    private func connect(to target: Forward.End, _ loop: ClientLoop) {
        switch target {
        case .unix(let path):
            do throws(SystemError) {
                adopt(try UnixSocket.connect(path), loop)
            } catch {
                loop.log.info("connect to \(path) port -2 failed: \(error.reason)")
                fail(loop)
            }
        case .tcp(let host, let port):
            let host = host ?? "localhost"
            do throws(ResolveError) {
                addresses = try Resolver.addresses(
                    of: host,
                    port: "\(port)",
                    family: loop.addressFamily
                )
                connectNext(host, port, loop)
            } catch {
                loop.log.error("connect_to \(host): unknown host (\(error))")
                fail(loop)
            }
        }
    }

    private func connectNext(_ host: String, _ port: UInt16, _ loop: ClientLoop) {
        while !addresses.isEmpty {
            let address = addresses.removeFirst()
            guard let fd = try? Socket.make(address.family) else { continue }
            do throws(SystemError) {
                let result = try Socket.connect(fd, to: address)
                if result == .connected { return adopt(fd, loop) }
                socket = fd
                isConnecting = true
                loop.watch(fd, read: false, write: true, self)
                return
            } catch {
                Descriptor.close(fd)
            }
        }
        loop.log.error("connect_to \(host) port \(port): failed.")
        fail(loop)
    }

    override func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        guard isConnecting, ready.descriptor == socket else { return super.fire(ready, loop) }
        isConnecting = false
        let fd = socket
        if Socket.connectError(fd) == 0 { return adopt(fd, loop) }
        loop.unwatch(fd)
        Descriptor.close(fd)
        socket = -1
        if case .tcp(let host, let port) = wanted ?? target {
            connectNext(host ?? "localhost", port, loop)
        } else {
            fail(loop)
        }
    }

    private func adopt(_ fd: Int32, _ loop: ClientLoop) {
        loop.unwatch(fd)
        socket = fd
        Socket.setNoDelay(fd)
        confirm(loop)
        if let socks {
            send(socks.reply(.connected).rawBytes, loop)
            let rest = socks.rest
            self.socks = nil
            attach(input: fd, output: fd, isSocket: true, loop)
            if !rest.isEmpty { showBytes(rest, loop) }
        } else {
            attach(input: fd, output: fd, isSocket: true, loop)
        }
    }

    private func fail(_ loop: ClientLoop) {
        if let socks {
            send(socks.reply(.refused).rawBytes, loop)
            loop.connection.sendEOF(on: id)
            loop.connection.closeChannel(id)
            abandonData(loop)
        } else {
            loop.connection.refuseChannel(id, reason: .connectFailed, message: "open failed")
            _ = loop.remove(self)
        }
    }

    // MARK: SOCKS over the channel

    /// Where a SOCKS client wants to go.
    private var wanted: Forward.End?

    override func receivedEarly(_ loop: ClientLoop) {
        guard socks != nil, wanted == nil else { return super.receivedEarly(loop) }
        let bytes = loop.received
        socks?.append(bytes.rawBytes)
        loop.connection.consumed(bytes.count, on: id)
        while true {
            switch socks?.next() ?? .needsMore {
            case .needsMore: return
            case .answer(let bytes): send(bytes.rawBytes, loop)
            case .refuse(let bytes):
                send(bytes.rawBytes, loop)
                loop.connection.closeChannel(id)
                return abandonData(loop)
            case .connect(let host, let port):
                let end = Forward.End.tcp(host: host, port: port)
                guard loop.forwarding.permitsRemoteOpen(host: host, port: port) else {
                    loop.log.info(
                        "channel \(id): request to connect to host \(host) port \(port), "
                            + "but the request was denied."
                    )
                    return fail(loop)
                }
                wanted = end
                return connect(to: end, loop)
            }
        }
    }

    override func peerEnded(_ loop: ClientLoop) {
        super.peerEnded(loop)
        guard socks != nil, wanted == nil else { return }
        loop.connection.closeChannel(id)
        abandonData(loop)
    }

    override func closed(_ loop: ClientLoop) {
        if isConnecting {
            isConnecting = false
            loop.unwatch(socket)
        }
        super.closed(loop)
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        Descriptor.close(socket)
        socket = -1
    }
}

/// The channel of `-W`, between two descriptors that someone else owns.
final class StandardForward: ClientChannel {
    private var descriptors: BorrowedDescriptors
    /// The passenger that asked for it; nil for ssh's own.
    let passenger: ControlPassenger?
    private let target: Forward.End

    override var timeoutTypes: [String] {
        if case .unix = target { return ["direct-streamlocal@openssh.com", "stdio-forward"] }
        return ["direct-tcpip", "stdio-forward"]
    }

    init(
        _ id: ChannelID,
        to target: Forward.End,
        input: Int32,
        output: Int32,
        passenger: ControlPassenger? = nil
    ) {
        self.target = target
        descriptors = BorrowedDescriptors(
            input: input,
            output: output,
            areOurs: passenger != nil
        )
        self.passenger = passenger
        super.init(id, kind: passenger == nil ? "stdio-forward" : "mux-stdio-forward")
    }

    override func opened(_ loop: ClientLoop) {
        markOpen()
        passenger?.sessionOpened(loop)
        let taken = descriptors.take()
        attach(input: taken.input, output: taken.output, loop)
    }

    override func openFailed(
        _ reason: ChannelOpenFailureReason,
        _ text: String,
        _ loop: ClientLoop
    ) {
        loop.log.info("channel \(id): open failed: \(reason): \(text.visible)")
        if let passenger {
            passenger.openFailed(reason, text, loop)
        } else {
            loop.standardForwardFailed()
        }
        release()
    }

    override func directionEnded(_ loop: ClientLoop) {
        guard inputHasEnded, outputIsBroken || outputIsOver else { return }
        loop.connection.closeChannel(id)
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        release()
        passenger?.finished(status: nil, loop)
    }

    override func release() { descriptors.giveBack() }
}
