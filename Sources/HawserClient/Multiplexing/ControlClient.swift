// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
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

    // MARK: Session

    /// A session over the master, to its end.
    package func runSession(_ settings: ClientSettings) -> Outcome {
        let request = SessionRequest(settings)
        let wantsTerminal = settings.wantsTerminal
        let session = MultiplexSession(
            wantsTerminal: wantsTerminal,
            isSubsystem: request.isSubsystem,
            escapeCharacter: settings.escapeCharacter.byte.map(UInt32.init) ?? 0xffff_ffff,
            terminalType: request.terminalType,
            command: request.command ?? "",
            environment: request.environment.map { "\($0.name)=\($0.value)" }
        )
        if settings.options.stdinNull == true { Descriptor.useNull([0]) }
        // Greeting, request and descriptors go out at once; the answers are read afterwards. Who has
        // a terminal must know whom to tell of its size: the socket remembers only who made it, and
        // that may have been a parent that went away when the master went to the background.
        var requests = MultiplexRequest.hello(version: Multiplex.version, extensions: []).frame
        if wantsTerminal { requests += MultiplexRequest.aliveCheck(id: 0).frame }
        requests += MultiplexRequest.newSession(id: 1, session).frame
        guard Descriptor.writeAll(descriptor, requests) else { return .vanished }
        for fd: Int32 in 0...2 {
            guard (try? UnixSocket.send([fd], over: descriptor)) != nil else { return .vanished }
        }
        guard case .hello(let version, _)? = receive(), version == Multiplex.version else {
            return .vanished
        }
        if wantsTerminal {
            guard case .alive(_, let master)? = receive() else { return .vanished }
            pid = Int32(exactly: master) ?? 0
        }
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
        return .done(waitForEnd(wantsTerminal, settings))
    }

    /// Waits for the session's end; the master moves its bytes.
    private func waitForEnd(_ hasTerminal: Bool, _ settings: ClientSettings) -> Int32 {
        let before = hasTerminal ? Terminal.settings(of: 0) : nil
        if hasTerminal { Terminal.makeRaw(0) }
        Signals.watch([1, 2, 15, 28])
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
        guard
            Descriptor.writeAll(
                descriptor,
                MultiplexRequest.hello(version: Multiplex.version, extensions: []).frame
                    + request.frame
            ),
            case .hello(let version, _)? = receive(), version == Multiplex.version
        else {
            log.error("mux_client_hello_exchange: master did not answer")
            return false
        }
        return true
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
