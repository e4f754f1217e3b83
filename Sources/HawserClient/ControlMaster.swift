// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserMultiplex
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// The owner's side of a control socket: it lends the connection to other ssh processes of the user
/// (PROTOCOL.mux).
package final class ControlMaster {
    private let path: String
    private let host: String
    private let asks: Bool
    private var listener: Int32
    private var listenerIndex: Int?
    private var passengers: [ControlPassenger] = []
    private var nextSession: UInt32 = 1
    /// The file that we made, so that we never remove another's.
    private let identity: (device: UInt64, inode: UInt64)?

    /// Listens at `path`. Nil when there is something already, or it cannot be made; the text says so.
    package static func listen(
        at path: String,
        host: String,
        asks: Bool,
        say: (String) -> Void
    ) -> ControlMaster? {
        let suffix = String(Clock.nanoseconds & 0xffff_ffff, radix: 36)
        do throws(SystemError) {
            let listener = try UnixSocket.listening(
                at: path,
                temporary: "\(path).\(suffix)\(Daemon.processID)"
            )
            return ControlMaster(path, host: host, asks: asks, listener: listener)
        } catch {
            if error.number == 17 {  // EEXIST
                say("ControlSocket \(path) already exists, disabling multiplexing")
            } else if error.number == 36 {  // ENAMETOOLONG
                say("ControlPath \"\(path)\" too long for Unix domain socket")
            } else {
                say("muxserver_listen: \(error.call) mux listener \(path): \(error.reason)")
            }
            return nil
        }
    }

    private init(_ path: String, host: String, asks: Bool, listener: Int32) {
        self.path = path
        self.host = host
        self.asks = asks
        self.listener = listener
        identity = Files.status(path, followingLinks: false).map { ($0.device, $0.inode) }
    }

    package var isClosed: Bool { listener < 0 }

    /// Takes no new passengers; those that ride stay.
    package func close() {
        guard listener >= 0 else { return }
        Descriptor.close(listener)
        listener = -1
        if let status = Files.status(path, followingLinks: false), let identity,
            status.device == identity.device, status.inode == identity.inode
        {
            Files.remove(path)
        }
    }

    /// Lets go of the socket without removing it: another process goes on with it.
    func abandon() {
        Descriptor.close(listener)
        listener = -1
    }

    func watch(_ set: inout PollSet) {
        listenerIndex = listener >= 0 ? set.add(listener, read: true) : nil
        for passenger in passengers { passenger.index = set.add(passenger.descriptor, read: true) }
    }

    func serve(_ set: PollSet, _ loop: ClientLoop) {
        for passenger in passengers {
            if let index = passenger.index, set.isReadable(index) { serve(passenger, loop) }
        }
        passengers.removeAll(where: \.isGone)
        if let index = listenerIndex, set.isReadable(index) { accept() }
    }

    private func accept() {
        guard listener >= 0, case .connection(let fd, _) = Socket.accept(listener) else { return }
        // The file's mode keeps strangers out; this holds even if someone changes it.
        guard let peer = UnixSocket.peer(of: fd), peer.uid == 0 || peer.uid == Daemon.effectiveUser,
            passengers.count < Self.maximumPassengers
        else { return Descriptor.close(fd) }
        let passenger = ControlPassenger(fd)
        passengers.append(passenger)
        passenger.send(.hello(version: Multiplex.version, extensions: []))
    }

    private func serve(_ passenger: ControlPassenger, _ loop: ClientLoop) {
        do throws(ControlError) {
            if passenger.awaitsDescriptors {
                if try passenger.receiveDescriptor() { open(passenger, loop) }
                return
            }
            guard let message = try passenger.read() else { return }
            guard let request = try? MultiplexRequest(message.rawBytes) else { throw .ended }
            try perform(request, passenger, loop)
        } catch {
            loop.closeSession(of: passenger)
            passenger.end()
        }
    }

    private func perform(
        _ request: MultiplexRequest,
        _ passenger: ControlPassenger,
        _ loop: ClientLoop
    ) throws(ControlError) {
        switch request {
        case .hello(let version, _):
            guard version == Multiplex.version else { throw .ended }
            passenger.hasGreeted = true
        case _ where !passenger.hasGreeted: throw .ended
        case .aliveCheck(let id):
            passenger.send(.alive(id: id, pid: UInt32(Daemon.processID)))
        case .newSession(let id, let session):
            passenger.awaitDescriptors(id, session, number: nextSession)
            nextSession += 1
        case .terminate(let id):
            guard allows("Terminate shared connection to \(host)? ") else {
                return passenger.send(.permissionDenied(id: id, "Permission denied"))
            }
            passenger.send(.ok(id: id))
            loop.end()
        case .stopListening(let id):
            guard allows("Disable further multiplexing on shared connection to \(host)? ") else {
                return passenger.send(.permissionDenied(id: id, "Permission denied"))
            }
            close()
            passenger.send(.ok(id: id))
        case .openForward(let id, _), .closeForward(let id, _),
            .newStandardForward(let id, _, _), .proxy(let id):
            passenger.send(.failure(id: id, "not supported by this master yet"))
        case .other(_, let id): passenger.send(.failure(id: id, "unsupported request"))
        }
    }

    private func open(_ passenger: ControlPassenger, _ loop: ClientLoop) {
        guard allows("Allow shared connection to \(host)? ") else {
            passenger.refuse { .permissionDenied(id: $0, "Permission denied") }
            return
        }
        let fds = passenger.takeDescriptors()
        guard loop.openSession(for: passenger, input: fds[0], output: fds[1], error: fds[2]) else {
            fds.forEach(Descriptor.close)
            passenger.refuse { .failure(id: $0, "Session open failed") }
            return
        }
    }

    private func allows(_ question: String) -> Bool {
        guard asks else { return true }
        return Prompts.ask(question, .confirmation) != nil
    }

    private static let maximumPassengers = 4096
}

/// A passenger's connection is over, or is not worth going on with.
enum ControlError: Error { case ended }

/// One ssh process at the control socket.
final class ControlPassenger {
    let descriptor: Int32
    var index: Int?
    var hasGreeted = false
    private(set) var isGone = false
    private var buffer: [UInt8] = []
    private var pending: (id: UInt32, session: MultiplexSession)?
    private(set) var sessionNumber: UInt32 = 0
    private var descriptors: [Int32] = []
    private(set) var awaitsDescriptors = false

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    var request: SessionRequest {
        let session = pending?.session
        return SessionRequest(
            wantsTerminal: session?.wantsTerminal ?? false,
            terminalType: session?.terminalType ?? "",
            isSubsystem: session?.isSubsystem ?? false,
            command: session?.command,
            environment: (session?.environment ?? []).compactMap(SessionRequest.split)
        )
    }

    var escapeCharacter: UInt8? {
        guard let character = pending?.session.escapeCharacter, character <= 0xff else {
            return nil
        }
        return UInt8(character)
    }

    func send(_ reply: MultiplexReply) {
        Descriptor.writeAll(descriptor, reply.frame)
    }

    /// The next whole message; never a byte beyond it, since descriptors may travel with the next.
    func read() throws(ControlError) -> [UInt8]? {
        while true {
            let wanted: Int
            if buffer.count < 4 {
                wanted = 4
            } else {
                let count = Int(buffer.rawBytes.bigEndianUInt32(at: 0))
                guard count <= Multiplex.maximumBytes else { throw .ended }
                wanted = 4 + count
            }
            if buffer.count == wanted, wanted > 4 {
                defer { buffer = [] }
                return Array(buffer[4...])
            }
            var chunk = [UInt8](repeating: 0, count: wanted - buffer.count)
            var span = chunk.mutableRawBytes
            switch Descriptor.read(descriptor, into: &span) {
            case .bytes(let count): buffer += chunk[0..<count]
            case .wouldBlock: return nil
            case .ended, .failed: throw .ended
            }
        }
    }

    func awaitDescriptors(_ id: UInt32, _ session: MultiplexSession, number: UInt32) {
        pending = (id, session)
        sessionNumber = number
        awaitsDescriptors = true
    }

    /// True when all three are there.
    func receiveDescriptor() throws(ControlError) -> Bool {
        do throws(SystemError) {
            descriptors += try UnixSocket.receive(1, over: descriptor)
        } catch { throw .ended }
        awaitsDescriptors = descriptors.count < 3
        return !awaitsDescriptors
    }

    func takeDescriptors() -> [Int32] {
        defer { descriptors = [] }
        return descriptors
    }

    func refuse(_ reply: (UInt32) -> MultiplexReply) {
        if let pending { send(reply(pending.id)) }
        takeDescriptors().forEach(Descriptor.close)
    }

    func sessionOpened(_ session: ClientSession) {
        guard let pending else { return }
        send(.sessionOpened(id: pending.id, session: sessionNumber))
    }

    func openFailed(_ reason: ChannelOpenFailureReason, _ message: String) {
        guard let pending else { return }
        send(.failure(id: pending.id, "Session open refused by peer"))
    }

    func terminalFailed(_ session: ClientSession) {
        send(.terminalFailed(session: sessionNumber))
    }

    func finished(_ session: ClientSession) {
        if let status = session.exitStatus {
            send(.exitMessage(session: sessionNumber, status: status))
        }
        end()
    }

    func end() {
        guard !isGone else { return }
        isGone = true
        takeDescriptors().forEach(Descriptor.close)
        Descriptor.close(descriptor)
    }
}
