// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
package import HawserWire

/// Questions to the person in front: on the terminal, or through the program of `SSH_ASKPASS`.
package enum Prompts {
    package enum Kind { case secret, visible, confirmation }

    /// The answer, or nil when there is no one to ask or the question was cancelled.
    /// `prefersProgram`: where there is a display, its program goes before the terminal; `tells`:
    /// why that one cannot be started is said; `beginsLine`: the question goes to the begin of the
    /// terminal's line, over what may have been typed.
    package static func ask(
        _ question: String,
        _ kind: Kind = .secret,
        prefersProgram wanted: Bool = false,
        tells: Bool = true,
        beginsLine: Bool = true
    ) -> SecretBytes? {
        let require = Environment.value("SSH_ASKPASS_REQUIRE")
        let prefersProgram =
            require == "force"
            || (require == "prefer" || wanted) && hasDisplay && require != "never"
        if !prefersProgram, let terminal = try? Descriptor.open("/dev/tty", 2) {
            defer { Descriptor.close(terminal) }
            let text = beginsLine ? "\r" + question : question
            return ask(on: terminal, text, echo: kind != .secret)
        }
        guard mayAskProgram else { return nil }
        return askProgram(question, kind, tells: tells)
    }

    /// Whether a program asks where there is no terminal.
    package static var mayAskProgram: Bool {
        let require = Environment.value("SSH_ASKPASS_REQUIRE")
        return require != "never" && (require == "force" || hasDisplay)
    }

    // MARK: Terminal

    private static func ask(on terminal: Int32, _ question: String, echo: Bool) -> SecretBytes? {
        let before = Terminal.settings(of: terminal)
        let signals = signalsInBetween.filter { !Signals.isIgnored($0) }
        let actions = Signals.actions(on: signals)
        while true {
            Signals.watch(signals)
            // Echo goes off before the question comes: who answers at once (sshpass, expect) must
            // find it so, and would lose what the change flushes. In the background this stops us.
            if !echo { Terminal.setEcho(terminal, false) }
            _ = Signals.take(only: [Signals.continued])
            Descriptor.writeAll(terminal, question.octets)
            let (line, signal) = readLine(terminal)
            if let before { Terminal.restore(terminal, before) }
            if !echo { Descriptor.writeAll(terminal, [UInt8(ascii: "\n")]) }
            if signal == Signals.stopped {
                // Stops us here; who brings us back sees the question again.
                Signals.raise(Signals.stopped)
                continue
            }
            if signal == Signals.continued { continue }
            Signals.restore(actions)
            // The signal does what it would have done without the question.
            if let signal { Signals.send(signal) }
            return signal == nil ? line : nil
        }
    }

    /// INT HUP QUIT TERM TSTP CONT
    private static let signalsInBetween: [Int32] = [
        2, 1, 3, 15, Signals.stopped, Signals.continued,
    ]

    private static func readLine(_ terminal: Int32) -> (SecretBytes?, signal: Int32?) {
        var line: [UInt8] = []
        defer { line.wipe() }
        var byte: [UInt8] = [0]
        var set = PollSet()
        while true {
            set.removeAll()
            let input = set.add(terminal, read: true)
            let signalled = set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil)
            if set.isReadable(signalled), let signal = Signals.take().first {
                return (nil, signal)
            }
            guard set.isReadable(input) else { continue }
            var span = byte.mutableRawBytes
            let result = Descriptor.read(terminal, into: &span)
            guard case .bytes = result else {
                // The end of input (^D) ends the line, also an empty one; nobody answers any more
                // where the terminal is gone.
                let isThere = result == .ended && Terminal.settings(of: terminal) != nil
                return (line.isEmpty && !isThere ? nil : SecretBytes(Array(line)), nil)
            }
            if byte[0] == UInt8(ascii: "\n") || byte[0] == UInt8(ascii: "\r") {
                return (SecretBytes(Array(line)), nil)
            }
            if line.count < maximumBytes { line.append(byte[0]) }
        }
    }

    // MARK: SSH_ASKPASS

    private static func askProgram(
        _ question: String,
        _ kind: Kind,
        tells: Bool
    ) -> SecretBytes? {
        let program = Environment.value("SSH_ASKPASS") ?? "ssh-askpass"
        guard let pipe = try? Descriptor.pipe() else { return nil }
        defer { Descriptor.close(pipe.read) }
        var spawn = Spawn(program, [program, question])
        spawn.searchesPath = true
        var environment = Environment.all.filter { !$0.hasPrefix("SSH_ASKPASS_PROMPT=") }
        if kind == .confirmation { environment.append("SSH_ASKPASS_PROMPT=confirm") }
        spawn.environment = environment
        spawn.descriptors = [(0, 0), (1, pipe.write), (2, 2)]
        var started: Int32?
        do throws(SystemError) {
            started = try spawn.start()
        } catch  where tells {
            let path = program == "ssh-askpass" ? "/usr/bin/ssh-askpass" : program
            let text = "ssh_askpass: exec(\(path)): \(error.reason)\r\n"
            Descriptor.writeAll(Descriptor.standardError, text.octets)
        } catch {}
        Descriptor.close(pipe.write)
        guard let started, var answer = Descriptor.readAll(pipe.read, limit: maximumBytes) else {
            return nil
        }
        defer { answer.wipe() }
        guard Child.wait(started) == .exited(0) else { return nil }
        let end = answer.firstIndex { $0 == 10 || $0 == 13 } ?? answer.count
        return SecretBytes(Array(answer[..<end]))
    }

    /// The program of SSH_ASKPASS saying something for as long as it is true, as that a token waits
    /// to be touched.
    package struct Notice {
        private let pid: Int32

        /// Nil where there is no such program, or nowhere to show it.
        package init?(_ text: String) {
            let require = Environment.value("SSH_ASKPASS_REQUIRE")
            guard require == "force" || Prompts.hasDisplay, require != "never" else { return nil }
            guard let program = Environment.value("SSH_ASKPASS") else { return nil }
            var spawn = Spawn(program, [program, text])
            spawn.searchesPath = true
            spawn.environment =
                Environment.all.filter { !$0.hasPrefix("SSH_ASKPASS_PROMPT=") }
                + ["SSH_ASKPASS_PROMPT=none"]
            guard let null = try? Descriptor.open("/dev/null", 2) else { return nil }
            defer { Descriptor.close(null) }
            spawn.descriptors = [(0, null), (1, null), (2, 2)]
            guard let started = try? spawn.start() else { return nil }
            pid = started
        }

        /// Takes it away.
        package func end() {
            Child.kill(pid, 15)
            _ = Child.wait(pid)
        }
    }

    private static var hasDisplay: Bool {
        Environment.value("DISPLAY") != nil || Environment.value("WAYLAND_DISPLAY") != nil
    }

    private static let maximumBytes = 8192
}
