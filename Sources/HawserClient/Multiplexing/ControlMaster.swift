// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserMultiplex
internal import HawserSystem

/// The owner's side of a control socket: it lends the connection to other ssh processes of the user
/// (PROTOCOL.mux).
package final class ControlMaster: Watcher {
    let path: String
    private let host: String
    private let asks: Bool
    private var listener: Int32
    private var passengers: [Int32: ControlPassenger] = [:]
    /// The fingerprint of the key that the connection logged in with, which each passenger is told.
    private var acceptedKey: String?
    private var nextSession: UInt32 = 1
    private var isSweeping = false
    /// The file that we made, so that we never remove another's.
    private let identity: Files.Identity?

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
        identity = Files.identity(path)
    }

    package var isClosed: Bool { listener < 0 }

    /// Someone is at the socket.
    var isBusy: Bool { !passengers.isEmpty }

    /// Begins to take passengers.
    package func start(_ loop: ClientLoop) {
        loop.watch(listener, read: true, write: false, self)
    }

    /// Takes no new passengers; those that ride stay.
    func close(_ loop: ClientLoop) {
        guard listener >= 0 else { return }
        loop.unwatch(listener)
        Descriptor.close(listener)
        listener = -1
        if isThere { Files.remove(path) }
    }

    /// Lets go of the socket without removing it: another process goes on with it.
    func abandon() {
        Descriptor.close(listener)
        listener = -1
    }

    // MARK: Passengers

    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        for _ in 0..<64 {
            guard listener >= 0, case .connection(let fd, _) = Socket.accept(listener) else {
                return
            }
            // The file's mode keeps strangers out; this holds even if someone changes it.
            guard let peer = UnixSocket.peer(of: fd),
                peer.uid == 0 || peer.uid == Daemon.effectiveUser,
                passengers.count < Self.maximumPassengers
            else {
                Descriptor.close(fd)
                continue
            }
            let passenger = ControlPassenger(fd, pid: peer.pid, self)
            passengers[fd] = passenger
            passenger.start(loop)
            sweepLater(loop)
        }
    }

    func forget(_ passenger: ControlPassenger, _ loop: ClientLoop) {
        passengers[passenger.descriptor] = nil
        // Who was stopped for a while may find another master in its place.
        if passengers.isEmpty, listener >= 0, !isThere { close(loop) }
    }

    /// The file at the path is ours.
    private var isThere: Bool {
        guard let identity, let found = Files.identity(path) else { return false }
        return found.isSameFile(as: identity)
    }

    /// Whoever has asked for nothing after a while, or does not read, is let go.
    private func sweepLater(_ loop: ClientLoop) {
        guard !isSweeping else { return }
        isSweeping = true
        loop.timers.add(seconds: Self.patienceSeconds) { [weak self, weak loop] in
            guard let self, let loop else { return }
            isSweeping = false
            let now = Clock.nanoseconds
            var isWatching = false
            for passenger in Array(passengers.values) {
                if passenger.isStuck(now, seconds: Self.patienceSeconds) {
                    passenger.end(loop)
                } else if passenger.canBeStuck {
                    isWatching = true
                }
            }
            if isWatching { sweepLater(loop) }
        }
    }

    /// Has a passenger that does not read looked at again.
    func noteUnread(_ loop: ClientLoop) { sweepLater(loop) }

    // MARK: What passengers ask

    func perform(
        _ request: MultiplexRequest,
        _ passenger: ControlPassenger,
        _ loop: ClientLoop
    ) throws(ControlError) {
        switch request {
        case .hello(let version, let extensions):
            guard version == Multiplex.version else { throw .ended }
            passenger.hasGreeted = true
            passenger.take(extensions)
        case _ where !passenger.hasGreeted: throw .ended
        case .aliveCheck(let id):
            passenger.send(.alive(id: id, pid: UInt32(Daemon.processID)), loop)
        case .newSession(let id, let session):
            guard passenger.channel == nil, !passenger.awaitsDescriptors else {
                return passenger.send(.failure(id: id, "Multiple sessions not supported"), loop)
            }
            passenger.await(.session(session), id, descriptors: 3, number: takeNumber())
        case .newStandardForward(let id, let host, let port):
            guard passenger.channel == nil, !passenger.awaitsDescriptors else {
                return passenger.send(.failure(id: id, "Multiple sessions not supported"), loop)
            }
            let target = MultiplexForward.end(host, port)
            passenger.await(.standardForward(target), id, descriptors: 2, number: takeNumber())
        case .terminate(let id):
            confirm("Terminate shared connection to \(host)? ", id, passenger, loop) {
                passenger.send(.ok(id: id), loop)
                loop.end()
            }
        case .stopListening(let id):
            confirm(
                "Disable further multiplexing on shared connection to \(host)? ",
                id,
                passenger,
                loop
            ) {
                self.close(loop)
                passenger.send(.ok(id: id), loop)
            }
        case .openForward(let id, let forward):
            let question = "Open \(forward.description) on \(host)?"
            confirm(question, id, passenger, loop) {
                passenger.openForward(id, forward, loop)
            }
        case .closeForward(let id, let forward):
            passenger.closeForward(id, forward, loop)
        case .proxy(let id):
            confirm("Allow multiplex proxy connection?", id, passenger, loop) {
                passenger.becomeProxy(id, loop)
            }
        case .information(let id, let what):
            switch what {
            case "connection":
                passenger.send(.information(id: id, loop.connectionInformation), loop)
            case "channels": passenger.send(.information(id: id, loop.openConnections), loop)
            default: control(what, id, passenger, loop)
            }
        case .other(_, let id): passenger.send(.failure(id: id, "unsupported request"), loop)
        }
    }

    /// What a greeting says about us.
    func extensions(_ loop: ClientLoop) -> [MultiplexExtension] {
        var result = [Multiplex.information, MultiplexExtension(Multiplex.health)]
        if asks { result.append(MultiplexExtension(Multiplex.asks)) }
        if acceptedKey == nil { acceptedKey = loop.authenticator.acceptedKey }
        if let key = acceptedKey {
            result.append(MultiplexExtension(Multiplex.identity, value: key))
        }
        return result
    }

    private func takeNumber() -> UInt32 {
        nextSession &+= 1
        return nextSession &- 1
    }

    /// All descriptors of a request for a channel are there.
    func open(_ passenger: ControlPassenger, _ id: UInt32, _ loop: ClientLoop) {
        let question =
            passenger.wantedForward.map { "Allow forward to \($0.shortPlace)? " }
            ?? "Allow shared connection to \(host)? "
        confirm(question, id, passenger, loop) { passenger.open(loop) }
    }

    /// Does it, if the user agrees where asking is wanted (`ControlMaster ask`).
    private func confirm(
        _ question: String,
        _ id: UInt32,
        _ passenger: ControlPassenger,
        _ loop: ClientLoop,
        _ action: @escaping () -> Void
    ) {
        guard asks else { return action() }
        passenger.isAsked = true
        Confirmation(question) { isAllowed in
            passenger.isAsked = false
            guard !passenger.isGone else { return }
            if isAllowed {
                action()
            } else {
                loop.log.debug("mux: the user refused")
                passenger.refuse(.permissionDenied(id: id, "Permission denied"), loop)
            }
            passenger.resume(loop)
        }.start(loop)
    }

    private static let maximumPassengers = 4096
    /// How long a passenger may say nothing at first, or not read what it is told.
    private static let patienceSeconds: UInt64 = 30
}

/// A passenger's connection is over, or is not worth going on with.
enum ControlError: Error { case ended }
