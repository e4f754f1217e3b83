// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserSystem
internal import HawserWire

/// The command line of `~C`: one line about forwards, typed while the terminal is in raw mode.
extension ClientLoop {
    /// Takes typed bytes up to the end of the line; nil while it is not there. The line is shown as
    /// it is typed.
    func readCommandLine(
        _ bytes: inout ArraySlice<UInt8>,
        _ session: ClientSession
    ) -> String? {
        func show(_ text: String) { session.show(text, isError: true, self) }
        while let byte = bytes.popFirst() {
            switch byte {
            case 10, 13:
                let line = session.commandLine ?? []
                session.commandLine = nil
                show("\r\n")
                return String(octets: line)
            case 3, 4:  // ^C, ^D
                session.commandLine = nil
                show("\r\n")
                return ""
            case 8, 127:  // backspace
                if session.commandLine?.popLast() != nil { show("\u{8} \u{8}") }
            case 21:  // ^U
                let count = session.commandLine?.count ?? 0
                session.commandLine = []
                show(String(repeating: "\u{8} \u{8}", count: count))
            case 0x20...0x7e where (session.commandLine?.count ?? 0) < 1024:
                session.commandLine?.append(byte)
                show(String(UnicodeScalar(byte)))
            default: break
            }
        }
        return nil
    }

    /// Does what a line says.
    func perform(_ line: String, _ session: ClientSession) {
        func say(_ text: String) { session.show(text + "\r\n", isError: true, self) }
        var words = line.drop { $0 == " " }
        if words.isEmpty { return }
        let mayRun = settings.options.permitLocalCommand == true && session.passenger == nil
        if words.first == "!", mayRun { return runLocally(String(words.dropFirst())) }
        // The minus may be left out.
        if words.first == "-" { words = words.dropFirst() }
        if words.first == "?" || words.first == "h" || words.first == "H" {
            for each in Self.commandHelp { say(each) }
            if mayRun { say("      !args                                  Execute local command") }
            return
        }
        let cancels = words.first == "K"
        let rest = words.dropFirst(cancels ? 1 : 0)
        let kinds: [Character: Forward.Kind] = ["L": .local, "R": .remote, "D": .dynamic]
        guard let letter = rest.first, let kind = kinds[letter] else {
            return say("Invalid command.")
        }
        let specification = String(rest.dropFirst().drop { $0 == " " })
        if cancels {
            guard Forward(.dynamic, specification) != nil else {
                return say("Bad forwarding close specification.")
            }
            say(
                cancel(kind, at: specification)
                    ? "Canceled forwarding." : "Unknown port forwarding."
            )
            return
        }
        guard let forward = Forward(kind, specification) else {
            let name = kind == .remote ? "remote" : "local"
            return say("Bad \(name) forwarding specification.")
        }
        let users = ForwardUsers(isPinned: true, count: 0)
        if kind == .remote {
            requestRemote(forward, users) { [weak self, weak session] result in
                guard let self, let session else { return }
                switch result {
                case .failure:
                    session.show("Port forwarding failed.\r\n", isError: true, self)
                case .success(let port):
                    guard case .tcp(_, 0) = forward.listen else { return }
                    session.show("Allocated port \(port).\r\n", isError: true, self)
                }
            }
        } else if listeners.contains(where: { $0.forward.listen == forward.listen }) {
            // A second one would find the first in its place.
            if case .tcp(let host, let port) = forward.listen {
                say("bind [\(host ?? "127.0.0.1")]:\(port): \(SystemError.reason(98))")
                say("channel_setup_fwd_listener_tcpip: cannot listen to port: \(port)")
            }
            return say("Port forwarding failed.")
        } else if listen(forward, users) == nil {
            return say("Port forwarding failed.")
        }
        say("Forwarding port.")
    }

    /// A command of the user's own shell, in a terminal as it was before.
    private func runLocally(_ command: String) {
        leaveRawMode()
        defer { enterRawMode() }
        let shell = Environment.value("SHELL") ?? "/bin/sh"
        var spawn =
            command.isEmpty ? Spawn(shell, [shell]) : Spawn.shell(shell, command: command)
        spawn.descriptors = [(0, 0), (1, 1), (2, 2)]
        guard let pid = try? spawn.start() else { return }
        _ = Child.wait(pid)
    }

    /// Ends the forward that listens at a place, whatever it connects to.
    private func cancel(_ kind: Forward.Kind, at specification: String) -> Bool {
        guard let place = Forward(.dynamic, specification)?.listen else { return false }
        if kind == .remote {
            let found = remoteForwards.first { remote in
                if remote.forward.listen == place { return true }
                guard case .tcp(let host, let port) = place,
                    case .tcp(let other, _) = remote.forward.listen
                else { return false }
                return host == other && port == remote.port
            }
            guard let found else { return false }
            cancel(found)
            return true
        }
        let found = listeners.first {
            $0.forward.listen == place && ($0.forward.kind == .dynamic) == (kind == .dynamic)
        }
        return found.map { cancelLocal($0.forward) } ?? false
    }

    private static let commandHelp = [
        "Commands:",
        "      -L[bind_address:]port:host:hostport    Request local forward",
        "      -R[bind_address:]port:host:hostport    Request remote forward",
        "      -D[bind_address:]port                  Request dynamic forward",
        "      -KL[bind_address:]port                 Cancel local forward",
        "      -KR[bind_address:]port                 Cancel remote forward",
        "      -KD[bind_address:]port                 Cancel dynamic forward",
    ]
}
