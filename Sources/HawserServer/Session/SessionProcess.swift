// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The process that serves a logged-in user, as that user: the connection on one side, the user's
/// programs and forwarded connections on the other.
package final class SessionProcess {
    let monitor: MessageSocket
    let descriptors: Int32
    let start: SessionStart
    let settings: ServerSettings
    let keyOptions: AuthorizedKeyOptions
    let user: User
    let log: Log
    var connection: ServerConnection
    private let input: Int32
    private let output: Int32

    var sessions: [ChannelID: Session] = [:]
    var forwards: [ChannelID: Forward] = [:]
    var tunnels: [ChannelID: TunnelChannel] = [:]
    var listeners: [ForwardListener] = []
    /// Pipes of sftp-servers.
    var fileEvents: [Int32: FileEventReader] = [:]
    /// What the loop waits for.
    let watch: DescriptorWatch
    /// Whose a descriptor that is waited for is.
    private var owners: [Int32: Owner] = [:]
    var idleLimits: IdleLimits
    /// The socket of the forwarded agent.
    var agentSocket: String?
    /// The file of `ExposeAuthInfo`.
    var exposedFile: String?
    private var typeOfService: Int32?
    private var isUnsentLimited = false
    private var bytes: (received: UInt64, sent: UInt64) = (0, 0)
    /// What is read from programs and forwarded connections passes through here; small until one
    /// of them fills it.
    var scratch = [UInt8](repeating: 0, count: ChannelPipe.smallReadBytes)
    /// Something has happened since memory was last given back.
    private var hasWorked = true
    /// This process is no copy: no other has the pages of its program that only the start has changed.
    private let isStartedAnew: Bool
    /// For how long longer nothing happens before those are given back too; nanoseconds.
    private var restsAfter: UInt64 = 0
    /// Requests to the monitor whose answers are due, oldest first.
    var waiting: [Waiting] = []
    private var exitStatus: Int32?
    /// Proofs of host keys that the monitor is making.
    var proofs: HostKeyProofs?
    var keepAlive = KeepAlive()
    /// When a connection without a channel ends; nanoseconds.
    private var unusedUntil: UInt64?

    enum Owner {
        case channel(ChannelID)
        case listener(ForwardListener)
    }

    enum Waiting {
        case exchangeSignature
        case group
        case terminal(ChannelID, PseudoTerminalRequest, wantReply: Bool)
        case hostKeyProof(HostKeyProofs)
    }

    /// Unanswered signs of life.
    struct KeepAlive {
        var unanswered = 0
        var next: UInt64?
    }

    /// Signatures that are collected for one answer.
    final class HostKeyProofs {
        var missing: Int
        var signatures: [[UInt8]] = []
        init(missing: Int) { self.missing = missing }
    }

    /// `RDomain`: false, after saying why, when the session cannot be in it.
    private static func enterRoutingDomain(
        _ start: SessionStart,
        _ settings: ServerSettings,
        _ log: Log
    ) -> Bool {
        guard let wanted = settings.given("rdomain") else { return true }
        let name = wanted == "%D" ? start.peer.routingDomain : wanted
        guard !name.isEmpty else { return true }
        do throws(SystemError) {
            try RoutingDomain.enter(name)
            log.debug("routing domain \(name)")
            return true
        } catch {
            log.fatal("Unable to set routing domain \(name): \(error)")
            return false
        }
    }

    /// Serves the user until the connection ends; returns the exit status.
    package static func run(
        monitor: Int32,
        input: Int32,
        output: Int32,
        descriptors: Int32
    ) -> Int32 {
        let socket = MessageSocket(monitor, limitBytes: MonitorLimits.handoverBytes)
        guard let message = socket.waitForNext(),
            case .session(let start)? = try? MonitorAnswer(decoding: message.rawBytes)
        else { return 255 }
        return run(
            start,
            ServerSettings(text: start.configuration),
            socket,
            input: input,
            output: output,
            descriptors: descriptors,
            isStartedAnew: true
        )
    }

    /// The same in a copy of the monitor, which knows what it has to.
    static func run(
        _ start: SessionStart,
        _ settings: ServerSettings,
        _ socket: MessageSocket,
        input: Int32,
        output: Int32,
        descriptors: Int32,
        isStartedAnew: Bool = false
    ) -> Int32 {
        var log = Log(level: start.logLevel, sink: MonitorLogSink(socket))
        for descriptor in [socket.descriptor, input, output, descriptors] {
            Descriptor.setCloseOnExec(descriptor)
        }
        guard let user = Accounts.numbered(start.uid) ?? User.named(start.userName) else {
            log.fatal("no account for \(start.userName)")
            return 255
        }
        log.overrides = LogOverrides(settings.words("logverbose"), program: "sshd-session")
        guard enterRoutingDomain(start, settings, log) else { return 255 }
        if start.mustChangeIdentity {
            do throws(PrivilegeError) {
                if let directory = settings.chrootDirectory {
                    try enterRoot(directory, user, log)
                }
                try Identity.becomePermanently(uid: start.uid, gid: start.gid)
            } catch {
                log.fatal("\(error)")
                return 255
            }
        }
        Sandbox.forbidTracing()
        var options = TransportOptions(
            isClient: false,
            identification: "",
            proposal: start.proposal
        )
        options.rekeyLimit = settings.rekeyLimit
        options.hostKeys = start.hostKeys
        options.signatureAlgorithms = start.signatureAlgorithms
        options.log = log
        options.makeCompression = { ZlibCompression() }
        do throws(WireError) {
            let connection = try ServerConnection.continuing(
                SecretBytes(start.handover),
                options,
                random: SystemRandom(),
                at: now()
            )
            guard let watch = try? DescriptorWatch() else { return 255 }
            let process = SessionProcess(
                socket,
                watch,
                descriptors,
                start,
                settings,
                user,
                log,
                connection,
                input: input,
                output: output,
                isStartedAnew: isStartedAnew
            )
            return process.serve()
        } catch {
            log.fatal("handover: \(error)")
            return 255
        }
    }

    /// `ChrootDirectory`: every part of the path must be root's, and writable by nobody else.
    private static func enterRoot(
        _ pattern: String,
        _ user: User,
        _ log: Log
    ) throws(PrivilegeError) {
        let tokens = Tokens(["h": user.home, "u": user.name, "U": String(user.uid)])
        guard let path = tokens.expand(pattern), path.hasPrefix("/") else {
            throw PrivilegeError(call: "chroot path does not begin at root", errno: 22)
        }
        var parts = [path]
        while let part = parts.last, part != "/" { parts.append(Files.parent(of: part)) }
        for part in parts.reversed() {
            guard let status = Files.status(part) else {
                let reason = Files.reasonForAbsence(of: part) ?? "No such file or directory"
                log.fatal("stat(\"\(part)\"): \(reason)")
                throw PrivilegeError(call: "chroot \(path)", errno: 2)
            }
            guard status.isDirectory, status.uid == 0, status.mode & 0o022 == 0 else {
                let component = part == "/" ? part : part + "/"
                let what = part == path ? "\"\(path)\"" : "component \"\(component)\""
                log.fatal("bad ownership or modes for chroot directory \(what)")
                throw PrivilegeError(call: "chroot \(path)", errno: 1)
            }
        }
        try ChangeRoot.enter(path)
        log.info("Changed root directory to \"\(path)\"")
    }

    private init(
        _ monitor: MessageSocket,
        _ watch: DescriptorWatch,
        _ descriptors: Int32,
        _ start: SessionStart,
        _ settings: ServerSettings,
        _ user: User,
        _ log: Log,
        _ connection: consuming ServerConnection,
        input: Int32,
        output: Int32,
        isStartedAnew: Bool
    ) {
        self.monitor = monitor
        self.isStartedAnew = isStartedAnew
        self.watch = watch
        idleLimits = IdleLimits(settings.words("channeltimeout"))
        self.descriptors = descriptors
        self.start = start
        self.settings = settings
        self.user = user
        self.log = log
        self.connection = connection
        self.input = input
        self.output = output
        keyOptions = Self.keyOptions(start)
    }

    /// What the key's line and its certificate allow. What cannot be understood, which the monitor
    /// has checked before, allows nothing.
    private static func keyOptions(_ start: SessionStart) -> AuthorizedKeyOptions {
        var nothing = AuthorizedKeyOptions()
        nothing.command = "false"
        guard let ofLine = try? AuthorizedKeyOptions(parsing: start.keyOptions) else {
            return nothing
        }
        guard !start.certificate.isEmpty else { return ofLine }
        guard let certificate = try? PublicKey(blob: start.certificate).certificate,
            let options = try? CertificateOptions(ofUser: certificate)
        else { return nothing }
        return (try? ofLine.limited(by: options)) ?? nothing
    }

    // MARK: The loop

    private func serve() -> Int32 {
        Descriptor.setNonblocking(input)
        Descriptor.setNonblocking(output)
        Signals.ignore([13])  // SIGPIPE
        Signals.watch([17, 15])  // SIGCHLD, SIGTERM
        updateTitle()
        if settings.clientAliveSeconds > 0 { scheduleKeepAlive() }
        announceHostKeys()
        watch.set(Signals.descriptor, read: true, write: false)
        watch.set(monitor.descriptor, read: true, write: false)
        while exitStatus == nil {
            pump()
            flush()
            if exitStatus != nil { break }
            wait()
        }
        closeEverything()
        return exitStatus ?? 0
    }

    private func wait() {
        checkUse()
        limitUnsent()
        let wantsInput = connection.wantsInput && proofs == nil
        let wantsOutput = !connection.output.isEmpty
        if input == output {
            watch.set(input, read: wantsInput, write: wantsOutput)
        } else {
            watch.set(input, read: wantsInput, write: false)
            watch.set(output, read: false, write: wantsOutput)
        }
        var isQuiet = true
        let hasRested = watch.wait(
            timeout: hasWorked ? min(timeout ?? Self.rest, Self.rest) : timeout,
            rests: isStartedAnew && !hasWorked ? restsAfter : nil
        ) { ready in
            isQuiet = false
            take(ready)
        }
        if hasRested { restsAfter = 2_000_000_000 }
        if isQuiet, hasWorked { rest() }
        hasWorked = !isQuiet
        checkKeepAlive()
        checkIdleness()
    }

    /// Keeps what the system has not sent yet short while there is someone who types.
    private func limitUnsent() {
        guard connection.isShared != isUnsentLimited else { return }
        isUnsentLimited.toggle()
        Socket.setUnsentLimit(output, isUnsentLimited ? ConnectionLimits.sharedUnsentBytes : nil)
    }

    /// For how long nothing happens before memory is given back; nanoseconds.
    private static let rest: UInt64 = 200_000_000

    /// Gives back what the last burst needed.
    private func rest() {
        if scratch.count > ChannelPipe.smallReadBytes {
            scratch = [UInt8](repeating: 0, count: ChannelPipe.smallReadBytes)
        }
        connection.shrinkBuffers()
        Memory.trim()
    }

    private func take(_ ready: DescriptorWatch.Ready) {
        guard exitStatus == nil else { return }
        switch ready.descriptor {
        case input, output:
            if ready.isWritable { flush() }
            if ready.isReadable { read() }
        case monitor.descriptor:
            monitor.fill()
            takeAnswers()
        case Signals.descriptor:
            takeSignals()
        default:
            switch owners[ready.descriptor] {
            case .channel(let id): move(ready, id)
            case .listener(let listener): accept(ready.descriptor, listener)
            case nil:
                if !takeFileEvents(ready.descriptor) { watch.forget(ready.descriptor) }
            }
        }
    }

    private func move(_ ready: DescriptorWatch.Ready, _ id: ChannelID) {
        if let session = sessions[id] {
            session.pipe?.move(ready, &scratch, &connection)
            finishIfDone(session)
        } else if let forward = forwards[id] {
            moveForward(forward, ready)
        } else if let tunnel = tunnels[id] {
            tunnel.read(&scratch, &connection)
        } else {
            watch.forget(ready.descriptor)
        }
    }

    /// Notes whose these descriptors are.
    func own(_ descriptors: [Int32], _ owner: Owner) {
        for descriptor in descriptors { owners[descriptor] = owner }
    }

    private var timeout: UInt64? {
        let now = Clock.nanoseconds
        let times = [
            connection.deadline?.nanoseconds, keepAlive.next, unusedUntil, idleLimits.nextCheck,
        ].compactMap { $0 }
        return times.min().map { $0 > now ? $0 - now : 0 }
    }

    private func read() {
        var transfer = Transfer.wouldBlock
        _ = connection.receive(upTo: 256 << 10) { (span: inout MutableRawSpan) -> Int in
            transfer = Descriptor.read(input, into: &span)
            if case .bytes(let count) = transfer { return count }
            return 0
        }
        switch transfer {
        case .bytes(let count):
            bytes.received &+= UInt64(count)
            keepAlive.unanswered = 0
            if keepAlive.next != nil { scheduleKeepAlive() }
        case .wouldBlock: break
        case .ended, .failed:
            log.info("Connection closed by \(start.peer.description)")
            finish(255)
        }
    }

    private func flush() {
        while !connection.output.isEmpty {
            switch Descriptor.write(output, connection.output.bytes) {
            case .bytes(let count):
                bytes.sent &+= UInt64(count)
                connection.output.removeFirst(count)
            case .wouldBlock: return
            case .ended, .failed:
                finish(255)
                connection.output.removeAll()
            }
        }
    }

    private func pump() {
        do throws(ProtocolError) {
            // A client that has what it came for leaves without the proofs it asked for: they go
            // out before anything that it sent later is looked at.
            while exitStatus == nil, proofs == nil, let event = try connection.nextEvent(at: now())
            {
                handle(event)
            }
        } catch {
            explain(error)
        }
    }

    private func explain(_ error: ProtocolError) {
        let peer = start.peer.description
        if case .disconnected(let reason) = error.kind {
            log.info("Received disconnect from \(peer):\(reason): \(error.text)")
            log.info("Disconnected from user \(user.name) \(peer)")
        } else {
            log.fatal(
                "ssh_dispatch_run_fatal: Connection from user \(user.name) \(peer): \(error.text)"
            )
            connection.disconnect(after: error)
            flush()
        }
        finish(error.reason == nil ? 0 : 255)
    }

    func finish(_ status: Int32) {
        if exitStatus == nil { exitStatus = status }
    }

    private func closeEverything() {
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

    // MARK: Events

    private func handle(_ event: ConnectionEvent) {
        switch event {
        case .exchangeSignatureNeeded(let request):
            waiting.append(.exchangeSignature)
            ask(
                .sign(
                    SigningRequest(
                        keyBlob: request.hostKeyBlob,
                        algorithm: request.algorithm,
                        data: request.exchangeHash
                    )
                )
            )
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
            log.verbose(
                "Close session: user \(user.name) from \(start.peer.description) "
                    + "id \(session.number)"
            )
            ask(.report(.sessionEnded(id: session.number)))
            closeDisplay(session)
            release(session)
            orphans.formUnion([session.child].compactMap { $0 })
        } else {
            closeTunnel(id)
            forwardClosed(id)
        }
    }

    /// Programs that run on although their channel is gone.
    private var orphans: Set<Int32> = []

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

    // MARK: Answers of the monitor

    private func takeAnswers() {
        while let message = monitor.next() {
            guard let answer = try? MonitorAnswer(decoding: message.rawBytes), !waiting.isEmpty
            else {
                return finish(255)
            }
            take(answer, for: waiting.removeFirst())
        }
        if monitor.hasEnded { finish(255) }
    }

    private func take(_ answer: MonitorAnswer, for request: Waiting) {
        switch (request, answer) {
        case (.exchangeSignature, .signature(let blob)):
            connection.provideExchangeSignature(blob)
        case (.group, .group(let prime, let generator)):
            do throws(ProtocolError) {
                try connection.provideGroup(
                    prime.isEmpty ? nil : FiniteFieldGroup(prime: prime, generator: generator)
                )
            } catch { explain(error) }
        case (.terminal(let id, let request, let wantReply), .terminal(let path)):
            takeTerminal(path, id, request, wantReply: wantReply)
        case (.terminal(let id, _, let wantReply), _):
            missTerminal(id, wantReply: wantReply)
        case (.hostKeyProof(let proofs), .signature(let blob)):
            proofs.signatures.append(blob)
            proofs.missing -= 1
            guard proofs.missing == 0 else { return }
            self.proofs = nil
            let isGood = proofs.signatures.allSatisfy { !$0.isEmpty }
            connection.answerGlobalRequest(
                success: isGood,
                payload: isGood ? GlobalRequest.answer(signatures: proofs.signatures) : []
            )
        default:
            finish(255)
        }
    }

    // MARK: Ends of programs

    private func takeSignals() {
        for signal in Signals.take() {
            if signal == 15 {
                log.info("Exiting on signal 15")
                finish(255)
            }
        }
        while let (pid, end) = Child.reap() {
            orphans.remove(pid)
            if let session = sessions.values.first(where: { $0.startupFile == pid }) {
                session.startupFile = nil
                startWaitingProgram(session)
            } else if let session = sessions.values.first(where: { $0.child == pid }) {
                session.child = nil
                session.ending = end
                sendEnding(session)
                if session.hasPeerClosed { connection.closeChannel(session.channel) }
                finishIfDone(session)
            }
        }
    }

    /// Tells how the program ended, before the channel closes.
    private func sendEnding(_ session: Session) {
        guard let ending = session.ending, !session.hasSentEnding else { return }
        session.hasSentEnding = true
        switch ending {
        case .exited(let status):
            connection.request(
                .exitStatus(UInt32(truncatingIfNeeded: status)),
                on: session.channel,
                wantReply: false
            )
        case .signaled(let number, let coreDumped):
            connection.request(
                .exitSignal(ExitSignal(name: SignalName.name(of: number), coreDumped: coreDumped)),
                on: session.channel,
                wantReply: false
            )
        }
    }

    /// Closes the channel once the program has ended and all its output has been sent. A terminal
    /// does not wait for what still has it open.
    func finishIfDone(_ session: Session) {
        guard session.ending != nil, let pipe = session.pipe else { return }
        let isDone =
            session.terminal == nil ? pipe.isDrained : pipe.drain(&scratch, &connection)
        if isDone { connection.closeChannel(session.channel) }
    }

    /// `UnusedConnectionTimeout`: ends a connection on which no channel is open for so long.
    private func checkUse() {
        guard let seconds = settings.given("unusedconnectiontimeout").flatMap({ UInt64($0) }),
            seconds > 0
        else { return }
        guard connection.channelCount == 0 else {
            unusedUntil = nil
            return
        }
        let now = Clock.nanoseconds
        let limit = unusedUntil ?? now + seconds * 1_000_000_000
        unusedUntil = limit
        guard now >= limit else { return }
        log.info(
            "terminating inactive connection from user \(user.name) \(start.peer.description)"
        )
        finish(255)
    }

    /// `ChannelTimeout`: ends channels on which nothing has moved for too long.
    private func checkIdleness() {
        guard let next = idleLimits.nextCheck, Clock.nanoseconds >= next else { return }
        let now = Clock.nanoseconds
        idleLimits.nextCheck = nil
        var newest: UInt64 = 0
        func isOver(_ pipe: ChannelPipe, _ limit: UInt64?) -> Bool {
            newest = max(newest, pipe.lastActive)
            guard let limit else { return false }
            idleLimits.check(by: max(now + 1, pipe.lastActive &+ limit))
            return pipe.lastActive &+ limit <= now
        }
        for session in Array(sessions.values) {
            guard let pipe = session.pipe, isOver(pipe, session.idleLimit) else { continue }
            endIdle(session.channel, pipe)
        }
        for forward in Array(forwards.values) {
            guard let pipe = forward.pipe, isOver(pipe, forward.idleLimit) else { continue }
            endIdle(forward.channel, pipe)
        }
        guard let all = idleLimits.all, newest > 0 else { return }
        guard newest &+ all <= now else { return idleLimits.check(by: newest &+ all) }
        for id in Array(sessions.keys) + Array(forwards.keys) {
            if let pipe = pipe(of: id) { endIdle(id, pipe) }
        }
    }

    private func endIdle(_ id: ChannelID, _ pipe: ChannelPipe) {
        log.verbose("channel \(id): closing after inactivity (ChannelTimeout)")
        if forwards[id]?.isClosed == true {
            forwards.removeValue(forKey: id)?.close(watch)
            return
        }
        pipe.close()
        connection.closeChannel(id)
    }

    // MARK: Signs of life

    private func scheduleKeepAlive() {
        keepAlive.next =
            Clock.nanoseconds + UInt64(max(1, settings.clientAliveSeconds)) * 1_000_000_000
    }

    private func checkKeepAlive() {
        guard let next = keepAlive.next, Clock.nanoseconds >= next else { return }
        let limit = settings.clientAliveCount
        if limit > 0, keepAlive.unanswered >= limit {
            log.info(
                "Timeout, client not responding from user \(user.name) \(start.peer.description)"
            )
            return finish(255)
        }
        keepAlive.unanswered += 1
        connection.requestGlobal(.keepAlive, wantReply: true)
        scheduleKeepAlive()
    }
}

/// zlib as the protocol takes it.
private final class ZlibCompression: PacketCompression {
    private let stream = Zlib()

    func compress(_ payload: RawSpan, into output: inout ByteQueue) {
        stream.compress(payload, into: &output)
    }

    func decompress(
        _ payload: RawSpan,
        into output: inout ByteQueue,
        limitBytes: Int
    ) -> Bool {
        stream.decompress(payload, into: &output, limitBytes: limitBytes)
    }
}

/// Signals by the names of RFC 4254 §6.10.
enum SignalName {
    private static let names: [(Int32, String)] = [
        (6, "ABRT"), (14, "ALRM"), (8, "FPE"), (1, "HUP"), (4, "ILL"), (2, "INT"), (9, "KILL"),
        (13, "PIPE"), (3, "QUIT"), (11, "SEGV"), (15, "TERM"), (10, "USR1"), (12, "USR2"),
    ]

    static func name(of number: Int32) -> String {
        names.first { $0.0 == number }?.1 ?? "SIG@openssh.com"
    }

    static func number(of name: String) -> Int32? {
        names.first { $0.1 == name }?.0
    }
}
