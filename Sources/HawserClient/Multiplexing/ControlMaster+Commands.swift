// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserMultiplex
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// What only masters of ours answer: how they are, whom they carry, and how to end one of these.
extension ControlMaster {
    func control(
        _ words: String,
        _ id: UInt32,
        _ passenger: ControlPassenger,
        _ loop: ClientLoop
    ) {
        let fields = words.split(separator: ":").map(String.init)
        switch (fields.first, fields.count) {
        case ("health", 1):
            loop.probe { answer in passenger.send(.information(id: id, answer), loop) }
        case ("status", 1):
            loop.probe { answer in
                passenger.send(.information(id: id, self.status(loop) + "health \(answer)\n"), loop)
            }
        case ("sessions", 1):
            passenger.send(.information(id: id, sessions(loop)), loop)
        case ("kill", 2):
            guard let found = channel(fields[1], loop) else { return unknown(id, passenger, loop) }
            loop.end(found)
            passenger.send(.information(id: id, ""), loop)
        case ("signal", 3):
            guard let found = channel(fields[2], loop) else { return unknown(id, passenger, loop) }
            let name = fields[1].uppercased()
            loop.connection.request(
                .signal(name: name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name),
                on: found.id,
                wantReply: false
            )
            passenger.send(.information(id: id, ""), loop)
        default: passenger.send(.failure(id: id, "unsupported request"), loop)
        }
    }

    private func unknown(_ id: UInt32, _ passenger: ControlPassenger, _ loop: ClientLoop) {
        passenger.send(.failure(id: id, "no such session"), loop)
    }

    /// A session by the number that `sessions` shows: that of its channel.
    private func channel(_ number: String, _ loop: ClientLoop) -> ClientChannel? {
        guard let number = UInt32(number) else { return nil }
        return loop.channels.values.first { channel in
            channel.id.number == number
                && (channel is ClientSession || channel is StandardForward
                    || channel is ProxiedChannel)
        }
    }

    /// One line each: number, process, age, terminal or not, what runs.
    private func sessions(_ loop: ClientLoop) -> String {
        var lines = ["ID\tPID\tAGE\tTTY\tCOMMAND"]
        for channel in loop.channels.values.sorted(by: { $0.id.number < $1.id.number }) {
            let passenger: ControlPassenger?
            var command = channel.kind
            var terminal = "no"
            if let session = channel as? ClientSession {
                passenger = session.passenger
                command = session.request.command ?? "(shell)"
                if session.hasTerminal { terminal = "yes" }
            } else if let forward = channel as? StandardForward {
                passenger = forward.passenger
            } else {
                continue
            }
            let age = (Clock.nanoseconds - (passenger?.arrived ?? loop.started)) / 1_000_000_000
            let pid = passenger?.pid ?? Daemon.processID
            let line = command.split(separator: "\n").joined(separator: " ")
            lines.append("\(channel.id)\t\(pid)\t\(age)\t\(terminal)\t\(line)")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// For a list of masters: a name and a value a line.
    private func status(_ loop: ClientLoop) -> String {
        let sessions = loop.channels.values.count { $0 is ClientSession || $0 is ProxiedChannel }
        let age = (Clock.nanoseconds - loop.started) / 1_000_000_000
        return """
            path \(path)
            pid \(Daemon.processID)
            user \(loop.settings.user)
            host \(loop.settings.host)
            port \(loop.settings.port)
            age \(age)
            sessions \(sessions)

            """
    }
}

extension ClientLoop {
    /// Asks the server whether it is there: `alive` and the round trip in microseconds, or `dead` and
    /// the seconds since it last said something.
    func probe(_ answer: @escaping (String) -> Void) {
        let asked = Clock.nanoseconds
        let id = connection.requestGlobal(.keepAlive, wantReply: true)
        let timer = timers.add(seconds: 3) { [weak self] in
            guard let self, awaitedGlobals.removeValue(forKey: id) != nil else { return }
            answer("dead \((Clock.nanoseconds - lastReceived) / 1_000_000_000)")
        }
        awaitedGlobals[id] = { [weak self] _, _ in
            self?.timers.cancel(timer)
            answer("alive \((Clock.nanoseconds - asked) / 1000)")
        }
    }
}
