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
    let output: Int32

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
    var typeOfService: Int32?
    private var isUnsentLimited = false
    private(set) var bytes: (received: UInt64, sent: UInt64) = (0, 0)
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
    var unusedUntil: UInt64?
    /// `UnusedConnectionTimeout`; seconds.
    let unusedSeconds: UInt64?
    /// Programs that run on although their channel is gone.
    var orphans: Set<Int32> = []

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

    init(
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
        unusedSeconds = settings.given("unusedconnectiontimeout")
            .flatMap { UInt64($0) }.flatMap { $0 > 0 ? $0 : nil }
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

    // MARK: The loop

    func serve() -> Int32 {
        Descriptor.setNonblocking(input)
        Descriptor.setNonblocking(output)
        Signals.ignore([13])  // SIGPIPE
        Signals.watch([17, 15])  // SIGCHLD, SIGTERM
        updateTitle()
        if settings.clientAliveSeconds > 0 { scheduleKeepAlive() }
        announceHostKeys()
        for note in start.notes { connection.sendDebug(note) }
        watch.set(Signals.descriptor, read: true, write: false)
        watch.set(monitor.descriptor, read: true, write: false)
        while exitStatus == nil {
            pump()
            flush()
            if exitStatus != nil { break }
            wait()
        }
        if hasLostClient { tellLost() }
        closeEverything()
        return exitStatus ?? 0
    }

    private func wait() {
        checkUse()
        limitUnsent()
        let wantsInput = connection.wantsInput && proofs == nil
        let wantsOutput = connection.hasOutput
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
        var isReset = false
        Descriptor.lastError = 0
        _ = connection.receive(upTo: 256 << 10) { (span: inout MutableRawSpan) -> Int in
            transfer = Descriptor.read(input, into: &span)
            isReset = SystemError.isReset(Descriptor.lastError)
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
            let peer = start.peer.description
            log.info("Connection \(isReset ? "reset" : "closed") by \(peer)")
            finish(255)
            hasLostClient = true
        }
    }

    /// The client went without a word.
    private var hasLostClient = false

    /// What OpenSSH tells at the end of a connection that the client just left.
    private func tellLost() {
        for session in sessions.values.sorted(by: { $0.number < $1.number }) {
            tellClosed(session)
        }
        log.verbose("Transferred: sent \(bytes.sent), received \(bytes.received) bytes")
        log.verbose("Closing connection to \(start.peer.description)")
    }

    func tellClosed(_ session: Session) {
        log.verbose(
            "Close session: user \(user.name) from \(start.peer.description) "
                + "id \(session.number)"
        )
    }

    private func flush() {
        var transfer = Transfer.wouldBlock
        let sent = connection.sendOutput { bytes in
            transfer = Descriptor.write(output, bytes)
            return transfer.count
        }
        bytes.sent &+= UInt64(sent)
        if transfer.isOver {
            finish(255)
            connection.output.removeAll()
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

    func explain(_ error: ProtocolError) {
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
}
