// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserMultiplex
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// One ssh process at the control socket.
final class ControlPassenger: Watcher {
    let descriptor: Int32
    /// Its process.
    let pid: Int32
    private let master: ControlMaster
    var hasGreeted = false
    /// It stays for as long as its forwards are to.
    var holdsForwards = false
    /// The user is being asked whether to do what it wants.
    var isAsked = false
    private(set) var isGone = false
    /// Its own agent, display and cookies; nil: as the master's.
    private(set) var agent: String?
    private(set) var display: String?
    private(set) var authority: String?
    /// Its session or forward.
    var channel: ClientChannel?
    /// It speaks for itself.
    private var proxy: ProxyBridge?
    let arrived = Clock.nanoseconds

    /// A message that has not come whole.
    private var incoming: [UInt8] = []
    /// What it has not read; since when.
    private var outgoing: [UInt8] = []
    private var unreadSince: UInt64 = 0
    private var pending: Pending?
    private var descriptors: [Int32] = []
    private(set) var number: UInt32 = 0
    /// Forwards that it has asked for, which end with its session.
    private var forwards: [Forward] = []

    enum Want {
        case session(MultiplexSession)
        case standardForward(Forward.End)
    }

    private struct Pending {
        let id: UInt32
        let want: Want
        var missing: Int
    }

    init(_ descriptor: Int32, pid: Int32, _ master: ControlMaster) {
        self.descriptor = descriptor
        self.pid = pid
        self.master = master
    }

    func start(_ loop: ClientLoop) {
        send(.hello(version: Multiplex.version, extensions: master.extensions(loop)), loop)
        watch(loop)
    }

    func take(_ extensions: [MultiplexExtension]) {
        for each in extensions {
            switch each.name {
            case Multiplex.holdsForwards.name: holdsForwards = true
            case Multiplex.agent: agent = each.value
            case Multiplex.display: display = each.value
            case Multiplex.authority: authority = each.value
            default: break
            }
        }
    }

    // MARK: Waiting

    private func watch(_ loop: ClientLoop) {
        guard !isGone, proxy == nil else { return }
        loop.watch(descriptor, read: !isAsked, write: !outgoing.isEmpty, self)
    }

    /// Goes on with what it sent meanwhile.
    func resume(_ loop: ClientLoop) { watch(loop) }

    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        if ready.isWritable { flush(loop) }
        if ready.isReadable, !isGone { receive(loop) }
        watch(loop)
    }

    /// It has asked for nothing yet, or does not read.
    var canBeStuck: Bool {
        !outgoing.isEmpty || (channel == nil && !isAsked && !holdsForwards && proxy == nil)
    }

    func isStuck(_ now: UInt64, seconds: UInt64) -> Bool {
        let since = outgoing.isEmpty ? arrived : unreadSince
        return canBeStuck && now >= since + seconds * 1_000_000_000
    }

    // MARK: Answers

    /// Tells it something, without waiting for it to read.
    func send(_ reply: MultiplexReply, _ loop: ClientLoop) {
        guard !isGone else { return }
        let isFirst = outgoing.isEmpty
        outgoing += reply.frame
        flush(loop)
        guard !isGone, !outgoing.isEmpty else { return }
        if outgoing.count > Self.maximumUnread { return end(loop) }
        if isFirst { unreadSince = Clock.nanoseconds }
        master.noteUnread(loop)
        watch(loop)
    }

    private func flush(_ loop: ClientLoop) {
        guard !outgoing.isEmpty else { return }
        switch Descriptor.write(descriptor, outgoing.rawBytes) {
        case .bytes(let count):
            if count == outgoing.count { outgoing = [] } else { outgoing.removeFirst(count) }
        case .wouldBlock: break
        case .ended, .failed: end(loop)
        }
    }

    // MARK: Requests

    private func receive(_ loop: ClientLoop) {
        do throws(ControlError) {
            // Several at a time, but not for ever: others wait.
            for _ in 0..<16 {
                if isGone || isAsked || proxy != nil { return }
                if awaitsDescriptors {
                    guard try receiveDescriptor() else { return }
                    if let pending, !awaitsDescriptors { master.open(self, pending.id, loop) }
                    continue
                }
                guard let message = try read() else { return }
                guard let request = try? MultiplexRequest(message.rawBytes) else { throw .ended }
                try master.perform(request, self, loop)
            }
        } catch {
            end(loop)
        }
    }

    /// The next whole message; never a byte beyond it, since descriptors may travel with the next.
    private func read() throws(ControlError) -> [UInt8]? {
        while true {
            let wanted: Int
            if incoming.count < 4 {
                wanted = 4
            } else {
                let count = Int(incoming.rawBytes.bigEndianUInt32(at: 0))
                guard count <= Multiplex.maximumBytes else { throw .ended }
                wanted = 4 + count
            }
            if incoming.count == wanted, wanted > 4 {
                defer { incoming = [] }
                return Array(incoming[4...])
            }
            var chunk = [UInt8](repeating: 0, count: wanted - incoming.count)
            var span = chunk.mutableRawBytes
            switch Descriptor.read(descriptor, into: &span) {
            case .bytes(let count): incoming += chunk[0..<count]
            case .wouldBlock: return nil
            case .ended, .failed: throw .ended
            }
        }
    }

    // MARK: Descriptors

    var awaitsDescriptors: Bool { (pending?.missing ?? 0) > 0 }

    /// Where it wants its standard input and output to go, if it does.
    var wantedForward: Forward.End? {
        guard case .standardForward(let target)? = pending?.want else { return nil }
        return target
    }

    func await(_ want: Want, _ id: UInt32, descriptors count: Int, number: UInt32) {
        pending = Pending(id: id, want: want, missing: count)
        self.number = number
    }

    /// False when none has come.
    private func receiveDescriptor() throws(ControlError) -> Bool {
        do throws(SystemError) {
            descriptors += try UnixSocket.receive(1, over: descriptor, waits: false)
            pending?.missing -= 1
            return true
        } catch {
            if error.number == 11 { return false }  // EAGAIN
            throw .ended
        }
    }

    private func takeDescriptors() -> [Int32] {
        defer { descriptors = [] }
        return descriptors
    }

    // MARK: Its channel

    func open(_ loop: ClientLoop) {
        guard let pending else { return }
        let fds = takeDescriptors()
        let isOpening: Bool
        switch pending.want {
        case .session(let wanted) where fds.count == 3:
            isOpening = loop.openSession(
                for: self,
                SessionRequest(wanted),
                escape: wanted.escapeCharacter <= 0xff ? UInt8(wanted.escapeCharacter) : nil,
                (fds[0], fds[1], fds[2])
            )
        case .standardForward(let target) where fds.count == 2:
            isOpening = loop.openStandardForward(for: self, to: target, (fds[0], fds[1]))
        default: isOpening = false
        }
        guard !isOpening else { return }
        fds.forEach(Descriptor.close)
        refuse(.failure(id: pending.id, "Session open failed"), loop)
    }

    /// Lets it speak the connection protocol from here on.
    func becomeProxy(_ id: UInt32, _ loop: ClientLoop) {
        send(.proxy(id: id), loop)
        guard !isGone, outgoing.isEmpty else { return end(loop) }
        let bridge = ProxyBridge(descriptor, self)
        proxy = bridge
        bridge.settle(loop)
    }

    func refuse(_ reply: MultiplexReply, _ loop: ClientLoop) {
        takeDescriptors().forEach(Descriptor.close)
        pending = nil
        send(reply, loop)
    }

    func sessionOpened(_ loop: ClientLoop) {
        guard let pending else { return }
        send(.sessionOpened(id: pending.id, session: number), loop)
    }

    func openFailed(_ reason: ChannelOpenFailureReason, _ text: String, _ loop: ClientLoop) {
        guard let pending else { return }
        channel = nil
        self.pending = nil
        var why = ""
        // A session has but one reason: there is no room.
        if case .standardForward = pending.want { why = ": \(reason): \(text.visible)" }
        send(.failure(id: pending.id, "Session open refused by peer\(why)"), loop)
    }

    func terminalFailed(_ loop: ClientLoop) {
        send(.terminalFailed(session: number), loop)
    }

    /// Its channel is over.
    func finished(status: UInt32?, _ loop: ClientLoop) {
        channel = nil
        if let status { send(.exitMessage(session: number, status: status), loop) }
        end(loop)
    }

    func end(_ loop: ClientLoop) {
        guard !isGone else { return }
        isGone = true
        loop.closeChannel(of: self)
        proxy?.end(loop)
        proxy = nil
        // What came with a session ends with it; what was asked for alone stays.
        for forward in forwards {
            if pending == nil, !holdsForwards { loop.pin(forward) } else { loop.release(forward) }
        }
        forwards = []
        takeDescriptors().forEach(Descriptor.close)
        loop.unwatch(descriptor)
        Descriptor.close(descriptor)
        master.forget(self, loop)
    }

    // MARK: Forwards

    func openForward(_ id: UInt32, _ wanted: MultiplexForward, _ loop: ClientLoop) {
        guard let forward = wanted.forward else {
            return send(.failure(id: id, "Invalid forwarding request"), loop)
        }
        if forward.kind != .remote {
            // Why not is for who asked, not for the master's own terminal.
            var reason: String?
            let users = ForwardUsers(isPinned: false, count: 1)
            guard loop.listen(forward, users, tell: { reason = reason ?? $0 }) != nil else {
                let why = reason.map { ": \($0)" } ?? ""
                return send(.failure(id: id, "Port forwarding failed\(why)"), loop)
            }
            forwards.append(forward)
            return send(.ok(id: id), loop)
        }
        if let existing = loop.remoteForwards.first(where: { $0.forward == forward }),
            existing.state == .active
        {
            existing.users.count += 1
            forwards.append(forward)
            return send(success(id, forward, port: existing.port), loop)
        }
        loop.requestRemote(forward, ForwardUsers(isPinned: false, count: 1)) { [weak self] result in
            guard let self else { return loop.release(forward) }
            switch result {
            case .success(let port):
                guard !isGone else { return loop.pin(forward) }
                forwards.append(forward)
                send(success(id, forward, port: port), loop)
            case .failure:
                let place =
                    switch forward.listen {
                    case .tcp(_, let port): "listen port \(port)"
                    case .unix(let path): "listen path \(path)"
                    }
                send(
                    .failure(id: id, "remote port forwarding failed for \(place)"),
                    loop
                )
            }
        }
    }

    private func success(_ id: UInt32, _ forward: Forward, port: UInt16) -> MultiplexReply {
        if case .tcp(_, 0) = forward.listen {
            return .remotePort(id: id, port: UInt32(port))
        }
        return .ok(id: id)
    }

    func closeForward(_ id: UInt32, _ wanted: MultiplexForward, _ loop: ClientLoop) {
        guard let forward = wanted.forward else {
            return send(.failure(id: id, "Invalid forwarding request"), loop)
        }
        send(
            loop.cancel(forward) ? .ok(id: id) : .failure(id: id, "port not forwarded"),
            loop
        )
    }

    /// The most that one may leave unread, in bytes.
    private static let maximumUnread = 64 << 10
}

extension SessionRequest {
    /// A passenger's.
    init(_ wanted: MultiplexSession) {
        self.init(
            wantsTerminal: wanted.wantsTerminal,
            terminalType: wanted.terminalType,
            isSubsystem: wanted.isSubsystem,
            command: wanted.command,
            environment: wanted.environment.compactMap(SessionRequest.split)
        )
        wantsAgent = wanted.wantsAgent
        wantsX11 = wanted.wantsX11
    }
}

extension MultiplexForward {
    /// The port that stands for a Unix socket: -2.
    private static let socketPort: UInt32 = 0xffff_fffe

    init(_ forward: Forward) {
        func fields(_ end: Forward.End) -> (String, UInt32) {
            switch end {
            case .tcp(let host, let port): (host == "" ? "*" : host ?? "", UInt32(port))
            case .unix(let path): (path, Self.socketPort)
            }
        }
        let kind: Kind =
            switch forward.kind {
            case .local: .local
            case .remote: .remote
            case .dynamic: .dynamic
            }
        let (listenHost, listenPort) = fields(forward.listen)
        let (connectHost, connectPort) = forward.connect.map(fields) ?? ("socks", 0)
        self.init(
            kind: kind,
            listenHost: listenHost,
            listenPort: listenPort,
            connectHost: connectHost,
            connectPort: connectPort
        )
    }

    static func end(_ host: String, _ port: UInt32) -> Forward.End {
        port == socketPort
            ? .unix(path: host)
            : .tcp(host: host.isEmpty ? nil : host, port: UInt16(clamping: port))
    }

    /// Nil for what is no forward.
    var forward: Forward? {
        let isSocket = { (port: UInt32) in port == Self.socketPort }
        guard listenPort <= 65535 || isSocket(listenPort),
            connectPort <= 65535 || isSocket(connectPort)
        else { return nil }
        let listen = Self.end(listenHost, listenPort)
        let goesAnywhere = kind == .dynamic || (kind == .remote && connectPort == 0)
        if !goesAnywhere, connectHost.isEmpty || connectPort == 0 { return nil }
        if kind != .remote, listenPort == 0 { return nil }
        let ours: Forward.Kind =
            switch kind {
            case .local: .local
            case .remote: .remote
            case .dynamic: .dynamic
            }
        return Forward(
            ours,
            listen: listen,
            connect: goesAnywhere ? nil : Self.end(connectHost, connectPort)
        )
    }

    /// As the user is asked about it.
    var description: String {
        guard let forward else { return "forward" }
        let target = forward.connect?.shortPlace ?? "*"
        return switch kind {
        case .local: "local forward \(forward.listen.shortPlace) -> \(target)"
        case .remote: "remote forward \(forward.listen.shortPlace) -> \(target)"
        case .dynamic: "dynamic forward \(forward.listen.shortPlace) -> *"
        }
    }
}
