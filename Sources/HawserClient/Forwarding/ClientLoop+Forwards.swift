// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A port or socket that the server listens on for us (`-R`).
final class RemoteForward {
    let forward: Forward
    var state = State.asked
    /// Where it listens; the server chooses the port when the forward names none.
    var port: UInt16
    var users = ForwardUsers()
    /// Whom to tell: a passenger.
    var answer: ((Result) -> Void)?
    /// The proxy client that its connections are for.
    weak var proxy: ProxyBridge?

    enum State { case asked, active }
    enum Result {
        case success(port: UInt16)
        case failure
    }

    init(_ forward: Forward) {
        self.forward = forward
        if case .tcp(_, let port) = forward.listen { self.port = port } else { port = 0 }
    }
}

/// Forwarding (RFC 4254 §7; OpenSSH's PROTOCOL §2.4).
extension ClientLoop {
    // MARK: At the start

    /// Listens, and asks the server to. Throws when something cannot be and that is to end us.
    package func startForwards() throws(ClientFailure) {
        var haveFailed = false
        for forward in forwarding.forwards {
            var users = ForwardUsers()
            users.isPinned = true
            if forward.kind == .remote {
                _ = requestRemote(forward, users, nil)
            } else if listen(forward, users) == nil {
                log.error("Could not request local forwarding.")
                haveFailed = true
            }
        }
        if haveFailed, forwarding.exitOnFailure { throw ClientFailure(nil) }
    }

    /// Waits until the server has answered every request.
    package func waitForForwards() throws(ClientFailure) {
        while remoteForwards.contains(where: { $0.state == .asked }) {
            try settle()
            if socketHasEnded {
                throw ClientFailure("Connection to \(settings.host) closed by remote host.")
            }
            if let failure { throw failure }
            guard remoteForwards.contains(where: { $0.state == .asked }) else { break }
            try turn(deadline: nil)
        }
        if let failure { throw failure }
    }

    // MARK: Listening here

    /// The listener, an older one if there is one like it; nil when nothing can be listened on. `tell`
    /// learns why not, else the log does.
    func listen(
        _ forward: Forward,
        _ users: ForwardUsers,
        tell: ((String) -> Void)? = nil
    ) -> ForwardListener? {
        let tell = tell ?? { [log] in log.error($0) }
        if let index = listeners.firstIndex(where: { $0.forward == forward }) {
            listeners[index].users.count += users.count
            if users.isPinned { listeners[index].users.isPinned = true }
            return listeners[index]
        }
        var descriptors: [Int32] = []
        var port: UInt16 = 0
        switch forward.listen {
        case .unix(let path):
            do throws(SystemError) {
                descriptors = [
                    try UnixSocket.listening(
                        at: path,
                        mask: forwarding.bindMask,
                        replacing: forwarding.bindUnlink
                    )
                ]
            } catch {
                tell("unix_listener: cannot bind to path \(path): \(error.reason)")
                return nil
            }
        case .tcp(let host, let wanted):
            (descriptors, port) = listenTCP(host, wanted, tell)
            if descriptors.isEmpty {
                tell("channel_setup_fwd_listener_tcpip: cannot listen to port: \(wanted)")
                return nil
            }
        }
        let listener = ForwardListener(forward, descriptors, port: port)
        listener.users = users
        listeners.append(listener)
        listener.start(self)
        return listener
    }

    private func listenTCP(
        _ host: String?,
        _ wanted: UInt16,
        _ tell: (String) -> Void
    ) -> ([Int32], UInt16) {
        let isEverywhere = host == nil ? forwarding.gatewayPorts : host == "" || host == "*"
        let isLoopback = !isEverywhere && (host == nil || host == "localhost")
        let addresses: [SocketAddress]
        do throws(ResolveError) {
            addresses = try Resolver.addresses(
                of: isEverywhere || isLoopback ? nil : host,
                port: "\(wanted)",
                family: addressFamily,
                isPassive: isEverywhere
            )
        } catch {
            tell("channel_setup_fwd_listener_tcpip: getaddrinfo(\(host ?? "")): \(error)")
            return ([], 0)
        }
        var descriptors: [Int32] = []
        var port = wanted
        for address in addresses {
            do throws(SystemError) {
                let fd = try Socket.listening(on: address)
                log.debug("Local forwarding listening on \(address.host) port \(wanted).")
                descriptors.append(fd)
                if port == 0, let local = Socket.local(of: fd) {
                    port = UInt16(clamping: local.port)
                }
            } catch {
                if error.call == "bind" {
                    tell("bind [\(address.host)]:\(wanted): \(error.reason)")
                } else {
                    log.verbose("\(error.call) [\(address.host)]:\(wanted): \(error.reason)")
                }
            }
        }
        return (descriptors, port)
    }

    /// Stops a local forward; false when there is none.
    func cancelLocal(_ forward: Forward) -> Bool {
        guard let index = listeners.firstIndex(where: { $0.forward == forward }) else {
            return false
        }
        listeners.remove(at: index).stop(self)
        return true
    }

    /// Opens the channel of a connection that was accepted here.
    func open(
        _ target: Forward.End,
        for descriptor: Int32,
        from peer: SocketAddress,
        socks: SOCKSNegotiation? = nil
    ) {
        let opening: ChannelOpening
        switch target {
        case .tcp(let host, let port):
            opening = .directTCPIP(
                TCPIPEndpoints(
                    host: host ?? "localhost",
                    port: UInt32(port),
                    originatorAddress: peer.isUnix ? "127.0.0.1" : peer.host,
                    originatorPort: peer.isUnix ? 65535 : UInt32(clamping: peer.port)
                )
            )
        case .unix(let path): opening = .directStreamLocal(path: path)
        }
        guard let id = connection.openChannel(opening) else {
            log.error("too many channels: a forwarded connection is refused")
            release(descriptor)
            return Descriptor.close(descriptor)
        }
        let channel = LocalConnection(
            id,
            kind: opening.typeName,
            socket: descriptor,
            socks: socks
        )
        add(channel)
        if socks != nil { handOver(descriptor, to: channel) }
    }

    // MARK: Listening there

    /// Asks the server to listen. `answer` learns what became of it.
    @discardableResult
    func requestRemote(
        _ forward: Forward,
        _ users: ForwardUsers,
        _ answer: ((RemoteForward.Result) -> Void)?
    ) -> RemoteForward {
        let remote = RemoteForward(forward)
        remote.users = users
        remote.answer = answer
        let request: GlobalRequest =
            switch forward.listen {
            case .tcp(let host, let port):
                .tcpipForward(address: Self.bindAddress(host), port: UInt32(port))
            case .unix(let path): .streamLocalForward(path: path)
            }
        log.debug(
            "Remote connections from \(forward.listen.shortPlace) forwarded to local address "
                + (forward.connect?.shortPlace ?? "socks:0")
        )
        remoteForwards.append(remote)
        let id = connection.requestGlobal(request, wantReply: true)
        // A master passes no answer on to its proxy client.
        if isBare { remote.state = .active }
        awaitedGlobals[id] = { [weak self] success, payload in
            self?.answered(remote, success, payload)
        }
        return remote
    }

    /// What `tcpip-forward` names the address: `localhost` without one (RFC 4254 §7.1).
    static func bindAddress(_ host: String?) -> String {
        guard let host else { return "localhost" }
        return host == "*" ? "" : host
    }

    private func answered(_ remote: RemoteForward, _ success: Bool, _ payload: [UInt8]) {
        let target = remote.forward.connect?.shortPlace ?? "socks:0"
        let what: String
        switch remote.forward.listen {
        case .tcp(_, let port): what = "listen port \(port)"
        case .unix(let path): what = "listen path \(path)"
        }
        guard success else {
            remoteForwards.removeAll { $0 === remote }
            log.debug("remote forward failure for: \(what), connect \(target)")
            if let answer = remote.answer {
                remote.answer = nil
                return answer(.failure)
            }
            let text = "remote port forwarding failed for \(what)"
            if forwarding.exitOnFailure {
                failure = ClientFailure("Error: \(text)")
            } else {
                log.info("Warning: \(text)")
            }
            return
        }
        remote.state = .active
        log.debug("remote forward success for: \(what), connect \(target)")
        if case .tcp(_, 0) = remote.forward.listen {
            guard let port = GlobalRequest.chosenPort(in: payload), port > 0, port <= 65535 else {
                log.error("invalid port in the answer to a remote forward")
                remoteForwards.removeAll { $0 === remote }
                remote.answer?(.failure)
                return
            }
            remote.port = UInt16(port)
            if remote.answer == nil {
                log.info("Allocated port \(port) for remote forward to \(target)")
            }
        }
        if let answer = remote.answer {
            remote.answer = nil
            answer(.success(port: remote.port))
        }
    }

    /// Ends a remote forward.
    func cancel(_ remote: RemoteForward) {
        remoteForwards.removeAll { $0 === remote }
        let request: GlobalRequest =
            switch remote.forward.listen {
            case .tcp(let host, _):
                .cancelTCPIPForward(address: Self.bindAddress(host), port: UInt32(remote.port))
            case .unix(let path): .cancelStreamLocalForward(path: path)
            }
        connection.requestGlobal(request, wantReply: false)
    }

    /// Ends a forward, whoever uses it; false when there is none.
    func cancel(_ forward: Forward) -> Bool {
        guard forward.kind == .remote else { return cancelLocal(forward) }
        guard let remote = remoteForwards.first(where: { $0.forward == forward }) else {
            return false
        }
        cancel(remote)
        return true
    }

    /// One user less; the last one ends it.
    func release(_ forward: Forward) {
        if forward.kind == .remote {
            guard let remote = remoteForwards.first(where: { $0.forward == forward }) else {
                return
            }
            remote.users.count -= 1
            if remote.users.isUnused { cancel(remote) }
        } else {
            guard let listener = listeners.first(where: { $0.forward == forward }) else { return }
            listener.users.count -= 1
            if listener.users.isUnused { _ = cancelLocal(forward) }
        }
    }

    /// It stays until it is cancelled.
    func pin(_ forward: Forward) {
        remoteForwards.first { $0.forward == forward }?.users.isPinned = true
        listeners.first { $0.forward == forward }?.users.isPinned = true
    }

    // MARK: Channels that the server opens

    func channelRequested(_ id: ChannelID, _ opening: ChannelOpening) {
        switch opening {
        case .forwardedTCPIP(let ends): passOn(id, opening, remote(for: ends))
        // RFC 4254 §7.2
        case .forwardedStreamLocal(let path):
            let forward = remoteForwards.first {
                $0.forward.listen == .unix(path: path) && $0.state == .active
            }
            if forward == nil { log.error("WARNING: Server requests forwarding for unknown path") }
            passOn(id, opening, forward)
        case .agent: agentRequested(id, opening)
        case .x11(let address, let port): x11Requested(id, address, port)
        default:
            log.debug("refused channel \(opening.typeName)")
            refuse(id)
        }
    }

    /// Refuses a channel that the server has no business to open.
    func refuse(_ id: ChannelID) {
        connection.refuseChannel(id, reason: .administrativelyProhibited, message: "open failed")
    }

    /// The forward that listens there. The server names the address as we did; one that words it
    /// differently is understood when only one forward has the port.
    private func remote(for ends: TCPIPEndpoints) -> RemoteForward? {
        let found = remoteForwards.filter { remote in
            if case .tcp = remote.forward.listen {
                return UInt32(remote.port) == ends.port && remote.state == .active
            }
            return false
        }
        let exact = found.first { remote in
            guard case .tcp(let host, _) = remote.forward.listen else { return false }
            return Self.bindAddress(host) == ends.host
        }
        if exact == nil, found.count != 1 {
            log.error(
                "WARNING: Server requests forwarding for unknown listen_port \(ends.port)"
            )
            return nil
        }
        return exact ?? found.first
    }

    private func passOn(_ id: ChannelID, _ opening: ChannelOpening, _ remote: RemoteForward?) {
        guard let remote else { return refuse(id) }
        if let proxy = remote.proxy { return proxy.passOn(id, opening, self) }
        let channel =
            remote.forward.connect.map {
                PassedConnection(id, kind: opening.typeName, target: $0)
            } ?? PassedConnection(socks: id)
        add(channel)
        channel.begin(self)
    }
}
