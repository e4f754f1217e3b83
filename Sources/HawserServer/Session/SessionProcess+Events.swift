// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem

/// What the connection tells, and what that means for the channels.
extension SessionProcess {
    func handle(_ event: ConnectionEvent) {
        switch event {
        case .exchangeSignatureNeeded(let request):
            waiting.append(.exchangeSignature)
            ask(.sign(SigningRequest(request)))
        case .groupNeeded(let minimum, let preferred, let maximum):
            waiting.append(.group)
            ask(.group(minimum: minimum, preferred: preferred, maximum: maximum))
        case .channelOpenRequested(let id, let opening):
            open(id, opening)
        case .channelOpened(let id):
            forwardOpened(id)
        case .channelOpenFailed(let id, _, _):
            forwardFailed(id)
        case .channelData(let id, let count):
            if let pipe = pipe(of: id) {
                pipe.takeReceived(&connection)
            } else if let tunnel = tunnels[id] {
                tunnel.takeReceived(&connection)
            } else if let session = sessions[id], session.ending == nil {
                session.takeEarly(&connection)
            } else {
                connection.consumed(count, on: id)
            }
        case .channelExtendedData(let id, _, let count):
            connection.consumed(count, on: id)
        case .channelWritable(let id):
            pipe(of: id)?.sendPending(&connection)
            if let session = sessions[id] { finishIfDone(session) }
            if let forward = forwards[id] { finishIfDone(forward) }
        case .channelEOF(let id):
            pipe(of: id)?.takeEnd(&connection)
            sessions[id]?.hasEarlyEnd = true
            forwardEnded(id)
        case .channelPeerClosed(let id):
            peerClosed(id)
        case .channelClosed(let id):
            closed(id)
        case .channelRequest(let id, let request, let wantReply):
            handle(request, on: id, wantReply: wantReply)
        case .globalRequest(let request, let wantReply):
            handle(request, wantReply: wantReply)
        default:
            break
        }
    }

    func pipe(of id: ChannelID) -> ChannelPipe? {
        sessions[id]?.pipe ?? forwards[id]?.pipe
    }

    func ask(_ request: MonitorRequest) { monitor.send(request.encoding) }

    private func open(_ id: ChannelID, _ opening: ChannelOpening) {
        guard case .session = opening else {
            openForward(id, opening)
            return
        }
        guard sessions.count < settings.maximumSessions else {
            log.error("no more sessions")
            connection.refuseChannel(id, reason: .connectFailed, message: "open failed")
            return
        }
        sessions[id] = Session(channel: id, number: nextFreeNumber)
        connection.confirmChannel(id, windowBytes: ConnectionLimits.bulkWindowBytes)
        connection.holdClose(of: id)
    }

    private var nextFreeNumber: UInt32 {
        let used = Set(sessions.values.map(\.number))
        return (0...UInt32(used.count)).first { !used.contains($0) } ?? 0
    }

    /// The client wants nothing more of the session; a program that still runs tells its exit status
    /// first, as long as it has no terminal to lose.
    private func peerClosed(_ id: ChannelID) {
        guard let session = sessions[id] else { return connection.closeChannel(id) }
        session.pipe?.close()
        guard session.child != nil || session.startupFile != nil, session.terminal == nil else {
            return connection.closeChannel(id)
        }
        session.hasPeerClosed = true
    }

    private func closed(_ id: ChannelID) {
        if let session = sessions.removeValue(forKey: id) {
            session.pipe?.close()
            if let child = session.child, session.terminal != nil {
                Identity.signalGroup(child, 1)
            }
            tellClosed(session)
            ask(.report(.sessionEnded(id: session.number)))
            closeDisplay(session)
            release(session)
            orphans.formUnion([session.child].compactMap { $0 })
        } else {
            closeTunnel(id)
            forwardClosed(id)
        }
    }

    /// Gives the terminal back.
    private func release(_ session: Session) {
        guard let terminal = session.terminal else { return }
        session.terminal = nil
        if terminal.slave >= 0 { Descriptor.close(terminal.slave) }
        if session.pipe == nil {
            watch.forget(terminal.master)
            Descriptor.close(terminal.master)
        }
        ask(.releaseTerminal(session: session.number))
        updateTitle()
    }

    /// `IPQoS`: as for a terminal while there is one.
    func updateTypeOfService() {
        let classes = TypeOfService(settings.first("ipqos"))
        let hasTerminal = sessions.values.contains { $0.terminal != nil || $0.display != nil }
        guard let value = hasTerminal ? classes.interactive : classes.bulk,
            value != typeOfService
        else { return }
        typeOfService = value
        Socket.setTypeOfService(output, value)
    }

    func updateTitle() {
        updateTypeOfService()
        let terminals = sessions.values.sorted { $0.number < $1.number }
            .compactMap { $0.terminal?.path }
        ProcessTitle.set("sshd: " + SessionTitle.text(user: user.name, terminals: terminals))
    }

    func closeEverything() {
        for session in sessions.values {
            if let child = session.child, session.terminal != nil {
                Identity.signalGroup(child, 1)
            }
            session.pipe?.close()
            release(session)
        }
        for forward in forwards.values { forward.close(watch) }
        for listener in listeners {
            if case .path(let path) = listener.kind { Files.remove(path) }
            listener.descriptors.forEach(Descriptor.close)
        }
        if let agentSocket {
            Files.remove(agentSocket)
            if agentSocket.hasPrefix("/tmp/") {
                Files.removeDirectory(Files.parent(of: agentSocket))
            }
        }
        if let exposedFile { Files.remove(exposedFile) }
        for descriptor in Array(fileEvents.keys) { _ = takeFileEvents(descriptor) }
        ask(.report(.bytes(received: bytes.received, sent: bytes.sent)))
        monitor.send(MonitorRequest.ended.encoding)
    }
}
