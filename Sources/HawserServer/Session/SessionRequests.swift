// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The requests on session channels (RFC 4254 §6).
extension SessionProcess {
    func handle(_ request: ChannelRequest, on id: ChannelID, wantReply: Bool) {
        guard let session = sessions[id] else {
            if wantReply { connection.answerRequest(on: id, success: false) }
            return
        }
        if session.awaitsTerminal {
            // A client does not wait for the answer to pty-req before it sends shell or exec.
            guard session.waitingRequests.count < 1024 else { return finish(255) }
            session.waitingRequests.append((request, wantReply))
            return
        }
        if case .pseudoTerminal(let request) = request,
            askForTerminal(session, request, wantReply: wantReply)
        {
            return
        }
        let success = perform(request, session)
        if wantReply { connection.answerRequest(on: id, success: success) }
    }

    private func perform(_ request: ChannelRequest, _ session: Session) -> Bool {
        switch request {
        case .environment(let name, let value):
            return accept(name, value, session)
        case .shell:
            return run(nil, session)
        case .exec(let command):
            return run(command, session)
        case .subsystem(let name):
            return runSubsystem(name, session)
        case .windowChange(let size):
            guard let terminal = session.terminal else { return false }
            Terminal.setWindowSize(of: terminal.master, WindowSize(size))
            return true
        case .signal(let name):
            return signal(name, session)
        case .serialBreak:
            // A pseudo terminal has no line to break.
            return session.terminal != nil
        case .agentForwarding:
            return forwardAgent(session)
        case .x11Forwarding(let request):
            return forwardX11(request, session)
        case .endOfWrite:
            session.pipe?.stopReading(&connection)
            return true
        default:
            return false
        }
    }

    // MARK: env (§6.4)

    private func accept(_ name: String, _ value: [UInt8], _ session: Session) -> Bool {
        let patterns = settings.words("acceptenv")
        guard session.environment.count < 1000,
            patterns.contains(where: { Pattern.matches($0, name) }),
            !name.isEmpty, !name.contains("="), !value.contains(0)
        else {
            log.debug2("Ignoring env request \(name): disallowed name")
            return false
        }
        session.environment.append((name, String(octets: value)))
        return true
    }

    // MARK: pty-req (§6.2)

    /// True when the answer comes later.
    private func askForTerminal(
        _ session: Session,
        _ request: PseudoTerminalRequest,
        wantReply: Bool
    ) -> Bool {
        guard settings.isYes("permittty", default: true), keyOptions.permitsTerminal,
            session.terminal == nil, !session.hasStarted
        else {
            log.debug("Allocating a pty not permitted for this connection.")
            return false
        }
        session.awaitsTerminal = true
        waiting.append(.terminal(session.channel, request, wantReply: wantReply))
        ask(
            .openTerminal(
                session: session.number,
                term: String(request.term.prefix(200))
            )
        )
        return true
    }

    /// The monitor has made the terminal; its descriptors come beside the message.
    func takeTerminal(
        _ path: String,
        _ id: ChannelID,
        _ request: PseudoTerminalRequest,
        wantReply: Bool
    ) {
        guard let ends = try? UnixSocket.receive(2, over: descriptors) else { return finish(255) }
        guard let session = sessions[id] else {
            ends.forEach(Descriptor.close)
            return
        }
        session.terminal = Session.TerminalState(
            master: ends[0],
            slave: ends[1],
            path: path,
            term: request.term
        )
        Terminal.setModes(
            of: ends[1],
            request.modes.modes.map { (opcode: $0.opcode.rawValue, value: $0.value) }
        )
        Terminal.setWindowSize(of: ends[0], WindowSize(request.size))
        connection.setInteractive(true, on: id)
        updateTitle()
        if wantReply { connection.answerRequest(on: id, success: true) }
        handleWaitingRequests(session)
    }

    /// The monitor has made no terminal.
    func missTerminal(_ id: ChannelID, wantReply: Bool) {
        if wantReply { connection.answerRequest(on: id, success: false) }
        if let session = sessions[id] { handleWaitingRequests(session) }
    }

    private func handleWaitingRequests(_ session: Session) {
        session.awaitsTerminal = false
        let requests = session.waitingRequests
        session.waitingRequests = []
        for (request, wantReply) in requests {
            handle(request, on: session.channel, wantReply: wantReply)
        }
    }

    // MARK: signal (§6.9)

    private func signal(_ name: String, _ session: Session) -> Bool {
        guard let child = session.child, let number = SignalName.number(of: name) else {
            return false
        }
        guard !session.isForced, !session.isSubsystem else {
            log.error("refusing to send signal \(name) to forced-command session")
            return false
        }
        Identity.signalGroup(child, number)
        return true
    }
}

extension WindowSize {
    init(_ size: TerminalSize) {
        self.init(
            columns: size.columns,
            rows: size.rows,
            widthPixels: size.widthPixels,
            heightPixels: size.heightPixels
        )
    }
}
