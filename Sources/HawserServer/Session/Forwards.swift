// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A channel that is a connection of its own: forwarded TCP or a Unix socket.
final class Forward {
    let channel: ChannelID
    var pipe: ChannelPipe?
    /// A connection that is being made.
    var connecting: Int32 = -1
    /// Where the client wants to be connected to, for those that it names by host and port.
    var target: (host: String, port: UInt32)?
    /// Addresses that are left to try.
    var addresses: [SocketAddress] = []
    /// Our end of a channel that the peer has not confirmed yet.
    var accepted: Int32 = -1
    var hasPeerEnded = false
    /// The channel is gone; what came over it is still being written.
    var isClosed = false
    /// How long nothing may move before it is closed, in nanoseconds.
    var idleLimit: UInt64?

    init(channel: ChannelID) { self.channel = channel }

    func close(_ watch: DescriptorWatch) {
        pipe?.close()
        for descriptor in [connecting, accepted] where descriptor >= 0 {
            watch.forget(descriptor)
            Descriptor.close(descriptor)
        }
        connecting = -1
        accepted = -1
    }
}

/// A port or a socket that is listened on for the client.
final class ForwardListener {
    enum Kind: Equatable {
        case tcp(address: String, port: UInt32)
        case path(String)
        case agent
        /// The display of a session; the client may want one connection only.
        case x11(session: ChannelID, isSingle: Bool)
    }

    let kind: Kind
    let descriptors: [Int32]

    init(kind: Kind, descriptors: [Int32]) {
        self.kind = kind
        self.descriptors = descriptors
    }
}

/// Forwarding (RFC 4254 §7; OpenSSH's PROTOCOL §2.4).
extension SessionProcess {
    // MARK: What is permitted

    private func permits(_ keyword: String, local: Bool) -> Bool {
        guard !settings.isYes("disableforwarding", default: false),
            keyOptions.permitsPortForwarding
        else { return false }
        switch settings.first(keyword) ?? "yes" {
        case "yes", "all": return true
        case "local": return local
        case "remote": return !local
        default: return false
        }
    }

    /// `PermitOpen` or `PermitListen`, and the same of the key.
    private func isListed(
        _ keyword: String,
        _ ofKey: [AuthorizedKeyOptions.Forward],
        host: String,
        port: UInt32,
        hostsAreOptional: Bool
    ) -> Bool {
        let list = settings.all(keyword).flatMap { $0.split(separator: " ").map(String.init) }
        if let first = list.first, first != "any" {
            guard first != "none" else { return false }
            let permitted = list.contains { entry in
                Self.matches(entry, host: host, port: port, hostsAreOptional: hostsAreOptional)
            }
            guard permitted else { return false }
        }
        guard !ofKey.isEmpty else { return true }
        return ofKey.contains { entry in
            (entry.port.map { UInt32($0) == port } ?? true)
                && (entry.host.map {
                    Self.fits($0, host, isPattern: hostsAreOptional)
                } ?? true)
        }
    }

    static func matches(
        _ entry: String,
        host: String,
        port: UInt32,
        hostsAreOptional: Bool
    ) -> Bool {
        guard let colon = entry.lastIndex(of: ":") else {
            return hostsAreOptional && (entry == "*" || UInt32(entry) == port)
        }
        var name = entry[..<colon]
        if name.first == "[", name.last == "]" { name = name.dropFirst().dropLast() }
        let number = entry[entry.index(after: colon)...]
        return (number == "*" || UInt32(number) == port)
            && fits(String(name), host, isPattern: hostsAreOptional)
    }

    /// Hosts to listen for may be patterns; of those to connect to, only a star alone stands for
    /// others than itself (sshd_config(5), PermitOpen).
    private static func fits(_ name: String, _ host: String, isPattern: Bool) -> Bool {
        isPattern
            ? Pattern.listContains(name, host.lowercased())
            : name == "*" || name.hasSameOctets(as: host)
    }

    // MARK: Channels that the client opens

    func openForward(_ id: ChannelID, _ opening: ChannelOpening) {
        switch opening {
        case .directTCPIP(let ends):
            guard permits("allowtcpforwarding", local: true) else {
                let target = "\(ends.host) port \(ends.port)"
                log.info(
                    "refused local port forward: originator \(ends.originatorAddress) port "
                        + "\(ends.originatorPort), target \(target)"
                )
                report("direct-tcpip", "\(ends.host):\(ends.port)", isAllowed: false)
                return refuse(id, .administrativelyProhibited, "open failed")
            }
            guard
                isListed(
                    "permitopen",
                    keyOptions.permitOpen,
                    host: ends.host,
                    port: ends.port,
                    hostsAreOptional: false
                )
            else {
                log.info(
                    "Received request from \(start.peer.description) to connect to host "
                        + "\(ends.host) port \(ends.port), but the request was denied."
                )
                report("direct-tcpip", "\(ends.host):\(ends.port)", isAllowed: false)
                return refuse(id, .administrativelyProhibited, "open failed")
            }
            report("direct-tcpip", "\(ends.host):\(ends.port)", isAllowed: true)
            connect(id, host: ends.host, port: ends.port)
        case .directStreamLocal(let path):
            guard permits("allowstreamlocalforwarding", local: true) else {
                return refuse(id, .administrativelyProhibited, "open failed")
            }
            do throws(SystemError) {
                let forward = Forward(channel: id)
                forward.idleLimit = idleLimits.limit("direct-streamlocal@openssh.com")
                let descriptor = try UnixSocket.connect(path)
                connection.confirmChannel(id)
                adopt(descriptor, forward)
            } catch {
                refuse(id, .connectFailed, "open failed")
            }
        case .tunnel(let mode, let unit):
            openTunnel(id, mode, unit)
        default:
            refuse(id, .unknownChannelType, "unknown channel type")
        }
    }

    private func report(_ kind: String, _ target: String, isAllowed: Bool) {
        guard keepsAccount else { return }
        ask(.report(.forward(kind: kind, target: target, isAllowed: isAllowed)))
    }

    private func refuse(
        _ id: ChannelID,
        _ reason: ChannelOpenFailureReason,
        _ message: String
    ) {
        connection.refuseChannel(id, reason: reason, message: message)
    }

    private func connect(_ id: ChannelID, host: String, port: UInt32) {
        do throws(ResolveError) {
            let forward = Forward(channel: id)
            forward.idleLimit = idleLimits.limit("direct-tcpip")
            forward.target = (host, port)
            forward.addresses = try Resolver.addresses(of: host, port: String(port))
            forwards[id] = forward
            tryNextAddress(forward, "Connection refused")
        } catch {
            log.error("connect_to \(host): unknown host (\(error))")
            refuse(id, .connectFailed, "\(error)")
        }
    }

    private func tryNextAddress(_ forward: Forward, _ failure: String) {
        while !forward.addresses.isEmpty {
            let address = forward.addresses.removeFirst()
            guard let descriptor = try? Socket.make(address.family) else { continue }
            switch try? Socket.connect(descriptor, to: address) {
            case .connected: return adoptConnected(descriptor, forward)
            case .inProgress:
                forward.connecting = descriptor
                own([descriptor], .channel(forward.channel))
                return watch.set(descriptor, read: false, write: true)
            case nil: Descriptor.close(descriptor)
            }
        }
        forwards[forward.channel] = nil
        if let target = forward.target {
            log.error("connect_to \(target.host) port \(target.port): failed.")
        }
        refuse(forward.channel, .connectFailed, failure)
    }

    /// The forward's data goes through this socket from now on.
    private func adopt(_ descriptor: Int32, _ forward: Forward) {
        forward.pipe = ChannelPipe(
            channel: forward.channel,
            writer: descriptor,
            reader: descriptor,
            isSocket: true,
            watch: watch
        )
        forwards[forward.channel] = forward
        own([descriptor], .channel(forward.channel))
        forward.pipe?.refresh(&connection)
        if let limit = forward.idleLimit { idleLimits.check(by: Clock.nanoseconds &+ limit) }
    }

    /// Begins to listen for the client.
    func add(_ listener: ForwardListener) {
        listeners.append(listener)
        own(listener.descriptors, .listener(listener))
        for descriptor in listener.descriptors {
            watch.set(descriptor, read: true, write: false)
        }
    }

    /// Stops to listen.
    func remove(_ listener: ForwardListener) {
        listeners.removeAll { $0 === listener }
        for descriptor in listener.descriptors {
            watch.forget(descriptor)
            Descriptor.close(descriptor)
        }
    }

    // MARK: Listening for the client

    func handle(_ request: GlobalRequest, wantReply: Bool) {
        var success = false
        var payload: [UInt8] = []
        switch request {
        case .tcpipForward(let address, let port):
            if let chosen = listen(address: address, port: port) {
                success = true
                if port == 0 { payload = GlobalRequest.answer(chosenPort: chosen) }
            }
        case .cancelTCPIPForward(let address, let port):
            success = cancel(.tcp(address: address, port: port))
        case .streamLocalForward(let path):
            success = listen(path: path)
        case .cancelStreamLocalForward(let path):
            success = cancel(.path(path))
        case .noMoreSessions:
            success = true
        case .proveHostKeys(let blobs):
            if prove(blobs, wantReply: wantReply) { return }
        default:
            break
        }
        if wantReply { connection.answerGlobalRequest(success: success, payload: payload) }
    }

    private func listen(address: String, port: UInt32) -> UInt32? {
        let isForwarding =
            permits("allowtcpforwarding", local: false) && port <= 65535
            && (port == 0 || port >= 1024 || user.uid == 0)
        let isPermitted =
            isForwarding
            && isListed(
                "permitlisten",
                keyOptions.permitListen,
                host: address,
                port: port,
                hostsAreOptional: true
            )
        guard isPermitted else {
            log.info(
                isForwarding
                    ? "Received request from \(start.peer.description) to remote forward to host "
                        + "\(address) port \(port), but the request was denied."
                    : "Server has disabled port forwarding."
            )
            report("tcpip-forward", "\(address):\(port)", isAllowed: false)
            return nil
        }
        var chosen = port
        var descriptors: [Int32] = []
        for host in listenHosts(address) {
            guard
                let addresses = try? Resolver.addresses(
                    of: host,
                    port: String(chosen),
                    isPassive: true
                )
            else { continue }
            for address in addresses {
                let descriptor: Int32
                do throws(SystemError) {
                    descriptor = try Socket.listening(on: address)
                } catch {
                    log.error("bind [\(address.host)]:\(address.port): \(error.reason)")
                    continue
                }
                descriptors.append(descriptor)
                if chosen == 0, let local = Socket.local(of: descriptor) {
                    chosen = UInt32(clamping: local.port)
                }
            }
        }
        guard !descriptors.isEmpty else { return nil }
        report("tcpip-forward", "\(address):\(chosen)", isAllowed: true)
        add(ForwardListener(kind: .tcp(address: address, port: chosen), descriptors: descriptors))
        return chosen
    }

    /// Where to listen, by `GatewayPorts` and what the client wants. A nil is every address.
    private func listenHosts(_ address: String) -> [String?] {
        let loopback: [String?] = ["127.0.0.1", "::1"]
        switch settings.first("gatewayports") ?? "no" {
        case "yes": return ["0.0.0.0", "::"]
        case "clientspecified":
            if address.isEmpty || address == "*" { return ["0.0.0.0", "::"] }
            if address == "localhost" { return loopback }
            return [address]
        // Which of the two is the client's to say.
        default: return loopback.contains(address) ? [address] : loopback
        }
    }

    private func listen(path: String) -> Bool {
        guard permits("allowstreamlocalforwarding", local: false), !path.isEmpty else {
            return false
        }
        let mask = settings.first("streamlocalbindmask").flatMap { UInt32($0, radix: 8) }
        do throws(SystemError) {
            let descriptor = try UnixSocket.listening(
                at: path,
                mask: mask ?? 0o177,
                replacing: settings.isYes("streamlocalbindunlink", default: false)
            )
            add(ForwardListener(kind: .path(path), descriptors: [descriptor]))
            return true
        } catch {
            log.info("unix_listener: \(error)")
            return false
        }
    }

    private func cancel(_ kind: ForwardListener.Kind) -> Bool {
        guard let listener = listeners.first(where: { $0.kind == kind }) else { return false }
        remove(listener)
        if case .path(let path) = kind { Files.remove(path) }
        return true
    }

    // MARK: The agent

    /// Listens for the user's programs that want to speak with the client's agent.
    func forwardAgent(_ session: Session) -> Bool {
        guard settings.isYes("allowagentforwarding", default: true),
            !settings.isYes("disableforwarding", default: false),
            keyOptions.permitsAgentForwarding
        else { return false }
        if agentSocket != nil { return true }
        for (directory, path) in agentSocketPlaces {
            do throws(SystemError) {
                try Files.makeDirectory(directory, mode: 0o700)
                let descriptor = try UnixSocket.listening(at: path, temporary: path + "t")
                add(ForwardListener(kind: .agent, descriptors: [descriptor]))
                agentSocket = path
                return true
            } catch {
                log.debug("agent socket: \(error)")
            }
        }
        log.error("Agent forwarding disabled: no place for a socket")
        return false
    }

    /// Where the agent's socket may be: in the user's home (OpenSSH 10.1 and later), or where only
    /// the user can look.
    private var agentSocketPlaces: [(directory: String, path: String)] {
        let random = SystemRandom()
        let name = Hexadecimal.encode(random.bytes(5))
        var places: [(String, String)] = []
        if let home = Files.status(user.home), home.isDirectory, home.uid == user.uid {
            if (try? Files.makeDirectory(user.home + "/.ssh", mode: 0o700)) != nil {
                let directory = user.home + "/.ssh/agent"
                places.append((directory, "\(directory)/s.\(name).sshd.\(Daemon.processID)"))
            }
        }
        let directory = "/tmp/ssh-\(name)"
        places.append((directory, "\(directory)/agent.\(Daemon.processID)"))
        return places
    }

    // MARK: The loop's part

    func moveForward(_ forward: Forward, _ ready: DescriptorWatch.Ready) {
        if ready.descriptor == forward.connecting {
            connected(forward)
        } else {
            forward.pipe?.move(ready, &scratch, &connection)
        }
        finishIfDone(forward)
    }

    private func connected(_ forward: Forward) {
        let descriptor = forward.connecting
        let error = Socket.connectError(descriptor)
        forward.connecting = -1
        guard error == 0 else {
            watch.release(descriptor)
            Descriptor.close(descriptor)
            return tryNextAddress(forward, SystemError.reason(error))
        }
        adoptConnected(descriptor, forward)
    }

    private func adoptConnected(_ descriptor: Int32, _ forward: Forward) {
        Socket.setNoDelay(descriptor)
        connection.confirmChannel(forward.channel)
        adopt(descriptor, forward)
    }

    /// Takes someone who connects to what is listened on.
    func accept(_ socket: Int32, _ listener: ForwardListener) {
        guard case .connection(let descriptor, let address) = Socket.accept(socket) else {
            return
        }
        let opening: ChannelOpening
        let type: String
        switch listener.kind {
        case .tcp(let host, let port):
            type = "forwarded-tcpip"
            opening = .forwardedTCPIP(
                TCPIPEndpoints(
                    host: host,
                    port: port,
                    originatorAddress: address.host,
                    originatorPort: UInt32(clamping: address.port)
                )
            )
        case .path(let path):
            type = "forwarded-streamlocal@openssh.com"
            opening = .forwardedStreamLocal(path: path)
        case .agent:
            type = "agent-connection"
            opening = .agent(name: .openSSH)
        case .x11(_, let isSingle):
            type = "x11-connection"
            opening = .x11(
                originatorAddress: address.host,
                originatorPort: UInt32(clamping: address.port)
            )
            if isSingle { remove(listener) }
        }
        guard let id = connection.openChannel(opening) else {
            return Descriptor.close(descriptor)
        }
        let forward = Forward(channel: id)
        forward.accepted = descriptor
        forward.idleLimit = idleLimits.limit(type)
        forwards[id] = forward
    }

    func forwardOpened(_ id: ChannelID) {
        guard let forward = forwards[id], forward.accepted >= 0 else { return }
        let descriptor = forward.accepted
        forward.accepted = -1
        adopt(descriptor, forward)
    }

    func forwardFailed(_ id: ChannelID) {
        forwards.removeValue(forKey: id)?.close(watch)
    }

    func forwardEnded(_ id: ChannelID) {
        guard let forward = forwards[id] else { return }
        forward.hasPeerEnded = true
        finishIfDone(forward)
    }

    /// A forwarded connection is closed when both directions are over.
    func finishIfDone(_ forward: Forward) {
        if forward.isClosed, forward.pipe?.isWritten ?? true {
            forwards.removeValue(forKey: forward.channel)?.close(watch)
            return
        }
        guard let pipe = forward.pipe, pipe.isDrained,
            forward.hasPeerEnded || pipe.writer < 0, pipe.isWritten
        else { return }
        connection.closeChannel(forward.channel)
    }

    /// What a slow reader has not taken yet is its due, as long as these are few.
    func forwardClosed(_ id: ChannelID) {
        guard let forward = forwards[id] else { return }
        if let pipe = forward.pipe, !pipe.isWritten,
            forwards.values.count(where: \.isClosed) < Self.maximumUnwritten
        {
            forward.isClosed = true
            pipe.onlyWrite(&connection)
        } else {
            forwards.removeValue(forKey: id)?.close(watch)
        }
    }

    /// Closed channels with something left to write.
    private static let maximumUnwritten = 256

    // MARK: Host keys (OpenSSH's PROTOCOL §2.5)

    /// Tells the client every host key, so that it can learn new ones.
    func announceHostKeys() {
        guard !start.provableKeys.isEmpty else { return }
        connection.requestGlobal(.hostKeys(start.provableKeys.map(\.blob)), wantReply: false)
    }

    /// With an RSA key, what the key exchange has agreed on; a client takes nothing else.
    private func proofAlgorithm(_ key: HostKeyOffer) -> String? {
        if let agreed = connection.core.transport.negotiated?.hostKey,
            let signature = PublicKeyAlgorithm(name: agreed)?.signature.name,
            key.algorithms.contains(signature)
        {
            return signature
        }
        return key.algorithms.first
    }

    /// Asks the monitor for a proof of each key; true when the answer comes later.
    private func prove(_ blobs: [[UInt8]], wantReply: Bool) -> Bool {
        guard wantReply, !blobs.isEmpty, blobs.count <= 64 else { return false }
        var requests: [SigningRequest] = []
        for blob in blobs {
            guard let key = start.provableKeys.first(where: { $0.blob == blob }),
                let algorithm = proofAlgorithm(key)
            else { return false }
            requests.append(
                SigningRequest(
                    keyBlob: blob,
                    algorithm: algorithm,
                    data: GlobalRequest.signedProof(
                        ofHostKey: blob,
                        sessionIdentifier: connection.sessionIdentifier
                    )
                )
            )
        }
        let proofs = HostKeyProofs(missing: requests.count)
        self.proofs = proofs
        for request in requests {
            waiting.append(.hostKeyProof(proofs))
            ask(.sign(request))
        }
        return true
    }
}
