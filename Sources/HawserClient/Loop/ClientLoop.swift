// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
package import HawserLog
internal import HawserProtocol
package import HawserSystem
internal import HawserWire

/// Why a client ended without an exit status of the remote command; the text has been logged or is
/// for the user.
package struct ClientFailure: Error {
    package var text: String?
    /// The server was not as the guess had it (`GuessKeyExchange`): a connection without one will do.
    package var isWrongGuess = false

    package init(_ text: String?) {
        self.text = text
    }
}

/// One connection of ssh: descriptors on one side, the protocol on the other.
///
/// What belongs to it stands in the files beside this one: how it waits (`+Turn`), what the peer
/// tells it (`+Events`), its own session (`+Session`), the terminal (`+Terminal`), forwarded
/// connections (`+Forwards`), other ssh processes (`+Passengers`).
package final class ClientLoop {
    let settings: ClientSettings
    var log: Log
    let dialed: Dialed
    var connection: ClientConnection
    let verification: HostKeyVerification
    let hostKeyUpdate: HostKeyUpdate
    /// Nil where nothing is guessed.
    private var keyExchanges: KeyExchangeMemory?
    /// What it says of this host.
    private var rememberedGuess: KeyExchangeGuess?
    /// The server's key was known, so that its word about other keys counts.
    var mayUpdateHostKeys = false
    /// The server's key is not the known one, and the user goes on all the same: what could be turned
    /// against the user (agent, X11, ports) is not forwarded.
    var isUntrusted = false
    private(set) lazy var authenticator = Authenticator(settings, log: log)
    /// What agents are told about this session.
    var binding: AgentBinding?
    var isAuthenticated = false
    let started = Clock.nanoseconds
    /// A master has the keys; we are its proxy client.
    let isBare: Bool
    let compressions = Compressions()

    // Waiting.
    let descriptors: DescriptorWatch
    /// By descriptor.
    var watchers: [(any Watcher)?] = []
    /// What was read last; one read at a time. Empty before the first, and while nothing happens.
    var buffer: [UInt8] = []
    var socketHasEnded = false
    /// How the socket ended; nil while it has not.
    var ending: SocketEnding?
    /// Why nothing more can be sent: the error's number.
    var writeFailure: Int32?
    var lastReceived = Clock.nanoseconds
    var unansweredKeepAlives = 0
    var nextKeepAlive: UInt64?
    /// After how long without anything to do memory is given back, in nanoseconds.
    var restsAfter: UInt64 = 200_000_000
    /// Things to do later, the first one first.
    var timers = Timers()

    // Channels.
    var channels: [ChannelID: ClientChannel] = [:]
    /// Channels whose socket is to be told that its output is over. Often the channel is closed by the
    /// next message, and with it the socket.
    var endedOutputs: [ClientChannel] = []
    /// `ChannelTimeout`.
    var idleLimits: IdleLimits
    /// ssh's own session, if it has one.
    var own: ClientSession?
    var ownIsOver = false
    /// Nothing has to be done between the authentication and the opening of ssh's own session.
    package var mayOpenEarly = false
    package var hasOwnSession: Bool { own != nil }
    /// Whom the answers to our global requests are for.
    var awaitedGlobals: [GlobalRequestID: (Bool, [UInt8]) -> Void] = [:]

    // Forwarding.
    package var forwarding: ForwardingSettings
    var listeners: [ForwardListener] = []
    var remoteForwards: [RemoteForward] = []
    /// The forwards of the configuration are being made.
    var isStarting = true
    var hasOpenedForward = false
    /// The channel of `-w`, which keeps nobody here.
    var tunnel: TunnelChannel?
    /// The network interface of `-w`, which `LocalCommand` may name.
    package var tunnelInterface: String?
    package var agentForwarding = AgentForwarding(path: nil)
    /// The agents that sessions asked for, the last one first in use; channels are refused before.
    var agents: [(session: ChannelID, path: String)] = []
    /// Displays that sessions may use.
    var x11: [X11Forwarding] = []

    // Multiplexing.
    package var master: ControlMaster? { didSet { master?.start(self) } }
    /// This process serves passengers only, and ends as `ControlPersist` says.
    package var isPersistentMaster = false
    /// When a master without sessions ends.
    var idleDeadline: UInt64?
    /// Until when proofs of host keys are waited for at the end.
    private var proofsDeadline: UInt64?

    // What is typed, and how the network is to treat it.
    var keystrokes = Keystrokes()
    /// What the system may hold unsent, in bytes; nil: as much as it likes.
    var unsentLimit: Int?
    /// The last one set; nil before.
    var typeOfService: Int32?

    // The end.
    var rawTerminal: Terminal.Settings?
    var isEnding = false
    var isDisconnectedByUser = false
    var endSignal: Int32?
    /// Something that ends us, found where nothing can be thrown.
    var failure: ClientFailure?

    static let bufferBytes = ConnectionLimits.maximumDataBytes

    package init(
        _ settings: ClientSettings,
        _ dialed: Dialed,
        forwarding: ForwardingSettings,
        identification: String,
        isBare: Bool = false,
        mayGuess: Bool = true,
        log: Log
    ) throws {
        self.settings = settings
        self.dialed = dialed
        self.forwarding = forwarding
        self.isBare = isBare
        self.log = log
        descriptors = try DescriptorWatch()
        let options = settings.options
        idleLimits = IdleLimits(options.values(.channelTimeout))
        verification = try HostKeyVerification(settings, address: dialed.address, log: log)
        hostKeyUpdate = HostKeyUpdate(settings, verification, log: log)
        var proposal = settings.algorithms.proposal
        guard let ordered = verification.ordered(proposal.hostKey) else {
            throw ConfigError(file: "", line: 0, text: "KnownHostsCommand failed")
        }
        proposal.hostKey = ordered
        var transport = TransportOptions(
            isClient: true,
            identification: identification,
            proposal: proposal
        )
        transport.log = log
        transport.minimumRSABits = options.requiredRSASize ?? 1024
        transport.makeCompression = { [compressions] in compressions.make() }
        if let limit = options.rekeyLimit {
            transport.rekeyLimit = RekeyLimit(
                bytes: limit.bytes == 0 ? nil : limit.bytes,
                interval: limit.seconds == 0 ? nil : .seconds(limit.seconds)
            )
        }
        if isBare {
            connection = .bare(transport, random: SystemRandom(), at: Self.now)
            isAuthenticated = true
            return
        }
        if options.guessKeyExchange ?? true {
            keyExchanges = KeyExchangeMemory(host: verification.name, log: log)
            rememberedGuess = keyExchanges?.guess
            // A connection that somebody else has made cannot be made again.
            let isOurs = dialed.address != nil || dialed.helper != nil
            if mayGuess, isOurs { transport.guess = rememberedGuess }
        }
        connection = ClientConnection(transport, random: SystemRandom(), at: Self.now)
        connection.authenticate(user: settings.user)
    }

    static var now: Instant { Instant(nanoseconds: Clock.nanoseconds) }

    // MARK: Phases

    /// Runs until the user is in. Throws why not.
    package func authenticate() throws(ClientFailure) {
        do throws(ClientFailure) {
            try runUntilAuthenticated()
        } catch {
            own?.giveBackInput()
            own?.release()
            // What has not come as far as keys may have failed by the guess.
            if connection.negotiated == nil { forgetWrongGuess() }
            if error.isWrongGuess { abandon() }
            throw error
        }
    }

    /// For the next login to this host.
    func rememberKeyExchange() {
        guard let guess = connection.nextGuess else { return forgetWrongGuess() }
        if guess != rememberedGuess { keyExchanges?.keep(guess) }
    }

    private func forgetWrongGuess() {
        if connection.hasGuessed { keyExchanges?.forget() }
    }

    private func runUntilAuthenticated() throws(ClientFailure) {
        var wait = LoginWait(settings.options, now: Clock.nanoseconds)
        while !isAuthenticated {
            let begin = Clock.nanoseconds
            try settle()
            wait.note(begin: begin, end: Clock.nanoseconds, lastReceived: lastReceived)
            if isAuthenticated { break }
            if socketHasEnded {
                throw ClientFailure(
                    (ending ?? .closed).textWhenEarly(
                        peerName,
                        isIdentified: connection.peerIdentification != nil
                    )
                )
            }
            let isIdentified = connection.peerIdentification != nil
            let deadline = wait.deadline(
                isIdentified: isIdentified,
                hasKeys: connection.negotiated != nil
            )
            if let deadline, Clock.nanoseconds >= deadline {
                throw ClientFailure(
                    (isIdentified ? "" : "Connection timed out during banner exchange\r\n")
                        + "Connection to \(peerName) timed out"
                )
            }
            try turn(deadline: deadline)
        }
    }

    /// Runs until ssh's own session and its passengers are over, and returns the exit status.
    package func run() throws(ClientFailure) -> Int32 {
        Self.watchSignals()
        isStarting = false
        defer {
            leaveRawMode()
            removeSockets()
            own?.release()
            for channel in channels.values { channel.release() }
        }
        while true {
            try settle()
            if let failure {
                connection.disconnect(.byApplication, "disconnected by user")
                flush()
                throw failure
            }
            if isOver, !awaitsProofs { break }
            if socketHasEnded {
                if isDisconnectedByUser || isEnding { break }
                let ending = ending ?? .closed
                let text = ending.text(settings.host)
                guard ending.isOfReading, own?.hasTerminal == true, own?.isRunning == true,
                    log.level >= .info
                else { throw ClientFailure(text) }
                throw ClientFailure("\(text)\r\nConnection to \(settings.host) closed.")
            }
            try turn(deadline: proofsDeadline ?? idleDeadline)
        }
        leaveRawMode()
        removeSockets()
        flush()
        if let own {
            own.release()
            if own.hasTerminal, endSignal ?? 0 == 0,
                settings.options.logLevel?.uppercased() != "QUIET"
            {
                log.info(
                    (master != nil ? "Shared connection" : "Connection")
                        + " to \(settings.host) closed."
                )
            }
            if endSignal == nil {
                tellTraffic()
                log.debug("Exit status \(own.exitStatus.map(Int64.init) ?? -1)")
            }
            return isDisconnectedByUser || endSignal != nil ? 255 : own.status
        }
        if endSignal == nil { tellTraffic() }
        return endSignal == nil ? 0 : 255
    }

    /// How much went over the connection, and how fast.
    private func tellTraffic() {
        let (received, sent) = connection.traffic
        let seconds = Double(Clock.nanoseconds &- started) / 1e9
        func perSecond(_ bytes: UInt64) -> String {
            ClientLoop.tenths(seconds > 0 ? Double(bytes) / seconds : 0)
        }
        log.verbose(
            "Transferred: sent \(sent.bytes), received \(received.bytes) bytes, "
                + "in \(ClientLoop.tenths(seconds)) seconds"
        )
        log.verbose(
            "Bytes per second: sent \(perSecond(sent.bytes)), "
                + "received \(perSecond(received.bytes))"
        )
    }

    /// A number with one digit behind the point.
    private static func tenths(_ value: Double) -> String {
        let tenths = UInt64(min(max(0, value * 10 + 0.5), 1e18))
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// Nothing of ours stays in the file system.
    package func removeSockets() {
        master?.close(self)
        for listener in listeners { listener.stop(self) }
        listeners = []
    }

    /// A command may be over before the server has proved the host keys that it has told of: they
    /// are worth a moment (`UpdateHostKeys`).
    private var awaitsProofs: Bool {
        guard hostKeyUpdate.isAwaitingProofs, !socketHasEnded, !isDisconnectedByUser,
            endSignal == nil
        else { return false }
        let now = Clock.nanoseconds
        let deadline = proofsDeadline ?? now + 2_000_000_000
        proofsDeadline = deadline
        return now < deadline
    }

    /// Nothing is open that someone waits for.
    private var isIdle: Bool { channels.count == (tunnel == nil ? 0 : 1) }

    private var isOver: Bool {
        if isEnding { return isIdle || isDisconnectedByUser || endSignal != nil }
        if own != nil {
            guard ownIsOver else { return false }
        } else if settings.standardForward != nil {
            return isIdle && hasOpenedForward
        } else if !isPersistentMaster {
            // What holds no session ends when nobody can ask it for one any more.
            return master?.isClosed == true && master?.isBusy != true && isIdle
        }
        guard let master, !master.isClosed else { return isIdle && master?.isBusy != true }
        if !isIdle || master.isBusy {
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

    var peerName: String {
        guard let address = dialed.address else { return "UNKNOWN port 65535" }
        return "\(address.host) port \(address.port)"
    }

    var addressFamily: Resolver.Family {
        switch settings.options.addressFamily ?? .any {
        case .any: .any
        case .inet: .ipv4
        case .inet6: .ipv6
        }
    }

    /// Ends the connection and every session on it.
    func end() {
        isEnding = true
        isDisconnectedByUser = true
        connection.disconnect(.byApplication, "disconnected by user")
    }

    /// Lets go of the connection without a word: another process goes on with it.
    package func abandon() {
        Descriptor.close(dialed.input)
        if dialed.output != dialed.input { Descriptor.close(dialed.output) }
        master?.abandon()
        master = nil
        listeners = []
    }

    /// Goes on with it, in a process of its own.
    package func continueAfterFork() throws(SystemError) {
        try descriptors.renew()
    }

    // MARK: Bytes of the connection, lent where it is declared

    /// Sends what the socket takes; true when that was something.
    @discardableResult
    func flush() -> Bool {
        var transfer = Transfer.wouldBlock
        let sent = connection.sendOutput { bytes in
            transfer = Descriptor.write(dialed.output, bytes)
            return transfer.count
        }
        guard transfer.isOver else { return sent > 0 }
        connection.output.removeAll()
        // What the peer said last comes first: it says why.
        if writeFailure == nil { writeFailure = Descriptor.lastError }
        return false
    }

    /// A copy of the data that has just come.
    var received: [UInt8] { connection.withReceived { [UInt8](copying: $0) } }

    /// Writes the data that has just come.
    func writeReceived(to fd: Int32) -> Transfer {
        connection.withReceived { Descriptor.write(fd, $0) }
    }

    /// Keeps the data that has just come, but for the first bytes.
    func keepReceived(from start: Int, in queue: inout ByteQueue) {
        connection.withReceived { queue.append($0.extracting(droppingFirst: start)) }
    }
}
