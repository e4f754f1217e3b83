// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
package import HawserLog
internal import HawserMultiplex
package import HawserSystem
internal import HawserTool
internal import HawserWire

/// The passenger's side of a control socket: the fastest way to a session. It loads no key and
/// computes nothing.
package final class ControlClient {
    /// What came of an attempt to use a master.
    package enum Outcome {
        /// ssh is done, with this exit status.
        case done(Int32)
        /// The master was gone before it said a word; its socket may be stale by now.
        case vanished
        /// There is no master that could serve.
        case unavailable
    }

    private let descriptor: Int32
    private let log: Log
    private var framing = MultiplexFraming()
    /// The master's process, to be told of a new window size; 0 when it is not known.
    private var pid: Int32 = 0
    private var nextID: UInt32 = 1

    private init(_ descriptor: Int32, log: Log) {
        self.descriptor = descriptor
        self.log = log
        Descriptor.setNonblocking(descriptor, false)
    }

    deinit {
        Descriptor.close(descriptor)
    }

    /// Connects to the master at `path`. Nil when there is none; a stale socket is removed when
    /// `removesStale`. `failure` says why there is none.
    package static func connect(
        _ path: String,
        removesStale: Bool,
        log: Log,
        failure: (SystemError) -> Void
    ) -> ControlClient? {
        do throws(SystemError) {
            let descriptor = try UnixSocket.connect(path)
            guard let peer = UnixSocket.peer(of: descriptor),
                peer.uid == Daemon.effectiveUser || peer.uid == 0
            else {
                Descriptor.close(descriptor)
                throw SystemError("connect", path, number: 1)
            }
            return ControlClient(descriptor, log: log)
        } catch {
            if removesStale, error.number == 111 {  // ECONNREFUSED: nobody listens any more
                if let status = Files.status(path, followingLinks: false), status.isSocket,
                    status.uid == Daemon.effectiveUser
                {
                    log.debug("Stale control socket \(path), unlinking")
                    Files.remove(path)
                }
            }
            failure(error)
            return nil
        }
    }

    // MARK: Commands

    /// `-O check`.
    package func check() -> Outcome {
        guard greet(.aliveCheck(id: 1)), case .alive(_, let pid)? = receive() else {
            log.fatal("mux_client_request_alive: master alive check failed")
            return .done(255)
        }
        printError("Master running (pid=\(pid))\r\n")
        return .done(0)
    }

    /// `-O exit` and `-O stop`.
    package func terminate(onlyStop: Bool) -> Outcome {
        let what = onlyStop ? "Stop listening" : "Exit"
        guard greet(onlyStop ? .stopListening(id: 1) : .terminate(id: 1)) else {
            return .done(255)
        }
        switch receive() {
        case .ok?:
            printError("\(what) request sent.\r\n")
            return .done(0)
        case .permissionDenied(_, let reason)?:
            log.fatal("Master refused termination request: \(reason.visible)")
        case .failure(_, let reason)?:
            log.fatal("\(what) request failed: \(reason.visible)")
        case nil where !onlyStop:
            // OpenSSH's master is gone before its answer is.
            printError("\(what) request sent.\r\n")
            return .done(0)
        default:
            log.fatal("mux_client_request_terminate: read from master failed")
        }
        return .done(255)
    }

    /// `-O conninfo` and `-O channels`, which only masters with the extension can answer.
    package func show(_ what: String) -> Outcome {
        guard greet(.information(id: 1, what)) else { return .done(255) }
        switch receive() {
        case .information(_, let text)?:
            printOutput(text)
            return .done(0)
        case .failure(_, let reason)?: log.fatal("master refused: \(reason.visible)")
        default: log.fatal("master does not support information requests")
        }
        return .done(255)
    }

    /// `-O proxy`: the master's connection as if it were ours. Nil when the master does not let us.
    package func startProxy() -> Dialed? {
        guard greet(.proxy(id: 1)) else { return nil }
        switch receive() {
        case .proxy?:
            guard let copy = try? Descriptor.duplicate(descriptor) else { return nil }
            Descriptor.setNonblocking(copy)
            return Dialed(input: copy, output: copy)
        case .permissionDenied(_, let reason)?, .failure(_, let reason)?:
            log.fatal("mux_client_proxy: \(reason.visible)")
        default: log.fatal("mux_client_proxy: read from master failed")
        }
        return nil
    }

    // MARK: Session

    /// A session over the master, to its end.
    package func runSession(_ settings: ClientSettings) -> Outcome {
        let request = SessionRequest(settings)
        let wantsTerminal = settings.wantsTerminal
        let session = MultiplexSession(
            wantsTerminal: wantsTerminal,
            wantsX11: settings.options.forwardX11 == true && Environment.value("DISPLAY") != nil,
            wantsAgent: (settings.options.forwardAgent ?? "no") != "no",
            isSubsystem: request.isSubsystem,
            escapeCharacter: settings.escapeCharacter.byte.map(UInt32.init) ?? 0xffff_ffff,
            terminalType: request.terminalType,
            command: request.command ?? "",
            environment: request.environment.map { "\($0.name)=\($0.value)" }
        )
        if settings.options.stdinNull == true { Descriptor.useNull([0]) }
        let opened = start(
            .newSession(id: 1, session),
            [0, 1, 2],
            settings,
            findsMaster: wantsTerminal
        )
        guard case .done = opened else { return opened }
        switch receive() {
        case .sessionOpened?: break
        case .permissionDenied(_, let reason)?:
            log.error("Master refused session request: \(reason.visible)")
            return .unavailable
        case .failure(_, let reason)?:
            log.error("mux_client_request_session: session request failed: \(reason.visible)")
            return .unavailable
        default:
            log.error("mux_client_request_session: read from master failed")
            return .unavailable
        }
        if settings.options.forkAfterAuthentication == true {
            guard (try? Daemon.detach()) != nil else { return .done(255) }
        }
        return .done(waitForEnd(wantsTerminal, settings))
    }

    /// Our standard input and output to a place that the master connects to (`-W`).
    package func runStandardForward(
        to target: Forward.End,
        _ settings: ClientSettings
    ) -> Outcome {
        let place = MultiplexForward(Forward(.local, listen: .unix(path: ""), connect: target))
        let request = MultiplexRequest.newStandardForward(
            id: 1,
            host: place.connectHost,
            port: place.connectPort
        )
        let opened = start(request, [0, 1], settings)
        guard case .done = opened else { return opened }
        switch receive() {
        case .sessionOpened?: break
        case .permissionDenied(_, let reason)?:
            log.fatal("Master refused stdio forwarding request: \(reason.visible)")
            return .done(255)
        case .failure(_, let reason)?:
            log.fatal("Stdio forwarding request failed: \(reason.visible)")
            return .done(255)
        default:
            log.error("mux_client_request_stdio_fwd: read from master failed")
            return .unavailable
        }
        let isOver = waitForMaster()
        for fd: Int32 in 0...1 { Descriptor.setNonblocking(fd, false) }
        return .done(isOver ? 0 : 255)
    }

    /// No session, only what is to be forwarded (`-N`): until a signal comes or the master ends.
    package func runWithoutSession(_ settings: ClientSettings) -> Outcome {
        guard greet(extensions: [Multiplex.holdsForwards]), receiveHello(),
            requestForwards(settings)
        else { return .unavailable }
        if settings.options.forkAfterAuthentication == true {
            guard (try? Daemon.detach()) != nil else { return .done(255) }
            Descriptor.useNull([0, 1, 2])
        }
        return .done(waitForMaster() ? 0 : 255)
    }

    /// Waits until the master closes the connection; false when a signal came first.
    private func waitForMaster() -> Bool {
        Signals.watch([1, 2, 15].filter { !Signals.isIgnored($0) })
        var set = PollSet()
        while true {
            set.removeAll()
            let master = set.add(descriptor, read: true)
            let signals = set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil)
            if set.isReadable(signals), !Signals.take().isEmpty { return false }
            if set.isReadable(master), receive() == nil { return true }
        }
    }

    /// Asks for a channel between descriptors of ours. Greeting, request and descriptors go out at
    /// once where nothing has to be answered in between.
    private func start(
        _ request: MultiplexRequest,
        _ descriptors: [Int32],
        _ settings: ClientSettings,
        findsMaster: Bool = false
    ) -> Outcome {
        let wantsForwards =
            settings.standardForward == nil && !settings.options.forwards.isEmpty
        let extensions = Self.extensions(settings)
        let hello = MultiplexRequest.hello(version: Multiplex.version, extensions: extensions).frame
        if wantsForwards {
            guard greet(extensions: extensions), receiveHello() else { return .vanished }
            guard requestForwards(settings) else { return .unavailable }
        }
        // Who has a terminal must know whom to tell of its size: the socket remembers only who made
        // it, and that may have been a parent that went away when the master went to the background.
        let question = findsMaster ? MultiplexRequest.aliveCheck(id: 0).frame : []
        let words = (wantsForwards ? [] : hello) + question + request.frame
        guard Descriptor.writeAll(descriptor, words) else { return .vanished }
        for fd in descriptors {
            guard (try? UnixSocket.send([fd], over: descriptor)) != nil else { return .vanished }
        }
        guard wantsForwards || receiveHello() else { return .vanished }
        if findsMaster {
            guard case .alive(_, let master)? = receive() else { return .vanished }
            pid = Int32(exactly: master) ?? 0
        }
        return .done(0)
    }

    /// What is ours rather than the master's.
    private static func extensions(_ settings: ClientSettings) -> [MultiplexExtension] {
        var result: [MultiplexExtension] = []
        if settings.options.forwardAgent ?? "no" != "no",
            let path = try? AgentForwarding(settings).path
        {
            result.append(MultiplexExtension(Multiplex.agent, value: path))
        }
        if settings.options.forwardX11 == true, let display = Environment.value("DISPLAY") {
            result.append(MultiplexExtension(Multiplex.display, value: display))
            if let file = Environment.value("XAUTHORITY") {
                result.append(MultiplexExtension(Multiplex.authority, value: file))
            }
        }
        return result
    }

    // MARK: Forwards

    /// `-O forward` and `-O cancel`.
    package func forward(_ settings: ClientSettings, cancels: Bool) -> Outcome {
        guard let forwards = try? ForwardingSettings(settings).forwards else { return .done(255) }
        guard greet(), receiveHello() else { return .done(255) }
        for forward in forwards where !request(forward, cancels: cancels, prints: !cancels) {
            let what = cancels ? "cancel forward" : "forward"
            log.error("muxclient: master \(what) request failed")
            return .done(cancels ? 0 : 255)
        }
        return .done(0)
    }

    private func requestForwards(_ settings: ClientSettings) -> Bool {
        guard let forwards = try? ForwardingSettings(settings).forwards else { return false }
        for forward in forwards where !request(forward, cancels: false, prints: false) {
            log.error("muxclient: master forward request failed")
            return false
        }
        return true
    }

    private func request(_ forward: Forward, cancels: Bool, prints: Bool) -> Bool {
        let message = MultiplexForward(forward)
        let id = nextID
        nextID &+= 1
        let request =
            cancels
            ? MultiplexRequest.closeForward(id: id, message)
            : .openForward(id: id, message)
        log.debug("Requesting \(cancels ? "cancellation" : "forwarding") of \(message.description)")
        guard Descriptor.writeAll(descriptor, request.frame) else { return false }
        switch receive() {
        case .ok?: return true
        case .remotePort(_, let port)?:
            let target = forward.connect?.shortPlace ?? "socks:0"
            log.verbose("Allocated port \(port) for remote forward to \(target)")
            if prints { printOutput("\(port)\n") }
            return true
        case .permissionDenied(_, let reason)?:
            log.error("Master refused forwarding request: \(reason.visible)")
        case .failure(_, let reason)?:
            log.error("mux_client_forward: forwarding request failed: \(reason.visible)")
        default:
            log.error("mux_client_forward: read from master failed")
        }
        return false
    }

    // MARK: Waiting

    /// Waits for the session's end; the master moves its bytes.
    private func waitForEnd(_ hasTerminal: Bool, _ settings: ClientSettings) -> Int32 {
        let before = hasTerminal ? Terminal.settings(of: 0) : nil
        if hasTerminal { Terminal.makeRaw(0) }
        Signals.watch([1, 2, 15, 28].filter { !Signals.isIgnored($0) })
        var status: Int32?
        var wasSignalled = false
        waiting: while true {
            var set = PollSet()
            let master = set.add(descriptor, read: true)
            let signals = set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil)
            if set.isReadable(signals) {
                for signal in Signals.take() {
                    if signal == 28 {
                        if pid > 0 { Child.kill(pid, signal) }
                    } else {
                        wasSignalled = true
                        break waiting
                    }
                }
            }
            guard set.isReadable(master) else { continue }
            switch receive() {
            case .exitMessage(_, let value)?: status = Int32(truncatingIfNeeded: value & 0xff)
            case .terminalFailed?:
                if let before { Terminal.restore(0, before) }
                log.error("PTY allocation request failed on channel 0")
            case .other?: continue
            default: break waiting
            }
        }
        if let before { Terminal.restore(0, before) }
        for fd: Int32 in 0...2 { Descriptor.setNonblocking(fd, false) }
        if hasTerminal, settings.options.logLevel?.uppercased() != "QUIET" {
            printError("Shared connection to \(settings.host) closed.\r\n")
        }
        if wasSignalled { return 255 }
        return status ?? 255
    }

    // MARK: Messages

    private func greet(_ request: MultiplexRequest) -> Bool {
        guard greet(with: request.frame), receiveHello() else {
            log.error("mux_client_hello_exchange: master did not answer")
            return false
        }
        return true
    }

    /// Sends our greeting, and what may follow at once.
    private func greet(with more: [UInt8] = [], extensions: [MultiplexExtension] = []) -> Bool {
        let hello = MultiplexRequest.hello(
            version: Multiplex.version,
            extensions: extensions
        ).frame
        return Descriptor.writeAll(descriptor, hello + more)
    }

    private func receiveHello() -> Bool {
        guard case .hello(let version, _)? = receive() else { return false }
        return version == Multiplex.version
    }

    /// The next message, or nil when the master is gone or talks nonsense.
    private func receive() -> MultiplexReply? {
        while true {
            guard let next = try? framing.next() else {
                var chunk = [UInt8](repeating: 0, count: 4096)
                var span = chunk.mutableRawBytes
                guard case .bytes(let count) = Descriptor.read(descriptor, into: &span) else {
                    return nil
                }
                framing.append(Array(chunk[0..<count]))
                continue
            }
            return try? MultiplexReply(next.rawBytes)
        }
    }
}
