// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserCrypto
internal import HawserKeys
package import HawserLog
internal import HawserProtocol
package import HawserSystem
internal import HawserTool
internal import HawserWire

/// Why a client ended without an exit status of the remote command; the text has been logged or is
/// for the user.
package struct ClientFailure: Error {
    package var text: String?

    package init(_ text: String?) {
        self.text = text
    }
}

/// One connection of ssh: descriptors on one side, the protocol on the other.
package final class ClientLoop {
    let settings: ClientSettings
    var log: Log
    private let dialed: Dialed
    var connection: ClientConnection
    private let verification: HostKeyVerification
    private lazy var authenticator = Authenticator(settings, log: log)
    /// What agents are told about this session.
    private(set) var binding: AgentBinding?
    private var isAuthenticated = false
    private var socketHasEnded = false

    /// ssh's own session, if it has one.
    private(set) var own: ClientSession?
    var sessions: [ChannelID: ClientSession] = [:]
    package var master: ControlMaster?
    private var rawTerminal: Terminal.Settings?
    private var isEnding = false
    private var isDisconnectedByUser = false
    private var endSignal: Int32?
    /// When a master without sessions ends.
    private var idleDeadline: UInt64?

    private var lastReceived = Clock.nanoseconds
    private var unansweredKeepAlives = 0
    private var nextKeepAlive: UInt64?

    package init(
        _ settings: ClientSettings,
        _ dialed: Dialed,
        identification: String,
        log: Log
    ) throws(ConfigError) {
        self.settings = settings
        self.dialed = dialed
        self.log = log
        let options = settings.options
        var verification = HostKeyVerification(
            host: options.hostKeyAlias ?? settings.host,
            port: options.hostKeyAlias == nil ? settings.port : 22,
            address: dialed.address?.host ?? "UNKNOWN",
            strictness: options.strictHostKeyChecking ?? .ask,
            userFiles: try settings.userKnownHostsFiles,
            globalFiles: try settings.globalKnownHostsFiles,
            log: log
        )
        verification.hashesNames = options.hashKnownHosts == true
        verification.showsPicture = options.visualHostKey == true
        verification.isBatch = options.batchMode == true
        verification.trustsLoopback =
            options.noHostAuthenticationForLocalhost == true
            && dialed.address?.isLoopback == true
        self.verification = verification

        var proposal = settings.proposal
        if options.hostKeyAlgorithms == nil {
            // Types that are known for the host come first, so that its known key is proved.
            let known = verification.knownTypes.flatMap { $0.signatureAlgorithms.map(\.name) }
            let first = proposal.hostKey.filter { known.contains($0) }
            proposal.hostKey = first + proposal.hostKey.filter { !known.contains($0) }
        }
        var transport = TransportOptions(
            isClient: true,
            identification: identification,
            proposal: proposal
        )
        transport.log = log
        transport.minimumRSABits = options.requiredRSASize ?? 1024
        transport.makeCompression = { ZlibCompression() }
        if let limit = options.rekeyLimit {
            transport.rekeyLimit = RekeyLimit(
                bytes: limit.bytes == 0 ? nil : limit.bytes,
                interval: limit.seconds == 0 ? nil : .seconds(limit.seconds)
            )
        }
        connection = ClientConnection(transport, random: SystemRandom(), at: Self.now)
        connection.authenticate(user: settings.user)
    }

    static var now: Instant { Instant(nanoseconds: Clock.nanoseconds) }

    // MARK: Phases

    /// Runs until the user is in. Throws why not.
    package func authenticate() throws(ClientFailure) {
        let bound = settings.options.connectTimeout.flatMap { $0 > 0 ? $0 : nil }
        let deadline = bound.map { Clock.nanoseconds + UInt64($0) * 1_000_000_000 }
        while !isAuthenticated {
            try takeEvents()
            if isAuthenticated { break }
            if socketHasEnded {
                let whenEarly =
                    connection.peerIdentification == nil
                    ? "kex_exchange_identification: Connection closed by remote host\r\n" : ""
                throw ClientFailure("\(whenEarly)Connection closed by \(peerName)")
            }
            if connection.peerIdentification == nil, let deadline, Clock.nanoseconds >= deadline {
                throw ClientFailure("Connection timed out during banner exchange")
            }
            try turn(deadline: connection.peerIdentification == nil ? deadline : nil)
        }
    }

    /// Runs until ssh's own session and its passengers are over, and returns the exit status.
    package func run() throws(ClientFailure) -> Int32 {
        Signals.watch([1, 2, 15, 28])  // HUP INT TERM WINCH
        defer { leaveRawMode() }
        while true {
            try takeEvents()
            finishSessions()
            if isOver { break }
            if socketHasEnded {
                if isDisconnectedByUser || isEnding { break }
                throw ClientFailure(
                    own == nil || own?.isRunning == true
                        ? "Connection to \(settings.host) closed by remote host."
                        : "Connection closed by \(peerName)"
                )
            }
            try turn(deadline: idleDeadline)
        }
        leaveRawMode()
        master?.close()
        flush()
        if let own {
            own.release()
            if own.hasTerminal, settings.options.logLevel?.uppercased() != "QUIET" {
                log.info(
                    (master != nil ? "Shared connection" : "Connection")
                        + " to \(settings.host) closed."
                )
            }
            return isDisconnectedByUser || endSignal != nil ? 255 : own.status
        }
        return endSignal == nil ? 0 : 255
    }

    private var isOver: Bool {
        if isEnding { return sessions.isEmpty || isDisconnectedByUser || endSignal != nil }
        if let own {
            guard own.isFinished || ownIsReleased else { return false }
        } else if settings.standardForward != nil {
            return sessions.isEmpty && hasOpenedForward
        } else if !isPersistentMaster {
            // What holds no session ends when nobody can ask it for one any more.
            return master?.isClosed == true && sessions.isEmpty
        }
        guard let master, !master.isClosed else { return sessions.isEmpty }
        if !sessions.isEmpty {
            idleDeadline = nil
            return false
        }
        switch settings.options.controlPersist ?? .no {
        case .no: return true
        case .forever: return false
        case .seconds(let seconds):
            let now = Clock.nanoseconds
            let deadline = idleDeadline ?? now + UInt64(seconds) * 1_000_000_000
            idleDeadline = deadline
            return now >= deadline
        }
    }

    private var ownIsReleased = false
    /// This process serves passengers only, and ends as `ControlPersist` says.
    package var isPersistentMaster = false
    private var hasOpenedForward = false

    var peerName: String {
        guard let address = dialed.address else { return "UNKNOWN port 65535" }
        return "\(address.host) port \(address.port)"
    }

    // MARK: One turn

    /// Waits for something to happen and moves bytes.
    private func turn(deadline: UInt64?) throws(ClientFailure) {
        var set = PollSet()
        let reads = set.add(
            dialed.input,
            read: connection.wantsInput && !socketHasEnded
        )
        let writes = set.add(dialed.output, write: !connection.output.isEmpty)
        let signals = set.add(Signals.descriptor, read: true)
        var watched: [(ClientSession, input: Int?, output: Int?, error: Int?)] = []
        for session in sessions.values {
            let room =
                session.isRunning && !session.inputHasEnded && session.input >= 0
                && connection.sendableBytes(on: session.channel) > 0
            watched.append(
                (
                    session,
                    input: room ? set.add(session.input, read: true) : nil,
                    output: session.pendingOutput.isEmpty || session.outputIsBroken
                        ? nil : set.add(session.output, write: true),
                    error: session.pendingError.isEmpty || session.errorIsBroken
                        ? nil : set.add(session.error, write: true)
                )
            )
        }
        master?.watch(&set)
        set.wait(timeout: timeout(deadline))

        if set.isReadable(signals) { takeSignals() }
        if set.isWritable(writes) { flush() }
        if set.isReadable(reads), connection.wantsInput { readSocket() }
        for (session, input, output, error) in watched {
            if let output, set.isWritable(output) { writePending(session, isError: false) }
            if let error, set.isWritable(error) { writePending(session, isError: true) }
            if let input, set.isReadable(input) { readInput(session) }
        }
        master?.serve(set, self)
        try keepAlive()
        if !connection.output.isEmpty { flush() }
    }

    private func timeout(_ deadline: UInt64?) -> UInt64? {
        let now = Clock.nanoseconds
        let moments = [deadline, connection.deadline?.nanoseconds, nextKeepAlive].compactMap { $0 }
        guard let first = moments.min() else { return nil }
        return first > now ? first - now : 0
    }

    private func readSocket() {
        let result = connection.receive(upTo: 128 << 10) { (span: inout MutableRawSpan) -> Int in
            switch Descriptor.read(dialed.input, into: &span) {
            case .bytes(let count):
                lastReceived = Clock.nanoseconds
                return count
            case .wouldBlock: return 0
            case .ended, .failed:
                socketHasEnded = true
                return 0
            }
        }
        _ = result
    }

    func flush() {
        while !connection.output.isEmpty {
            switch Descriptor.write(dialed.output, connection.output.bytes) {
            case .bytes(let count): connection.output.removeFirst(count)
            case .wouldBlock: return
            case .ended, .failed:
                connection.output.removeAll()
                socketHasEnded = true
                return
            }
        }
    }

    private func keepAlive() throws(ClientFailure) {
        guard isAuthenticated, let interval = settings.options.serverAliveInterval, interval > 0
        else { return }
        let now = Clock.nanoseconds
        let nanoseconds = UInt64(interval) * 1_000_000_000
        if nextKeepAlive == nil || lastReceived + nanoseconds > now, unansweredKeepAlives == 0 {
            nextKeepAlive = lastReceived + nanoseconds
        }
        guard let next = nextKeepAlive, now >= next else { return }
        guard unansweredKeepAlives < settings.options.serverAliveCountMax ?? 3 else {
            throw ClientFailure("Timeout, server \(settings.host) not responding.")
        }
        unansweredKeepAlives += 1
        connection.requestGlobal(.keepAlive, wantReply: true)
        nextKeepAlive = now + nanoseconds
    }

    // MARK: Events

    private func takeEvents() throws(ClientFailure) {
        do throws(ProtocolError) {
            while let event = try connection.nextEvent(at: Self.now) {
                try handle(event)
            }
        } catch {
            throw failure(error)
        }
    }

    /// The user's words for what the peer did.
    private func failure(_ error: ProtocolError) -> ClientFailure {
        if case .hostKeyRefused = error.kind {
            flush()
            return ClientFailure(nil)
        }
        if case .authenticationFailed = error.kind { return ClientFailure(error.text) }
        connection.disconnect(after: error)
        flush()
        switch error.kind {
        case .noCommonAlgorithm:
            return ClientFailure("Unable to negotiate with \(peerName): \(error.text)")
        case .disconnected(let reason):
            return ClientFailure(
                "Received disconnect from \(peerName):\(reason): \(error.text.visible)\r\n"
                    + "Disconnected from \(peerName)"
            )
        case .badIdentification, .versionMismatch: return ClientFailure(error.text.visible)
        case .badMAC, .badPacket:
            return ClientFailure(
                "\(error.text)\r\nssh_dispatch_run_fatal: Connection to \(peerName): "
                    + (error.kind == .badMAC
                        ? "message authentication code incorrect" : "Connection corrupted")
            )
        default:
            return ClientFailure(
                "ssh_dispatch_run_fatal: Connection to \(peerName): \(error.text)"
            )
        }
    }

    private func handle(_ event: ConnectionEvent) throws(ProtocolError) {
        switch event {
        case .identified(let line):
            log.debug(
                "Remote protocol version \(line.protocolVersion), remote software version "
                    + line.softwareVersion.visible
            )
        case .lineBeforeIdentification(let line):
            log.debug("ssh_exchange_identification: \(line.visible)")
        case .hostKey(let proven): try decide(proven)
        case .debugMessage(let text, let always):
            if always { log.info("\(text.visible)") } else { log.debug("Remote: \(text.visible)") }
        case .banner(let text):
            if log.level >= .info { printError(text.visible) }
        case .authenticationMethods, .signatureNeeded, .informationRequested,
            .passwordChangeRequested:
            try authenticator.handle(event, on: &connection)
        case .authenticated:
            isAuthenticated = true
            let through = dialed.address.map { "([\($0.host)]:\($0.port))" } ?? "(via proxy)"
            log.debug(
                "Authenticated to \(settings.host) \(through) using \"\(authenticator.lastMethod)\"."
            )
        case .channelOpened(let id): opened(id)
        case .channelOpenFailed(let id, let reason, let message): openFailed(id, reason, message)
        case .channelOpenRequested(let id, let opening):
            connection.refuseChannel(
                id,
                reason: .administrativelyProhibited,
                message: "open failed"
            )
            log.debug("refused channel \(opening.typeName)")
        case .channelData(let id, let count): receive(id, count, isError: false)
        case .channelExtendedData(let id, let type, let count):
            receive(id, count, isError: type == ConnectionEvent.standardError)
        case .channelEOF(let id): sessions[id]?.peerHasEnded = true
        case .channelClosed(let id): sessions[id]?.isClosed = true
        case .channelRequest(let id, let request, let wantReply): answer(request, id, wantReply)
        case .channelRequestAnswered(let id, let success): answered(id, success)
        case .globalRequest(_, let wantReply):
            if wantReply { connection.answerGlobalRequest(success: false) }
        case .globalRequestAnswered:
            unansweredKeepAlives = 0
        case .keysExchanged, .extensionsReceived, .unimplemented, .pong, .channelWritable: break
        case .exchangeSignatureNeeded, .groupNeeded, .authenticationRequested,
            .channelPeerClosed:
            break
        }
    }

    private func decide(_ proven: ProvenHostKey) throws(ProtocolError) {
        guard let key = try? PublicKey(blob: proven.blob) else {
            throw ProtocolError(.hostKeyRefused, "unreadable host key")
        }
        log.debug("Server host key: \(key.type.name) \(key.fingerprint())")
        switch verification.verdict(on: key) {
        case .accepted: break
        case .acceptedWithoutTrust: authenticator.sendsNoSecrets = true
        case .refused:
            connection.rejectHostKey()
            throw ProtocolError(.hostKeyRefused, "Host key verification failed.")
        }
        binding = AgentBinding(proven)
        authenticator.binding = binding
        connection.acceptHostKey()
    }

    // MARK: Sessions

    /// Opens ssh's own session, or the forward of `-W`.
    /// In the background its input is empty, and its output goes on to where ours does now.
    package func openOwnSession(isBackground: Bool = false) throws(SystemError) {
        if let target = settings.standardForward {
            guard let id = connection.openChannel(ChannelOpening(standardForward: target)) else {
                return
            }
            hasOpenedForward = true
            sessions[id] = ClientSession(id, input: 0, output: 1, error: -1)
            return
        }
        guard settings.options.sessionType != ClientOptions.SessionType.none,
            let id = connection.openChannel(.session)
        else { return }
        let input = settings.options.stdinNull == true ? -1 : Descriptor.standardInput
        let session = ClientSession(
            id,
            input: input,
            output: isBackground ? try Descriptor.duplicate(1) : 1,
            error: isBackground ? try Descriptor.duplicate(2) : 2
        )
        if input < 0 { session.inputHasEnded = true }
        own = session
        sessions[id] = session
        if master == nil, settings.controlPath == nil {
            connection.requestGlobal(.noMoreSessions, wantReply: false)
        }
    }

    private func opened(_ id: ChannelID) {
        guard let session = sessions[id] else { return }
        session.isOpen = true
        if settings.standardForward != nil, session.passenger == nil {
            session.isRunning = true
            return
        }
        if let passenger = session.passenger {
            passenger.sessionOpened(session)
            start(session, passenger.request)
            return
        }
        var request = SessionRequest(settings)
        request.wantsTerminal = settings.wantsTerminal
        if request.wantsTerminal {
            session.hasTerminal = true
            let character = settings.escapeCharacter.byte
            session.escapeCharacter = character ?? 0
            session.escapes = character.map { EscapeSequences($0) }
        }
        start(session, request)
        if session.inputHasEnded { connection.sendEOF(on: id) }
    }

    private func start(_ session: ClientSession, _ request: SessionRequest) {
        let id = session.channel
        if request.wantsTerminal {
            let size = Terminal.windowSize(of: session.input) ?? WindowSize(columns: 0, rows: 0)
            var modes = TerminalModes()
            for (opcode, value) in Terminal.modes(of: session.input) {
                modes.append(TerminalModes.Opcode(rawValue: opcode), value)
            }
            connection.request(
                .pseudoTerminal(
                    PseudoTerminalRequest(
                        term: request.terminalType,
                        size: TerminalSize(size),
                        modes: modes
                    )
                ),
                on: id,
                wantReply: true
            )
            session.awaitedAnswers.append(.terminal)
        }
        for (name, value) in request.environment {
            connection.request(
                .environment(name: name, value: Array(value.utf8)),
                on: id,
                wantReply: false
            )
        }
        if request.isSubsystem {
            log.debug("Sending subsystem: \(request.command ?? "")")
            connection.request(.subsystem(name: request.command ?? ""), on: id, wantReply: true)
        } else if let command = request.command, !command.isEmpty {
            log.debug("Sending command: \(command)")
            connection.request(.exec(command: Array(command.utf8)), on: id, wantReply: true)
        } else {
            connection.request(.shell, on: id, wantReply: true)
        }
        session.awaitedAnswers.append(.start)
        session.isRunning = true
        if request.wantsTerminal, session.passenger == nil { enterRawMode() }
    }

    private func answered(_ id: ChannelID, _ success: Bool) {
        guard let session = sessions[id], !session.awaitedAnswers.isEmpty else { return }
        let awaited = session.awaitedAnswers.removeFirst()
        guard !success else { return }
        switch awaited {
        case .terminal:
            session.hasTerminal = false
            if let passenger = session.passenger {
                passenger.terminalFailed(session)
            } else {
                leaveRawMode()
                log.error("PTY allocation request failed on channel \(id)")
            }
        case .start:
            let what =
                settings.options.sessionType == .subsystem && session.passenger == nil
                ? "subsystem request failed on channel \(id)"
                : "exec request failed on channel \(id)"
            log.error(what)
            connection.closeChannel(id)
        case .other: break
        }
    }

    private func openFailed(
        _ id: ChannelID,
        _ reason: ChannelOpenFailureReason,
        _ message: String
    ) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        log.info("channel \(id): open failed: \(reason): \(message.visible)")
        if let passenger = session.passenger {
            passenger.openFailed(reason, message)
            session.release()
            return
        }
        if settings.standardForward != nil {
            log.error("stdio forwarding failed")
            isEnding = true
            endSignal = 0
        } else if session === own {
            isEnding = true
            session.isClosed = true
        }
    }

    private func answer(_ request: ChannelRequest, _ id: ChannelID, _ wantReply: Bool) {
        var success = true
        let session = sessions[id]
        switch request {
        case .exitStatus(let status):
            session?.exitStatus = status
            log.debug("client_input_channel_req: channel \(id) rtype exit-status reply 0")
        case .exitSignal(let signal):
            session?.exitSignal = signal
        case .endOfWrite:
            session?.inputHasEnded = true
        case .keepAlive: success = false
        default: success = false
        }
        if wantReply { connection.answerRequest(on: id, success: success) }
    }

    /// Passengers and ssh's own session that are over are told so and forgotten.
    private func finishSessions() {
        for (id, session) in sessions where session.isFinished {
            sessions[id] = nil
            if let passenger = session.passenger {
                passenger.finished(session)
                session.release()
            } else if session === own {
                leaveRawMode()
                ownIsReleased = true
                if master != nil, !sessions.isEmpty || settings.options.controlPersist != nil {
                    log.debug("own session is over; the connection stays for others")
                }
            }
        }
    }

    // MARK: Data

    private func receive(_ id: ChannelID, _ count: Int, isError: Bool) {
        guard let session = sessions[id] else {
            connection.consumed(count, on: id)
            return
        }
        if isError ? session.errorIsBroken || session.error < 0 : session.outputIsBroken {
            connection.consumed(count, on: id)
            return
        }
        let isQueued = isError ? !session.pendingError.isEmpty : !session.pendingOutput.isEmpty
        var written = 0
        if !isQueued {
            let fd = isError ? session.error : session.output
            switch Descriptor.write(fd, connection.received) {
            case .bytes(let count): written = count
            case .wouldBlock: break
            case .ended, .failed:
                breakOutput(session, isError: isError)
                connection.consumed(count, on: id)
                return
            }
        }
        if written < count {
            let rest = connection.received.extracting(droppingFirst: written)
            if isError {
                session.pendingError.append(rest)
            } else {
                session.pendingOutput.append(rest)
            }
        }
        if written > 0 { connection.consumed(written, on: id) }
    }

    private func writePending(_ session: ClientSession, isError: Bool) {
        let fd = isError ? session.error : session.output
        let result =
            isError
            ? Descriptor.write(fd, session.pendingError.bytes)
            : Descriptor.write(fd, session.pendingOutput.bytes)
        switch result {
        case .bytes(let count):
            if isError {
                session.pendingError.removeFirst(count)
            } else {
                session.pendingOutput.removeFirst(count)
            }
            connection.consumed(count, on: session.channel)
        case .wouldBlock: break
        case .ended, .failed: breakOutput(session, isError: isError)
        }
    }

    /// Nobody reads any more: the peer is told, so that its program ends.
    private func breakOutput(_ session: ClientSession, isError: Bool) {
        if isError {
            session.errorIsBroken = true
            return
        }
        session.outputIsBroken = true
        let isOpenSSH =
            connection.peerIdentification?.softwareVersion.hasPrefix("OpenSSH") == true
            || connection.peerIdentification?.softwareVersion.hasPrefix("Hawser") == true
        if isOpenSSH, !session.isClosed {
            connection.request(.endOfWrite, on: session.channel, wantReply: false)
        }
    }

    private var inputBuffer = [UInt8](repeating: 0, count: 64 << 10)

    private func readInput(_ session: ClientSession) {
        let room = min(connection.sendableBytes(on: session.channel), inputBuffer.count)
        guard room > 0 else { return }
        var whole = inputBuffer.mutableRawBytes
        var part = whole.prefix(room)
        switch Descriptor.read(session.input, into: &part) {
        case .bytes(let count):
            if session.escapes != nil {
                typed(Array(inputBuffer[0..<count]), session)
            } else {
                let buffer = inputBuffer
                _ = connection.send(buffer.rawBytes.extracting(first: count), on: session.channel)
            }
        case .wouldBlock: break
        case .ended, .failed:
            session.inputHasEnded = true
            connection.sendEOF(on: session.channel)
        }
    }

    // MARK: Terminal

    private func typed(_ bytes: [UInt8], _ session: ClientSession) {
        guard var escapes = session.escapes else { return }
        let actions = escapes.receive(bytes)
        session.escapes = escapes
        for action in actions { perform(action, session) }
    }

    private func perform(_ action: EscapeSequences.Action, _ session: ClientSession) {
        func show(_ text: String) {
            Descriptor.writeAll(session.error, Array(text.utf8))
        }
        let c = String(UnicodeScalar(session.escapeCharacter))
        switch action {
        case .send(let bytes): _ = connection.send(bytes.rawBytes, on: session.channel)
        case .disconnect:
            show("\(c).\r\n")
            if session.passenger != nil {
                connection.closeChannel(session.channel)
            } else {
                isDisconnectedByUser = true
                isEnding = true
                connection.disconnect(.byApplication, "disconnected by user")
            }
        case .suspend where session.passenger == nil:
            show("\(c)^Z [suspend ssh]\r\n")
            leaveRawMode()
            Daemon.suspend()
            if session.hasTerminal { enterRawMode() }
            windowChanged()
        case .help:
            show(
                EscapeSequences.help(
                    session.escapeCharacter,
                    isPassenger: session.passenger != nil
                )
            )
        case .listConnections:
            show("\(c)#\r\nThe following connections are open:\r\n")
            for (id, each) in sessions.sorted(by: { $0.key.number < $1.key.number }) {
                show(
                    "  #\(id) \(each.passenger == nil ? "client-session" : "mux-session") (t4 r\(id))\r\n"
                )
            }
        case .sendBreak:
            connection.request(
                .serialBreak(milliseconds: 1000),
                on: session.channel,
                wantReply: true
            )
            session.awaitedAnswers.append(.other)
        case .rekey: connection.rekeyNow()
        case .raiseVerbosity, .lowerVerbosity: changeVerbosity(action == .raiseVerbosity, show)
        case .suspend, .background, .commandLine: show("\(c): not available\r\n")
        }
    }

    private func changeVerbosity(_ isUp: Bool, _ show: (String) -> Void) {
        let next = log.level.rawValue + (isUp ? 1 : -1)
        if let level = LogLevel(rawValue: next) { log.level = level }
        show("\(isUp ? "~v" : "~V") [LogLevel \(log.level.keyword)]\r\n")
    }

    private func enterRawMode() {
        guard rawTerminal == nil, Descriptor.isTerminal(0),
            let settings = Terminal.settings(of: 0)
        else { return }
        rawTerminal = settings
        Terminal.makeRaw(0)
    }

    func leaveRawMode() {
        guard let settings = rawTerminal else { return }
        Terminal.restore(0, settings)
        rawTerminal = nil
    }

    func windowChanged() {
        for session in sessions.values where session.isRunning {
            guard session.hasTerminal, let size = Terminal.windowSize(of: session.input) else {
                continue
            }
            connection.request(
                .windowChange(TerminalSize(size)),
                on: session.channel,
                wantReply: false
            )
        }
    }

    private func takeSignals() {
        for signal in Signals.take() {
            if signal == 28 {
                windowChanged()
                continue
            }
            log.verbose("Killed by signal \(signal).")
            endSignal = signal
            isEnding = true
        }
    }

    // MARK: For the control master

    /// Opens a session for a passenger; nil when there are too many channels.
    func openSession(
        for passenger: ControlPassenger,
        input: Int32,
        output: Int32,
        error: Int32
    ) -> Bool {
        guard let id = connection.openChannel(.session) else { return false }
        let session = ClientSession(
            id,
            input: input,
            output: output,
            error: error,
            passenger: passenger
        )
        if passenger.request.wantsTerminal {
            session.hasTerminal = true
            session.escapeCharacter = passenger.escapeCharacter ?? 0
            session.escapes = passenger.escapeCharacter.map { EscapeSequences($0) }
        }
        sessions[id] = session
        return true
    }

    /// Ends the connection and every session on it.
    func end() {
        isEnding = true
        isDisconnectedByUser = true
        connection.disconnect(.byApplication, "disconnected by user")
    }

    func closeSession(of passenger: ControlPassenger) {
        for session in sessions.values where session.passenger === passenger {
            connection.closeChannel(session.channel)
            session.outputIsBroken = true
            session.errorIsBroken = true
            session.inputHasEnded = true
        }
    }

    /// Lets go of the connection without a word: another process goes on with it.
    package func abandon() {
        Descriptor.close(dialed.input)
        if dialed.output != dialed.input { Descriptor.close(dialed.output) }
        master?.abandon()
        master = nil
    }
}

extension ChannelOpening {
    /// The channel of `-W`.
    init(standardForward target: Forward.End) {
        switch target {
        case .tcp(let host, let port):
            self = .directTCPIP(
                TCPIPEndpoints(
                    host: host ?? "",
                    port: UInt32(port),
                    originatorAddress: "127.0.0.1",
                    originatorPort: 65535
                )
            )
        case .unix(let path): self = .directStreamLocal(path: path)
        }
    }
}

extension TerminalSize {
    init(_ size: WindowSize) {
        self.init(
            columns: size.columns,
            rows: size.rows,
            widthPixels: size.widthPixels,
            heightPixels: size.heightPixels
        )
    }
}

/// What a session is to be: ssh's own or a passenger's.
struct SessionRequest {
    var wantsTerminal = false
    var terminalType: String
    var isSubsystem: Bool
    var command: String?
    var environment: [(name: String, value: String)]

    init(_ settings: ClientSettings) {
        terminalType = settings.terminalType
        isSubsystem = settings.options.sessionType == .subsystem
        command = settings.command ?? settings.options.remoteCommand
        environment = Self.environment(settings)
    }

    init(
        wantsTerminal: Bool,
        terminalType: String,
        isSubsystem: Bool,
        command: String?,
        environment: [(name: String, value: String)]
    ) {
        self.wantsTerminal = wantsTerminal
        self.terminalType = terminalType
        self.isSubsystem = isSubsystem
        self.command = command
        self.environment = environment
    }

    /// What `SendEnv` and `SetEnv` choose.
    static func environment(_ settings: ClientSettings) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        for entry in Environment.all {
            guard let (name, value) = split(entry) else { continue }
            if settings.options.sendEnv.contains(where: { Patterns.matches($0, name) }) {
                result.append((name, value))
            }
        }
        var assigned: Set<String> = []
        for entry in (try? settings.setEnvironment) ?? [] {
            guard let (name, value) = split(entry), assigned.insert(name).inserted else { continue }
            result.append((name, value))
        }
        return result
    }

    static func split(_ entry: String) -> (name: String, value: String)? {
        guard let equals = entry.firstIndex(of: "=") else { return nil }
        return (String(entry[..<equals]), String(entry[entry.index(after: equals)...]))
    }
}
