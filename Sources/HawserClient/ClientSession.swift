// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// A session channel: ssh's own, or that of a passenger.
final class ClientSession: ClientChannel {
    /// The passenger of a control socket; nil for ssh's own session.
    let passenger: ControlPassenger?
    let request: SessionRequest
    private var descriptors: BorrowedDescriptors

    private(set) var isRunning = false
    /// Its requests went out before the user was known.
    private var hasStarted = false
    private var isAttached = false
    private(set) var exitStatus: UInt32?
    private(set) var exitSignal: ExitSignal?
    var escapes: EscapeSequences?
    var escapeCharacter: UInt8 = 0
    var hasTerminal = false
    /// The size that the terminal was asked for with.
    private var requestedSize: WindowSize?
    /// Requests that the peer has not answered, in order.
    private var awaitedAnswers: [Awaited] = []
    /// The input is a file, and so much of it was read before the channel was open.
    private var isFileInput = false
    private var earlyByteCount = 0
    /// What a terminal types in answer to `~C`; nil when nothing is asked.
    var commandLine: [UInt8]?

    enum Awaited { case terminal, agent, x11, start, other }

    init(
        _ id: ChannelID,
        _ request: SessionRequest,
        input: Int32,
        output: Int32,
        error: Int32,
        passenger: ControlPassenger? = nil,
        ownsDescriptors: Bool
    ) {
        self.request = request
        self.passenger = passenger
        descriptors = BorrowedDescriptors(
            input: input,
            output: output,
            error: error,
            areOurs: ownsDescriptors
        )
        hasTerminal = request.wantsTerminal
        super.init(id, kind: passenger == nil ? "client-session" : "mux-session")
    }

    var terminal: Int32 { descriptors.input }

    override var timeoutTypes: [String] {
        if request.isSubsystem { return ["session", "session:subsystem:\(request.command ?? "")"] }
        let isShell = request.command?.isEmpty ?? true
        return ["session", isShell ? "session:shell" : "session:command"]
    }

    // MARK: The channel's life

    override func opened(_ loop: ClientLoop) {
        markOpen()
        // A passenger makes its terminal raw when it hears of this, so the modes are read before.
        if !hasStarted { start(loop) }
        passenger?.sessionOpened(loop)
        isRunning = true
        loop.updateTypeOfService()
        if request.wantsTerminal, passenger == nil { loop.enterRawMode() }
        if hasStarted { tellSizeAnew(loop) }
        if isAttached { watch(loop) } else { attach(loop) }
    }

    /// Sends its requests before the channel is open, and for a subsystem its input: sftp and scp
    /// have pipes of their own, while other descriptors may be someone else's too and stay as they
    /// are until the user is in. A file's place can be put back.
    func startEarly(_ loop: ClientLoop) {
        hasStarted = true
        start(loop)
        if request.wantsTerminal {
            let terminal = terminal
            return loop.connection.followEarlyTerminal {
                Terminal.windowSize(of: terminal).map { TerminalSize($0) }
            }
        }
        isFileInput = Files.status(of: descriptors.input)?.isRegular == true
        guard isFileInput || request.isSubsystem && !Descriptor.isTerminal(descriptors.input)
        else { return }
        markOpen()
        attach(loop)
    }

    /// Nobody has had what was read: whoever has the file too reads it.
    func giveBackInput() {
        if isFileInput { Descriptor.moveBack(descriptors.input, byteCount: earlyByteCount) }
    }

    private func attach(_ loop: ClientLoop) {
        isAttached = true
        let taken = descriptors.take()
        attach(input: taken.input, output: taken.output, error: taken.error, loop)
        if descriptors.input < 0 { endInput(loop) }
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
            loop.ownSessionFailed()
        }
        detach(loop)
        release()
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        loop.sessionFinished(self)
    }

    /// Gives the descriptors back as they were.
    override func release() { descriptors.giveBack() }

    override var typeName: String { "session" }

    /// What the program that waits for this session exits with.
    var status: Int32 {
        exitStatus.map { Int32(truncatingIfNeeded: $0 & 0xff) } ?? 255
    }

    // MARK: Starting (RFC 4254 §6)

    private func start(_ loop: ClientLoop) {
        if request.wantsX11, !loop.isUntrusted { loop.requestX11(self) }
        if request.wantsAgent, !loop.isUntrusted, loop.canForwardAgent(for: self) {
            loop.log.debug("Requesting authentication agent forwarding.")
            send(.agentForwarding, loop, wantReply: false)
        }
        if request.wantsTerminal { requestTerminal(loop) }
        for (name, value) in request.environment {
            send(.environment(name: name, value: value.octets), loop, wantReply: false)
        }
        if request.isSubsystem {
            loop.log.debug("Sending subsystem: \(request.command ?? "")")
            send(.subsystem(name: request.command ?? ""), loop, awaiting: .start)
        } else if let command = request.command, !command.isEmpty {
            loop.log.debug("Sending command: \(command)")
            send(.exec(command: command.octets), loop, awaiting: .start)
        } else {
            send(.shell, loop, awaiting: .start)
        }
    }

    private func requestTerminal(_ loop: ClientLoop) {
        let size = Terminal.windowSize(of: terminal) ?? WindowSize(columns: 0, rows: 0)
        requestedSize = size
        var modes = TerminalModes()
        for (opcode, value) in Terminal.modes(of: terminal) {
            modes.append(TerminalModes.Opcode(rawValue: opcode), value)
        }
        let terminal = PseudoTerminalRequest(
            term: request.terminalType,
            size: TerminalSize(size),
            modes: modes
        )
        send(.pseudoTerminal(terminal), loop, awaiting: .terminal)
    }

    /// The terminal was asked for before anyone was told of changes of its size.
    private func tellSizeAnew(_ loop: ClientLoop) {
        guard let requestedSize, requestedSize != Terminal.windowSize(of: terminal) else { return }
        loop.windowChanged()
    }

    private func send(_ request: ChannelRequest, _ loop: ClientLoop, wantReply: Bool) {
        loop.connection.request(request, on: id, wantReply: wantReply)
    }

    /// A request whose answer is for us.
    func send(_ request: ChannelRequest, _ loop: ClientLoop, awaiting awaited: Awaited) {
        loop.connection.request(request, on: id, wantReply: true)
        awaitedAnswers.append(awaited)
    }

    override func answered(success: Bool, _ loop: ClientLoop) {
        guard !awaitedAnswers.isEmpty else { return }
        let awaited = awaitedAnswers.removeFirst()
        guard !success else { return }
        switch awaited {
        case .terminal:
            hasTerminal = false
            if let passenger {
                passenger.terminalFailed(loop)
            } else {
                loop.leaveRawMode()
                loop.log.error("PTY allocation request failed on channel \(id)")
            }
        case .x11:
            loop.log.info("X11 forwarding request failed on channel \(id)")
        case .start:
            let isSubsystem = request.isSubsystem
            loop.log.error("\(isSubsystem ? "subsystem" : "exec") request failed on channel \(id)")
            loop.connection.closeChannel(id)
        case .agent, .other: break
        }
    }

    // MARK: What the peer asks

    override func requested(_ request: ChannelRequest, wantReply: Bool, _ loop: ClientLoop) {
        var success = true
        switch request {
        case .exitStatus(let status):
            exitStatus = status
            loop.log.debug("client_input_channel_req: channel \(id) rtype exit-status reply 0")
        case .exitSignal(let signal):
            exitSignal = signal
            loop.log.debug("client_input_channel_req: channel \(id) rtype exit-signal reply 0")
        case .endOfWrite:
            // The program reads no more; ours need not type.
            stopInput(loop)
        default: success = false
        }
        if wantReply { loop.connection.answerRequest(on: id, success: success) }
    }

    /// Nobody reads any more: the peer is told, so that its program ends.
    override func outputBroke(_ loop: ClientLoop) {
        let software = loop.connection.peerIdentification?.softwareVersion ?? ""
        if software.hasPrefix("OpenSSH") || software.hasPrefix("Hawser"), !isClosed {
            loop.connection.request(.endOfWrite, on: id, wantReply: false)
        }
    }

    override func directionEnded(_ loop: ClientLoop) {}

    // MARK: Typing

    override func tookInput(_ count: Int, _ loop: ClientLoop) {
        if !isRunning { earlyByteCount += count }
        guard escapes != nil else {
            guard hasTerminal else { return super.tookInput(count, loop) }
            let typed = Array(loop.buffer[0..<count])
            return loop.sendTyped(typed.rawBytes, self)
        }
        loop.typed(Array(loop.buffer[0..<count]), self)
    }
}
