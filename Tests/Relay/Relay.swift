// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// Passes connections on from a port of its own to a server, as a path with the given conditions
/// would. A line on standard input changes them, each answered with `ok` or `error: …`:
///
///     delay MILLISECONDS     one way
///     rate BYTES             a second; 0: without bound
///     freeze | thaw          nothing moves any more, and no one is told
///     strand                 nothing moves any more on the connections there are; later ones pass
///     cut                    every connection there is ends at once
///     from ADDRESS           where later connections to the server come from
///
/// The end of standard input ends it.
final class Relay {
    private let listener: Int32
    private let target: SocketAddress
    private var source: SocketAddress?
    private var path = PathConditions()
    private var connections: [RelayedConnection] = []
    private var commands: [UInt8] = []

    /// Throws when the port cannot be listened on.
    init(to target: SocketAddress) throws(SystemError) {
        self.target = target
        guard
            let local = try? Resolver.addresses(of: "127.0.0.1", port: "0", isNumeric: true).first
        else { throw SystemError("resolve", "127.0.0.1") }
        listener = try Socket.listening(on: local)
        Descriptor.setNonblocking(0)
    }

    var port: Int { Socket.local(of: listener)?.port ?? 0 }

    /// Runs until standard input ends.
    func run() {
        while turn() {}
    }

    private func turn() -> Bool {
        var set = PollSet()
        let input = set.add(0, read: true)
        let door = path.isFrozen ? nil : set.add(listener, read: true)
        var now = Clock.nanoseconds
        var watched: [(connection: RelayedConnection, socket: Int32, index: Int)] = []
        if !path.isFrozen {
            for connection in connections where !connection.isStranded {
                for socket in connection.sockets {
                    let index = set.add(
                        socket,
                        read: connection.wantsRead(socket),
                        write: connection.wantsWrite(socket, at: now)
                    )
                    watched.append((connection, socket, index))
                }
            }
        }
        set.wait(timeout: path.isFrozen ? nil : timeout(at: now))
        now = Clock.nanoseconds
        if set.isReadable(input), !takeCommands() { return false }
        guard !path.isFrozen else { return true }
        if let door, set.isReadable(door) { accept() }
        for each in watched
        where set.isReadable(each.index) && each.connection.wantsRead(each.socket) {
            each.connection.read(each.socket, at: now, path)
        }
        for connection in connections where !connection.isStranded {
            connection.deliver(at: now)
            if connection.isOver { connection.close() }
        }
        connections.removeAll { $0.isOver }
        return true
    }

    /// Until the next bytes arrive that have not; those that wait for room are watched instead.
    private func timeout(at now: UInt64) -> UInt64? {
        connections.lazy.filter { !$0.isStranded }.compactMap(\.due).filter { $0 > now }.min()
            .map { $0 - now }
    }

    private func accept() {
        guard case .connection(let near, _) = Socket.accept(listener) else { return }
        do throws(SystemError) {
            let far = try Socket.connected(to: target, from: source, milliseconds: 5000)
            for socket in [near, far] { Socket.setNoDelay(socket) }
            connections.append(RelayedConnection(near: near, far: far))
        } catch {
            Descriptor.close(near)
        }
    }

    // MARK: Commands

    private func takeCommands() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let transfer: Transfer
        do {
            var bytes = buffer.mutableRawBytes
            transfer = Descriptor.read(0, into: &bytes)
        }
        switch transfer {
        case .bytes(let count): commands += buffer[..<count]
        case .wouldBlock: return true
        case .ended, .failed: return false
        }
        while let end = commands.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: commands[..<end], as: UTF8.self)
            commands.removeFirst(end + 1)
            let answer = perform(line.split(separator: " ").map(String.init))
            Descriptor.writeAll(1, Array("\(answer)\n".utf8))
        }
        return true
    }

    private func perform(_ words: [String]) -> String {
        let number = words.count == 2 ? UInt64(words[1]) : nil
        switch words.first {
        case "delay":
            guard let number, number <= 60_000 else { return "error: delay MILLISECONDS" }
            path.delayNanoseconds = number * 1_000_000
        case "rate":
            guard let number else { return "error: rate BYTES" }
            path.bytesPerSecond = number == 0 ? nil : number
        case "freeze": path.isFrozen = true
        case "thaw": path.isFrozen = false
        case "strand": connections.forEach { $0.isStranded = true }
        case "cut":
            connections.forEach { $0.close() }
            connections = []
        case "from":
            guard words.count == 2,
                let found = try? Resolver.addresses(of: words[1], port: "0", isNumeric: true).first
            else { return "error: from ADDRESS" }
            source = found
        default: return "error: delay, rate, freeze, thaw, strand, cut or from"
        }
        return "ok"
    }
}
