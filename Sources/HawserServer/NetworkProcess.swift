// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The process that speaks with a stranger: unprivileged, in an empty directory, behind a filter of
/// system calls. It holds the client's socket and a socket to its monitor, and no secret of the host.
///
/// It ends when the user is in: the connection then goes through the monitor to the user's process.
package final class NetworkProcess {
    private let monitor: MessageSocket
    private let input: Int32
    private let output: Int32
    private let start: NetworkStart
    private let log: Log
    private let sink: MonitorLogSink
    private var connection: ServerConnection
    /// What the user's name led to, for log lines.
    private var userPrefix = ""
    /// What the client sent first, for the log when that was nonsense.
    private var firstBytes: [UInt8] = []
    private var hasSaidUser = false
    private var isAccepted = false
    private var hasEnded = false

    /// Serves the client until someone is logged in or it leaves.
    package static func run(monitor: Int32, input: Int32, output: Int32) -> Int32 {
        let socket = MessageSocket(monitor, limitBytes: MonitorLimits.handoverBytes)
        guard let message = socket.waitForNext(),
            case .start(let start)? = try? MonitorAnswer(decoding: message.rawBytes)
        else { return 255 }
        ProcessTitle.set("sshd: [net]")
        Descriptor.setNonblocking(input)
        Descriptor.setNonblocking(output)
        let process = NetworkProcess(socket, input: input, output: output, start)
        if let confinement = start.confinement {
            do {
                try confine(confinement)
            } catch {
                process.log.fatal("\(error)")
                return 255
            }
        }
        return process.serve()
    }

    /// Gives everything up, for good.
    private static func confine(
        _ confinement: NetworkStart.Confinement
    ) throws(PrivilegeError) {
        try ChangeRoot.enter(confinement.directory)
        try Identity.setGroups([confinement.gid])
        try Identity.becomePermanently(uid: confinement.uid, gid: confinement.gid)
        Sandbox.forbidTracing()
        try Sandbox.enter()
    }

    private init(_ socket: MessageSocket, input: Int32, output: Int32, _ start: NetworkStart) {
        monitor = socket
        self.input = input
        self.output = output
        self.start = start
        sink = MonitorLogSink(socket)
        sink.isEarly = true
        var log = Log(level: start.logLevel, sink: sink)
        log.overrides = LogOverrides(start.logVerbose, program: "sshd-auth")
        self.log = log
        var options = TransportOptions(
            isClient: false,
            identification: start.identification,
            proposal: start.proposal
        )
        options.rekeyLimit = start.rekeyLimit
        options.hostKeys = start.hostKeys
        options.signatureAlgorithms = start.signatureAlgorithms
        options.earlySessionBytes = ConnectionLimits.earlySessionBytes
        options.log = log
        connection = ServerConnection(options, random: SystemRandom(), at: now())
    }

    private func serve() -> Int32 {
        var set = PollSet()
        while true {
            if !pump() { return 255 }
            flush()
            if isAccepted, let state = connection.handOver() {
                monitor.send(MonitorRequest.handOver(state.exposed).encoding)
                return 0
            }
            if hasEnded { return 255 }
            set.removeAll()
            let monitorPlace = set.add(monitor.descriptor, read: true)
            let isReading = !isAccepted && !connection.isDecidingAuthentication
            let inputPlace = isReading ? set.add(input, read: true) : nil
            let outputPlace = connection.hasOutput ? set.add(output, write: true) : nil
            set.wait(timeout: remaining(until: connection.deadline))
            if let outputPlace, set.isWritable(outputPlace) { flush() }
            if set.isReadable(monitorPlace) { monitor.fill() }
            if !takeAnswers() { return 255 }
            if let inputPlace, set.isReadable(inputPlace), !read() { return 255 }
        }
    }

    // MARK: Bytes

    /// False when the client has gone.
    private func read() -> Bool {
        var transfer = Transfer.wouldBlock
        Descriptor.lastError = 0
        var isReset = false
        _ = connection.receive(upTo: 32768) { (span: inout MutableRawSpan) -> Int in
            transfer = Descriptor.read(input, into: &span)
            isReset = SystemError.isReset(Descriptor.lastError)
            guard case .bytes(let count) = transfer else { return 0 }
            if firstBytes.isEmpty {
                firstBytes = (0..<min(count, 100)).map { span.bytes[byteAt: $0] }
            }
            return count
        }
        switch transfer {
        case .bytes, .wouldBlock:
            return true
        case .ended, .failed:
            logClosed(isReset: isReset)
            return false
        }
    }

    private func flush() {
        var transfer = Transfer.wouldBlock
        connection.sendOutput { bytes in
            transfer = Descriptor.write(output, bytes)
            return transfer.count
        }
        if transfer.isOver { connection.output.removeAll() }
    }

    /// Sends what is left before the process ends.
    private func flushFully() {
        let deadline = Clock.nanoseconds + 2_000_000_000
        while connection.hasOutput, Clock.nanoseconds < deadline {
            flush()
            if connection.hasOutput {
                Descriptor.waitUntilReady(output, forWriting: true, milliseconds: 500)
            }
        }
    }

    // MARK: Events

    /// False when the connection is over.
    private func pump() -> Bool {
        do throws(ProtocolError) {
            while !(isAccepted && !connection.core.transport.isExchangingKeys) {
                guard let event = try connection.nextEvent(at: now()) else { return true }
                handle(event)
                if hasEnded { return true }
            }
            return true
        } catch {
            explain(error)
            return false
        }
    }

    private func handle(_ event: ConnectionEvent) {
        switch event {
        case .identified(let line):
            sink.isEarly = false
            log.debug(
                "Remote protocol version \(line.protocolVersion), "
                    + "remote software version \(line.softwareVersion)"
            )
        case .exchangeSignatureNeeded(let request):
            ask(.sign(SigningRequest(request)))
        case .groupNeeded(let minimum, let preferred, let maximum):
            ask(.group(minimum: minimum, preferred: preferred, maximum: maximum))
        case .authenticationRequested(let request):
            if !hasSaidUser {
                hasSaidUser = true
                ask(
                    .user(
                        name: request.user,
                        sessionIdentifier: connection.sessionIdentifier
                    )
                )
            }
            if request.method.isBeginning {
                log.debug(
                    "userauth-request for user \(request.user) service \(request.service) "
                        + "method \(request.method.name)"
                )
            }
            ask(.authenticate(request.method))
        default:
            break
        }
    }

    private func ask(_ request: MonitorRequest) {
        monitor.send(request.encoding)
    }

    // MARK: Answers

    /// False when the monitor has gone or ends the connection.
    private func takeAnswers() -> Bool {
        while let message = monitor.next() {
            guard let answer = try? MonitorAnswer(decoding: message.rawBytes) else { return false }
            do throws(ProtocolError) {
                try handle(answer)
            } catch {
                explain(error)
                return false
            }
        }
        return !monitor.hasEnded
    }

    private func handle(_ answer: MonitorAnswer) throws(ProtocolError) {
        switch answer {
        case .signature(let blob):
            connection.provideExchangeSignature(blob)
        case .group(let prime, let generator):
            try connection.provideGroup(
                prime.isEmpty ? nil : FiniteFieldGroup(prime: prime, generator: generator)
            )
        case .user(let answer):
            userPrefix = answer.description
            ProcessTitle.set("sshd: \(answer.title) [net]")
            if !answer.banner.isEmpty { connection.sendBanner(answer.banner) }
        case .authentication(let outcome):
            handle(outcome)
        default:
            break
        }
    }

    private func handle(_ outcome: AuthenticationOutcome) {
        switch outcome {
        case .accepted: isAccepted = connection.acceptAuthentication()
        case .partial(let methods): connection.acceptAuthenticationPartially(methods: methods)
        case .refused(let methods): connection.refuseAuthentication(methods: methods)
        case .keyAcceptable: connection.acceptPublicKey()
        case .question(let request): connection.requestInformation(request)
        case .passwordExpired(let prompt): connection.requestPasswordChange(prompt: prompt)
        case .notice(let text): connection.sendBanner(text)
        case .gssapi(let answer): connection.answerGSSAPI(answer)
        case .disconnect(let text):
            log.info("Disconnecting \(userPrefix)\(start.peer.description): \(text)")
            connection.disconnect(.protocolError, text)
            flushFully()
            hasEnded = true
        }
    }

    // MARK: The end

    private func logClosed(isReset: Bool) {
        if connection.core.transport.peerIdentification == nil {
            log.error(
                "kex_exchange_identification: "
                    + (isReset
                        ? "read: Connection reset by peer" : "Connection closed by remote host")
            )
        }
        log.info(
            "Connection \(isReset ? "reset" : "closed") by \(userPrefix)\(start.peer.description)"
        )
    }

    /// Logs what ended the connection, in the words that administrators and fail2ban know, and tells
    /// the client.
    private func explain(_ error: ProtocolError) {
        let peer = start.peer
        switch error.kind {
        case .disconnected(let reason):
            log.info("Received disconnect from \(peer.description):\(reason): \(error.text)")
            log.info("Disconnected from \(userPrefix)\(peer.description)")
        case .badIdentification:
            let line = firstBytes.prefix { $0 != 10 && $0 != 13 }
            // A byte of 0 in the line; the rest of the control characters is shown.
            if line.contains(0) {
                log.error("kex_exchange_identification: banner line contains invalid characters")
            } else {
                let text = String(octets: line.prefix { $0 > 31 })
                log.error(
                    "kex_exchange_identification: "
                        + "client sent invalid protocol identifier \"\(text)\""
                )
            }
            log.info("banner exchange: Connection from \(peer.description): invalid format")
            connection.output.append(Array("Invalid SSH identification string.\r\n".utf8))
        case .versionMismatch:
            log.error(error.text)
            log.info(
                "banner exchange: Connection from \(peer.description): "
                    + "could not read protocol version"
            )
            connection.output.append(Array("Protocol major versions differ.\r\n".utf8))
        case .noCommonAlgorithm(let what, let offer):
            log.fatal(
                "Unable to negotiate with \(peer.description): no matching \(what) found. "
                    + "Their offer: \(offer)"
            )
        case .badPacket where error.text.hasPrefix("Bad packet length"):
            log.error(error.text)
            log.fatal(
                "ssh_dispatch_run_fatal: Connection from \(userPrefix)\(peer.description): "
                    + "message authentication code incorrect"
            )
        case .forbidden:
            log.info("Disconnecting \(userPrefix)\(peer.description): \(error.text)")
        default:
            log.fatal(
                "ssh_dispatch_run_fatal: Connection from \(userPrefix)\(peer.description): "
                    + error.text
            )
        }
        if let reason = error.reason, connection.core.transport.peerIdentification != nil {
            connection.disconnect(reason, error.text)
        }
        flushFully()
    }
}

/// Sends log lines to the monitor, which is the only one that writes the log.
final class MonitorLogSink: LogSink {
    private let socket: MessageSocket

    init(_ socket: MessageSocket) { self.socket = socket }

    /// The client has not said yet that it speaks SSH.
    var isEarly = false

    func write(_ level: LogLevel, _ text: String) {
        socket.send(MonitorRequest.log(level, text, isEarly: isEarly).encoding)
    }
}

func now() -> Instant { Instant(nanoseconds: Clock.nanoseconds) }

/// Nanoseconds from now until then.
func remaining(until deadline: Instant?) -> UInt64? {
    guard let deadline else { return nil }
    let now = Clock.nanoseconds
    return deadline.nanoseconds > now ? deadline.nanoseconds - now : 0
}
