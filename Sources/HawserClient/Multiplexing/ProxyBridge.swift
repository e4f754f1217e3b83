// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A proxy client of a master (PROTOCOL.mux §9): it speaks the connection protocol itself, and its
/// channels are bridged to channels of ours.
///
/// Both sides have windows of their own. What one has received and the other does not take waits
/// here, and its window is given back when it has gone on.
final class ProxyBridge: Watcher {
    let descriptor: Int32
    private let passenger: ControlPassenger
    fileprivate var connection: ServerConnection
    private var channels: [ChannelID: ProxiedChannel] = [:]
    private var hasEnded = false
    /// The client hears nothing any more; what it said before still counts.
    private var isDeaf = false
    /// Where the server listens for this client.
    private var forwards: [RemoteForward] = []

    init(_ descriptor: Int32, _ passenger: ControlPassenger) {
        self.descriptor = descriptor
        self.passenger = passenger
        var options = TransportOptions(
            isClient: false,
            identification: "SSH-2.0-mux",
            proposal: Proposal(
                keyExchange: [],
                hostKey: [],
                ciphers: [],
                macs: [],
                compression: []
            )
        )
        options.rekeyLimit = RekeyLimit(bytes: nil, interval: nil)
        connection = .bare(options, random: SystemRandom(), at: ClientLoop.now)
    }

    // MARK: Bytes

    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        if ready.isReadable, connection.wantsInput { read() }
        settle(loop)
    }

    private func read() {
        let descriptor = descriptor
        var isOver = false
        _ = connection.receive(upTo: 64 << 10) { (span: inout MutableRawSpan) -> Int in
            switch Descriptor.read(descriptor, into: &span) {
            case .bytes(let count): return count
            case .wouldBlock: return 0
            case .ended, .failed:
                isOver = true
                return 0
            }
        }
        if isOver { hasEnded = true }
    }

    /// Does what the client said and sends what there is to say to it.
    func settle(_ loop: ClientLoop) {
        var hasSent = true
        while hasSent, !hasEnded {
            do throws(ProtocolError) {
                while let event = try connection.nextEvent(at: ClientLoop.now) {
                    handle(event, loop)
                }
            } catch {
                loop.log.debug("mux proxy: \(error.text)")
                hasEnded = true
            }
            hasSent = flush()
        }
        if hasEnded { return passenger.end(loop) }
        loop.watch(
            descriptor,
            read: connection.wantsInput,
            write: connection.hasOutput,
            self
        )
    }

    private func flush() -> Bool {
        guard !isDeaf else {
            connection.output.removeAll()
            return false
        }
        var transfer = Transfer.wouldBlock
        let sent = connection.sendOutput { bytes in
            transfer = Descriptor.write(descriptor, bytes)
            return transfer.count
        }
        guard transfer.isOver else { return sent > 0 }
        isDeaf = true
        connection.output.removeAll()
        return false
    }

    /// The client is gone: so is everything of it.
    func end(_ loop: ClientLoop) {
        hasEnded = true
        for channel in channels.values {
            loop.connection.closeChannel(channel.id)
            channel.isOrphan = true
        }
        channels = [:]
        for remote in forwards { loop.cancel(remote) }
        forwards = []
    }

    // MARK: Events

    private func handle(_ event: ConnectionEvent, _ loop: ClientLoop) {
        switch event {
        case .channelOpenRequested(let inner, let opening): open(inner, opening, loop)
        case .channelOpened(let inner): channels[inner]?.innerOpened(loop)
        case .channelOpenFailed(let inner, let reason, let message):
            channels.removeValue(forKey: inner)?.innerFailed(reason, message, loop)
        case .channelData(let inner, let count):
            channels[inner]?.takeFromInner(count, isError: false, loop)
        case .channelExtendedData(let inner, _, let count):
            channels[inner]?.takeFromInner(count, isError: true, loop)
        case .channelEOF(let inner): channels[inner]?.innerEnded(loop)
        case .channelClosed(let inner): channels.removeValue(forKey: inner)?.innerClosed(loop)
        case .channelWritable(let inner): channels[inner]?.flushToInner(loop)
        case .channelRequest(let inner, let request, let wantReply):
            if let channel = channels[inner] {
                loop.connection.request(request, on: channel.id, wantReply: wantReply)
            } else if wantReply {
                connection.answerRequest(on: inner, success: false)
            }
        case .channelRequestAnswered(let inner, let success):
            if let channel = channels[inner] {
                loop.connection.answerRequest(on: channel.id, success: success)
            }
        case .globalRequest(let request, let wantReply): global(request, wantReply, loop)
        default: break
        }
    }

    private func open(_ inner: ChannelID, _ opening: ChannelOpening, _ loop: ClientLoop) {
        guard let outer = loop.connection.openChannel(opening) else {
            return connection.refuseChannel(
                inner,
                reason: .resourceShortage,
                message: "too many channels"
            )
        }
        let channel = ProxiedChannel(outer, kind: opening.typeName, inner: inner, self)
        channels[inner] = channel
        loop.add(channel)
    }

    private func global(_ request: GlobalRequest, _ wantReply: Bool, _ loop: ClientLoop) {
        let forward: Forward
        switch request {
        case .tcpipForward(let address, let port) where port <= 65535:
            forward = Forward(
                .remote,
                listen: .tcp(host: address, port: UInt16(clamping: port)),
                connect: nil
            )
        case .streamLocalForward(let path):
            forward = Forward(.remote, listen: .unix(path: path), connect: nil)
        case .cancelTCPIPForward(let address, let port):
            return cancel(loop) { remote in
                remote.forward.listen == .tcp(host: address, port: UInt16(clamping: port))
                    || UInt32(remote.port) == port
            }
        case .cancelStreamLocalForward(let path):
            return cancel(loop) { $0.forward.listen == .unix(path: path) }
        default:
            if wantReply { connection.answerGlobalRequest(success: false) }
            return
        }
        let remote = loop.requestRemote(forward, ForwardUsers(isPinned: true, count: 0), nil)
        remote.proxy = self
        forwards.append(remote)
        remote.answer = { [weak self] result in
            guard let self, !hasEnded else { return }
            // OpenSSH's masters pass no answer on, and its clients stumble over one.
            if case .failure = result { forwards.removeAll { $0 === remote } }
        }
    }

    private func cancel(_ loop: ClientLoop, _ isIt: (RemoteForward) -> Bool) {
        guard let index = forwards.firstIndex(where: isIt) else { return }
        loop.cancel(forwards.remove(at: index))
    }

    /// The server passes a connection on that belongs to this client.
    func passOn(_ outer: ChannelID, _ opening: ChannelOpening, _ loop: ClientLoop) {
        guard let inner = connection.openChannel(opening) else { return loop.refuse(outer) }
        let channel = ProxiedChannel(outer, kind: opening.typeName, inner: inner, self)
        channels[inner] = channel
        loop.add(channel)
        settle(loop)
    }
}

/// A channel that is bridged: `id` is its number towards the server, `inner` that of the client.
final class ProxiedChannel: ClientChannel {
    private let inner: ChannelID
    private let bridge: ProxyBridge
    /// The client is gone.
    var isOrphan = false
    /// What the server sent and the client's window does not take yet.
    private var toInner: [(bytes: [UInt8], isError: Bool)] = []
    private var toOuter: [(bytes: [UInt8], isError: Bool)] = []
    private var endsInner = false
    private var closesInner = false
    private var endsOuter = false
    private var closesOuter = false

    init(_ outer: ChannelID, kind: String, inner: ChannelID, _ bridge: ProxyBridge) {
        self.inner = inner
        self.bridge = bridge
        super.init(outer, kind: "mux-proxy \(kind)")
    }

    // MARK: The server's side

    override func opened(_ loop: ClientLoop) {
        markOpen()
        guard !isOrphan else { return loop.connection.closeChannel(id) }
        bridge.connection.confirmChannel(inner)
        bridge.settle(loop)
    }

    override func openFailed(
        _ reason: ChannelOpenFailureReason,
        _ text: String,
        _ loop: ClientLoop
    ) {
        guard !isOrphan else { return }
        bridge.connection.refuseChannel(inner, reason: reason, message: text)
        bridge.settle(loop)
    }

    override func requested(_ request: ChannelRequest, wantReply: Bool, _ loop: ClientLoop) {
        guard !isOrphan else { return super.requested(request, wantReply: wantReply, loop) }
        bridge.connection.request(request, on: inner, wantReply: wantReply)
        bridge.settle(loop)
    }

    override func answered(success: Bool, _ loop: ClientLoop) {
        guard !isOrphan else { return }
        bridge.connection.answerRequest(on: inner, success: success)
        bridge.settle(loop)
    }

    override func receive(_ count: Int, isError: Bool, _ loop: ClientLoop) {
        guard !isOrphan else { return loop.connection.consumed(count, on: id) }
        toInner.append((loop.received, isError))
        flushToInner(loop)
        bridge.settle(loop)
    }

    override func peerEnded(_ loop: ClientLoop) {
        endsInner = true
        guard !isOrphan else { return }
        flushToInner(loop)
        bridge.settle(loop)
    }

    override func closed(_ loop: ClientLoop) {
        closesInner = true
        _ = loop.remove(self)
        guard !isOrphan else { return }
        flushToInner(loop)
        bridge.settle(loop)
    }

    override func writable(_ loop: ClientLoop) {
        flushToOuter(loop)
        if !isOrphan { bridge.settle(loop) }
    }

    /// Gives the client what its window takes.
    func flushToInner(_ loop: ClientLoop) {
        while let (bytes, isError) = toInner.first {
            let sent =
                isError
                ? bridge.connection.sendExtended(bytes.rawBytes, on: inner)
                : bridge.connection.send(bytes.rawBytes, on: inner)
            if sent > 0 { loop.connection.consumed(sent, on: id) }
            guard sent == bytes.count else {
                toInner[0].bytes.removeFirst(sent)
                return
            }
            toInner.removeFirst()
        }
        if endsInner {
            endsInner = false
            bridge.connection.sendEOF(on: inner)
        }
        if closesInner {
            closesInner = false
            bridge.connection.closeChannel(inner)
        }
    }

    // MARK: The client's side

    func innerOpened(_ loop: ClientLoop) {
        markOpen()
        loop.connection.confirmChannel(id)
    }

    func innerFailed(_ reason: ChannelOpenFailureReason, _ text: String, _ loop: ClientLoop) {
        loop.connection.refuseChannel(id, reason: reason, message: text)
        _ = loop.remove(self)
    }

    func takeFromInner(_ count: Int, isError: Bool, _ loop: ClientLoop) {
        let bytes = bridge.connection.withReceived { [UInt8](copying: $0) }
        toOuter.append((bytes, isError))
        flushToOuter(loop)
    }

    func innerEnded(_ loop: ClientLoop) {
        endsOuter = true
        flushToOuter(loop)
    }

    /// The client has closed it, and may be gone by now; what it sent before still goes on.
    func innerClosed(_ loop: ClientLoop) {
        isOrphan = true
        toInner = []
        closesOuter = true
        flushToOuter(loop)
    }

    private func flushToOuter(_ loop: ClientLoop) {
        while let (bytes, isError) = toOuter.first {
            let sent =
                isError
                ? loop.connection.sendExtended(bytes.rawBytes, on: id)
                : loop.connection.send(bytes.rawBytes, on: id)
            if sent > 0 { bridge.connection.consumed(sent, on: inner) }
            guard sent == bytes.count else {
                toOuter[0].bytes.removeFirst(sent)
                return
            }
            toOuter.removeFirst()
        }
        if endsOuter {
            endsOuter = false
            loop.connection.sendEOF(on: id)
        }
        if closesOuter {
            closesOuter = false
            loop.connection.closeChannel(id)
        }
    }
}
