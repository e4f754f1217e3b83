// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserKeys
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
        /// The master was gone before anything was open; its socket may be stale by now.
        case vanished
        /// The master's server takes no further session.
        case full(String)
        /// The master does not answer, or its server does not.
        case dead
        /// There is no master.
        case absent
        /// The master does not serve us.
        case unavailable
    }

    private let descriptor: Int32
    private let path: String
    private let log: Log
    private var framing = MultiplexFraming()
    /// The master's process, to be told of a new window size; 0 when it is not known.
    private var pid: Int32 = 0
    private var nextID: UInt32 = 1
    /// What the master's greeting said.
    private var extensions: [MultiplexExtension] = []
    /// When to give up on an answer, in nanoseconds; nil: never.
    private var deadline: UInt64?
    private var isOverdue = false
    /// `ConnectTimeout`: half of it is for the master, half for a connection of our own.
    private var sessionSeconds: UInt64?

    /// How long a master may take to say its first word, and to answer for its server: one that is
    /// stopped never does, and one under load has some time.
    private static let patienceNanoseconds: UInt64 = 4_000_000_000

    /// After how long without a word memory is given back, in nanoseconds.
    private static let rest: UInt64 = 200_000_000

    /// How long a session may take to be opened where nothing says more (`ConnectTimeout`), by a master
    /// that is there.
    private static let sessionNanoseconds: UInt64 = 10_000_000_000

    /// How long a person may take to answer a master that is not one of ours, and silent meanwhile.
    private static let personNanoseconds: UInt64 = 60_000_000_000

    private init(_ descriptor: Int32, _ path: String, log: Log) {
        self.descriptor = descriptor
        self.path = path
        self.log = log
        Descriptor.setNonblocking(descriptor, false)
        deadline = Clock.nanoseconds + Self.patienceNanoseconds
    }

    deinit {
        Descriptor.close(descriptor)
    }

    /// Connects to the master at `path`. Nil when there is none; `failure` says why.
    package static func connect(
        _ path: String,
        log: Log,
        failure: (SystemError) -> Void
    ) -> ControlClient? {
        do throws(SystemError) {
            let descriptor = try patientlyConnect(path)
            guard let peer = UnixSocket.peer(of: descriptor),
                peer.uid == Daemon.effectiveUser || peer.uid == 0
            else {
                Descriptor.close(descriptor)
                throw SystemError("connect", path, number: 1)
            }
            return ControlClient(descriptor, path, log: log)
        } catch {
            failure(error)
            return nil
        }
    }

    /// Waits while more are at the door than fit there (`EAGAIN`), as long as for a first word.
    private static func patientlyConnect(_ path: String) throws(SystemError) -> Int32 {
        let start = Clock.nanoseconds
        while true {
            do throws(SystemError) {
                return try UnixSocket.connect(path)
            } catch {
                guard error.number == 11, Clock.nanoseconds - start < patienceNanoseconds else {
                    throw error
                }
                Clock.sleep(nanoseconds: 20_000_000)
            }
        }
    }

    // MARK: Commands

    /// `-O check`. A master of ours also says whether its server still answers.
    package func check() -> Outcome {
        guard greet(.aliveCheck(id: 1)), case .alive(_, let pid)? = receive() else {
            log.fatal("mux_client_request_alive: master alive check failed")
            return .done(255)
        }
        if isOurs {
            deadline = Clock.nanoseconds + Self.patienceNanoseconds
            let answer = ask("health") ?? "dead"
            if answer.hasPrefix("dead") {
                let seconds = answer.split(separator: " ").last.flatMap { Int($0) }
                let since = seconds.map { " for \($0) s" } ?? ""
                printError(
                    "Master running (pid=\(pid)), but its server does not answer\(since)\r\n"
                )
                return .done(255)
            }
        }
        printError("Master running (pid=\(pid))\r\n")
        return .done(0)
    }

    /// Whether the master has extensions of ours.
    private var isOurs: Bool { extensions.contains { $0.name == Multiplex.health } }

    /// Whether it asks a person before it does what we want.
    private var asks: Bool { extensions.contains { $0.name == Multiplex.asks } }

    /// What a master of ours says; nil when it does not.
    package func ask(_ what: String) -> String? {
        let request = MultiplexRequest.information(id: nextID, what)
        nextID &+= 1
        guard Descriptor.writeAll(descriptor, request.frame) else { return nil }
        switch receive() {
        case .information(_, let text)?: return text
        case .failure(_, let reason)?: log.error("master: \(reason.visible)")
        default: break
        }
        return nil
    }

    /// Asks masters of ours something, for a list: all of them at once, so that those that are stopped
    /// cost no more than one. Only what is said in time.
    package static func answers(at paths: [String], to what: String) -> [String] {
        let question = MultiplexRequest.information(id: 1, what).frame
        let asked = paths.compactMap { path -> ControlClient? in
            guard let descriptor = try? UnixSocket.connect(path) else { return nil }
            let client = ControlClient(descriptor, path, log: .none)
            guard let peer = UnixSocket.peer(of: descriptor),
                peer.uid == Daemon.effectiveUser || peer.uid == 0, client.greet(with: question)
            else { return nil }
            return client
        }
        let end = Clock.nanoseconds + patienceNanoseconds
        return asked.compactMap { client in
            client.deadline = end
            guard client.receiveHello(), client.isOurs else { return nil }
            client.deadline = end
            guard case .information(_, let text)? = client.receive() else { return nil }
            return text
        }
    }

    /// Has a master whose server does not answer take no further sessions. It may be stopped itself.
    package static func retire(_ path: String, log: Log) {
        guard let descriptor = try? UnixSocket.connect(path) else { return }
        let client = ControlClient(descriptor, path, log: .none)
        let request = MultiplexRequest.stopListening(id: 1).frame
        client.deadline = Clock.nanoseconds + 200_000_000
        guard client.greet(with: request), client.receiveHello() else { return }
        client.deadline = Clock.nanoseconds + 1_000_000_000
        _ = client.receive()
    }

    /// `-O sessions`, `-O kill:ID` and `-O signal:NAME:ID`.
    package func control(_ words: String) -> Outcome {
        guard greet(), receiveHello() else { return .done(255) }
        guard isOurs else {
            log.fatal("master does not know -O \(words)")
            return .done(255)
        }
        guard let answer = ask(words) else { return .done(255) }
        printOutput(answer)
        return .done(0)
    }

    /// `-O exit` and `-O stop`.
    package func terminate(onlyStop: Bool, isQuiet: Bool = false) -> Outcome {
        guard greet(onlyStop ? .stopListening(id: 1) : .terminate(id: 1)) else {
            return .done(255)
        }
        let request = onlyStop ? "stop listening" : "termination"
        let function = "mux_client_request_" + (onlyStop ? "stop_listening" : "terminate")
        switch receive() {
        // OpenSSH's master is gone before its answer is.
        case nil where !onlyStop, .ok?:
            if !isQuiet { printError("\(onlyStop ? "Stop listening" : "Exit") request sent.\r\n") }
            return .done(0)
        case .permissionDenied(_, let reason)?:
            log.fatal("Master refused \(request) request: \(reason.visible)")
        case .failure(_, let reason)?:
            log.fatal("\(function): \(request) request failed: \(reason.visible)")
        default: log.fatal("\(function): read from master failed")
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
        let flags = WaitingFlags(of: [0, 1, 2])
        let sizeBefore = wantsTerminal ? Terminal.windowSize(of: 0) : nil
        let opened = start(
            .newSession(id: 1, session),
            [0, 1, 2],
            settings,
            findsMaster: wantsTerminal
        )
        guard case .done = opened else { return opened }
        switch receiveFromServer(isBounded: true) {
        case .sessionOpened?: break
        case .permissionDenied(_, let reason)?:
            log.error("Master refused session request: \(reason.visible)")
            return .unavailable
        case .failure(_, let reason)?:
            return .full(reason.visible)
        default:
            // No session was open: nothing has begun.
            if isOverdue { return .dead }
            log.debug("mux_client_request_session: read from master failed")
            return .vanished
        }
        deadline = nil
        if settings.options.forkAfterAuthentication == true {
            guard (try? Daemon.detach()) != nil else { return .done(255) }
        }
        let status = waitForEnd(wantsTerminal, sizeBefore, settings)
        // A master that was killed has not put back what it changed.
        flags.putBack()
        return .done(status)
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
        let flags = WaitingFlags(of: [0, 1])
        let opened = start(request, [0, 1], settings)
        guard case .done = opened else { return opened }
        switch receiveFromServer() {
        case .sessionOpened?: break
        case .permissionDenied(_, let reason)?:
            log.fatal("Master refused stdio forwarding request: \(reason.visible)")
            return .done(255)
        case .failure(_, let reason)?:
            log.fatal("Stdio forwarding request failed: \(reason.visible)")
            return .done(255)
        default:
            if isOverdue { return .dead }
            log.debug("mux_client_request_stdio_fwd: read from master failed")
            return .vanished
        }
        deadline = nil
        let isOver = waitForMaster()
        flags.putBack()
        return .done(isOver ? 0 : 255)
    }

    /// No session, only what is to be forwarded (`-N`): until a signal comes or the master ends.
    package func runWithoutSession(_ settings: ClientSettings) -> Outcome {
        limit(settings)
        guard greet(extensions: [Multiplex.holdsForwards]), receiveHello() else {
            return isOverdue ? .dead : .vanished
        }
        guard requestForwards(settings) else { return isOverdue ? .dead : .unavailable }
        deadline = nil
        if settings.options.forkAfterAuthentication == true {
            guard (try? Daemon.detach()) != nil else { return .done(255) }
            Descriptor.useNull([0, 1, 2])
        }
        return .done(waitForMaster() ? 0 : 255)
    }

    /// Waits until the master closes the connection; false when a signal came first.
    private func waitForMaster() -> Bool {
        Signals.watchUnlessIgnored([1, 2, 15])
        var set = PollSet()
        while true {
            set.removeAll()
            let master = set.add(descriptor, read: true)
            let signals = set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil, rests: Self.rest)
            if set.isReadable(signals), !Signals.take().isEmpty { return false }
            if set.isReadable(master), receive() == nil { return true }
        }
    }

    /// Asks for a channel between descriptors of ours. Greeting and request go out at once where
    /// nothing has to be answered in between.
    private func start(
        _ request: MultiplexRequest,
        _ descriptors: [Int32],
        _ settings: ClientSettings,
        findsMaster: Bool = false
    ) -> Outcome {
        let wantsForwards =
            settings.standardForward == nil && settings.options.clearAllForwardings != true
            && !settings.options.forwards.isEmpty
        let ownKeys = Self.namedKeys(settings, log)
        let extensions = Self.extensions(settings)
        let hello = MultiplexRequest.hello(version: Multiplex.version, extensions: extensions).frame
        let greetsFirst = wantsForwards || ownKeys != nil
        limit(settings)
        var lost: Outcome { isOverdue ? .dead : .vanished }
        if greetsFirst {
            guard greet(extensions: extensions), receiveHello() else { return lost }
        }
        if wantsForwards {
            guard requestForwards(settings) else { return isOverdue ? .dead : .unavailable }
        }
        if let ownKeys,
            let theirs = self.extensions.first(where: { $0.name == Multiplex.identity }),
            !ownKeys.contains(theirs.value)
        {
            log.debug("the master's key is another: a connection of our own")
            return .unavailable
        }
        // Who has a terminal must know whom to tell of its size: the socket remembers only who made
        // it, and that may have been a parent that went away when the master went to the background.
        let question = findsMaster ? MultiplexRequest.aliveCheck(id: 0).frame : []
        let words = (greetsFirst ? [] : hello) + question + request.frame
        guard Descriptor.writeAll(descriptor, words) else { return .vanished }
        // Not before the master has shown that it runs: in the queue of one that is stopped they would
        // be held open, and whoever reads our output would wait for its end.
        guard greetsFirst || receiveHello() else { return lost }
        for fd in descriptors {
            guard (try? UnixSocket.send([fd], over: descriptor)) != nil else { return .vanished }
        }
        if findsMaster {
            guard case .alive(_, let master)? = receiveFromServer(isBounded: true) else {
                return lost
            }
            pid = Int32(exactly: master) ?? 0
        }
        return .done(0)
    }

    /// Fingerprints of the keys that the command line names; nil when it names none, or it does not
    /// matter (`ControlReuse`).
    private static func namedKeys(_ settings: ClientSettings, _ log: Log) -> [String]? {
        guard settings.options.controlReuse ?? .sameIdentity == .sameIdentity,
            !settings.namedIdentityFiles.isEmpty
        else { return nil }
        let keys = settings.namedIdentityFiles.compactMap { name -> String? in
            guard let path = try? settings.expandPath(name),
                case .key(let key) = IdentityFile(path: path, log: log).content(isNamed: true)
            else { return nil }
            return key.fingerprint()
        }
        return keys.isEmpty ? nil : keys
    }

    /// What is ours rather than the master's.
    private static func extensions(_ settings: ClientSettings) -> [MultiplexExtension] {
        var result: [MultiplexExtension] = []
        if settings.options.forwardAgent ?? "no" != "no",
            let path = try? AgentForwarding(settings, log: .none).path
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
        switch receiveFromServer() {
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
    private func waitForEnd(
        _ hasTerminal: Bool,
        _ sizeBefore: WindowSize?,
        _ settings: ClientSettings
    ) -> Int32 {
        // A signal that ended us behind this would leave the terminal raw.
        ClientLoop.watchSignals()
        let before = hasTerminal ? Terminal.settings(of: 0) : nil
        if hasTerminal { Terminal.makeRaw(0) }
        // The master has looked at the size before we heard of its changes.
        if let sizeBefore, pid > 0, Terminal.windowSize(of: 0) != sizeBefore { Child.kill(pid, 28) }
        var status: Int32?
        var wasSignalled = false
        waiting: while true {
            var set = PollSet()
            let master = set.add(descriptor, read: true)
            let signals = set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil, rests: Self.rest)
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
            switch receiveFromServer() {
            case .exitMessage(_, let value)?: status = Int32(truncatingIfNeeded: value & 0xff)
            case .terminalFailed?:
                if let before { Terminal.restore(0, before) }
                log.error("PTY allocation request failed on channel 0")
            case .other?, .information?: continue
            default: break waiting
            }
        }
        if let before { Terminal.restore(0, before) }
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
        guard case .hello(let version, let extensions)? = receive() else { return false }
        self.extensions = extensions
        deadline = nil
        // What needs no answer of the server's, nor of a person, comes at once.
        if isOurs, !asks { deadline = Clock.nanoseconds + Self.patienceNanoseconds }
        return version == Multiplex.version
    }

    /// `ConnectTimeout` is for a master as well.
    private func limit(_ settings: ClientSettings) {
        guard let seconds = settings.options.connectTimeout, seconds > 0 else { return }
        sessionSeconds = UInt64(seconds)
        deadline = Clock.nanoseconds + min(UInt64(seconds) * 500_000_000, Self.patienceNanoseconds)
    }

    /// An answer that the master can give only when its server has, and perhaps a person. It may take
    /// its time, but when it does the master is asked whether it and its server are there, and that
    /// answer may not. A session that a living master does not open is sought elsewhere in the end.
    private func receiveFromServer(isBounded: Bool = false) -> MultiplexReply? {
        defer { deadline = nil }
        let begin = Clock.nanoseconds
        let bound = sessionSeconds.map { $0 * 1_000_000_000 } ?? Self.sessionNanoseconds
        let step = min(bound / 2, Self.patienceNanoseconds)
        while true {
            deadline = Clock.nanoseconds + step
            if let reply = receive() { return reply }
            guard isOverdue else { return nil }
            let waited = Clock.nanoseconds - begin
            let limit: UInt64
            switch liveliness(within: max(step / 2, 500_000_000)) {
            case .reply(let reply): return reply
            case .gone: return nil
            case .alive: limit = isBounded ? bound : .max
            case .asking: limit = .max
            case .silent where isOurs: return nil
            // It says nothing while it asks, so that it looks like one that is stopped.
            case .silent: limit = max(bound, Self.personNanoseconds)
            }
            guard waited < limit else { return nil }
            isOverdue = false
        }
    }

    private enum Liveliness {
        /// What was waited for came instead.
        case reply(MultiplexReply)
        /// The connection to the master is over.
        case gone
        /// The master answers, and its server as far as we can know.
        case alive
        /// The master answers; what holds us up may be a person.
        case asking
        case silent
    }

    /// Whether the master is there. One that asks hears only others meanwhile.
    private func liveliness(within nanoseconds: UInt64) -> Liveliness {
        guard isOurs, !asks else {
            guard let other = Self.connect(path, log: .none, failure: { _ in }) else {
                return .silent
            }
            other.deadline = Clock.nanoseconds + nanoseconds
            guard other.greet(), other.receiveHello() else { return .silent }
            guard isOurs else { return .alive }
            other.deadline = Clock.nanoseconds + Self.patienceNanoseconds
            return other.ask("health")?.hasPrefix("dead") == false ? .asking : .silent
        }
        let question = MultiplexRequest.information(id: nextID, "health")
        nextID &+= 1
        isOverdue = false
        guard Descriptor.writeAll(descriptor, question.frame) else { return .gone }
        deadline = Clock.nanoseconds + nanoseconds
        switch receive() {
        case .information(_, let health)?:
            isOverdue = true
            return health.hasPrefix("dead") ? .silent : .alive
        case let reply?: return .reply(reply)
        case nil: return isOverdue ? .silent : .gone
        }
    }

    /// The next message, or nil when the master is gone or talks nonsense.
    private func receive() -> MultiplexReply? {
        while true {
            guard let next = try? framing.next() else {
                if let deadline {
                    let now = Clock.nanoseconds
                    let left = deadline > now ? (deadline - now) / 1_000_000 + 1 : 0
                    guard
                        Descriptor.waitUntilReady(
                            descriptor,
                            forWriting: false,
                            milliseconds: Int32(clamping: left)
                        )
                    else {
                        isOverdue = true
                        return nil
                    }
                }
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
