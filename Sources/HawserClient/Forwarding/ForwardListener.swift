// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Where we listen for connections that go on from the server's side (`-L`, `-D`).
final class ForwardListener: Watcher {
    let forward: Forward
    private var descriptors: [Int32]
    /// The port that the system chose, if it did.
    let port: UInt16
    /// Who wants it: ssh itself, and each passenger that asked.
    var users = ForwardUsers()

    private var acceptsAtOnce = 1
    private var lastAccepted: UInt64 = 0

    init(_ forward: Forward, _ descriptors: [Int32], port: UInt16) {
        self.forward = forward
        self.descriptors = descriptors
        self.port = port
    }

    func start(_ loop: ClientLoop) {
        for fd in descriptors { loop.watch(fd, read: true, write: false, self) }
    }

    func stop(_ loop: ClientLoop) {
        for fd in descriptors {
            loop.unwatch(fd)
            Descriptor.close(fd)
        }
        descriptors = []
        if case .unix(let path) = forward.listen { Files.remove(path) }
    }

    /// Takes what waits, so many at a time that others have their turn. One at first: it is rare that
    /// there are more.
    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        for _ in 0..<acceptsAtOnce {
            guard case .connection(let fd, let peer) = Socket.accept(ready.descriptor) else {
                acceptsAtOnce = 1
                return
            }
            accepted(fd, peer, loop)
        }
        let now = Clock.nanoseconds
        if now &- lastAccepted < 100_000 { acceptsAtOnce = 16 }
        lastAccepted = now
    }

    private func accepted(_ fd: Int32, _ peer: SocketAddress, _ loop: ClientLoop) {
        loop.log.debug(
            "Connection to \(forward.listen.place) forwarding to "
                + "\(forward.connect?.place ?? "socks port 0") requested."
        )
        guard let target = forward.connect else {
            return SOCKSConnection(fd, peer).begin(loop)
        }
        loop.open(target, for: fd, from: peer)
    }
}

/// Who needs a forward: it ends when nobody does.
struct ForwardUsers {
    /// ssh's own configuration, or a command that is over: until it is cancelled.
    var isPinned = false
    /// Sessions that came with it.
    var count = 0

    var isUnused: Bool { !isPinned && count <= 0 }
}

/// A local connection that is still to say where it wants to go.
final class SOCKSConnection: Watcher {
    private let descriptor: Int32
    private let peer: SocketAddress
    private var negotiation = SOCKSNegotiation()

    init(_ descriptor: Int32, _ peer: SocketAddress) {
        self.descriptor = descriptor
        self.peer = peer
    }

    /// What it wants has often come before we have.
    func begin(_ loop: ClientLoop) {
        if read(loop) { loop.watch(descriptor, read: true, write: false, self) }
    }

    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) { _ = read(loop) }

    /// True while it has more to say. The channel that goes on with it is watched as it is.
    private func read(_ loop: ClientLoop) -> Bool {
        loop.fillBuffer()
        let transfer: Transfer
        do {
            var whole = loop.buffer.mutableRawBytes
            var part = whole.prefix(SOCKSNegotiation.maximumBytes)
            transfer = Descriptor.read(descriptor, into: &part)
        }
        switch transfer {
        case .bytes(let count):
            negotiation.append(loop.buffer.rawBytes.extracting(first: count))
        case .wouldBlock: return true
        case .ended, .failed:
            close(loop)
            return false
        }
        while true {
            switch negotiation.next() {
            case .needsMore: return true
            case .answer(let bytes): _ = Descriptor.write(descriptor, bytes.rawBytes)
            case .refuse(let bytes):
                _ = Descriptor.write(descriptor, bytes.rawBytes)
                close(loop)
                return false
            case .connect(let host, let port):
                loop.log.debug("dynamic request: connect to \(host.visible) port \(port)")
                loop.open(
                    .tcp(host: host, port: port),
                    for: descriptor,
                    from: peer,
                    socks: negotiation
                )
                return false
            }
        }
    }

    private func close(_ loop: ClientLoop) {
        loop.release(descriptor)
        Descriptor.close(descriptor)
    }
}

extension Forward.End {
    /// As messages name it.
    var place: String {
        switch self {
        case .tcp(let host, let port): "\(host ?? "LOCALHOST") port \(port)"
        case .unix(let path): path
        }
    }

    /// As the messages of remote forwards name it.
    var shortPlace: String {
        switch self {
        case .tcp(let host, let port): "\(host ?? "LOCALHOST"):\(port)"
        case .unix(let path): path
        }
    }
}
