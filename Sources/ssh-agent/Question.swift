// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// A question to the user that the program of SSH_ASKPASS shows, while the agent goes on.
final class Question {
    enum Kind {
        case confirmation
        case secret
        /// Nothing is asked; it stays until it is taken away.
        case notice
    }

    let pid: Int32
    /// Readable when there is an answer.
    let answer: Int32
    private var text: [UInt8] = []
    private var end: ChildEnd?
    private var isClosed = false
    /// When it counts as refused, on the clock of `Clock.nanoseconds`.
    let deadline: UInt64

    /// Nil when nobody can be asked.
    init?(_ question: String, _ kind: Kind = .confirmation, at now: UInt64) {
        let require = Environment.value("SSH_ASKPASS_REQUIRE")
        let hasDisplay =
            Environment.value("DISPLAY") != nil || Environment.value("WAYLAND_DISPLAY") != nil
        guard require != "never", require == "force" || hasDisplay else { return nil }
        let program = Environment.value("SSH_ASKPASS") ?? "ssh-askpass"
        guard let pipe = try? Descriptor.pipe() else { return nil }
        var spawn = Spawn(program, [program, question])
        spawn.searchesPath = true
        spawn.environment =
            Environment.all.filter { !$0.hasPrefix("SSH_ASKPASS_PROMPT=") } + kind.environment
        spawn.descriptors = [(0, 0), (1, pipe.write), (2, 2)]
        let started = try? spawn.start()
        Descriptor.close(pipe.write)
        guard let started else {
            Descriptor.close(pipe.read)
            return nil
        }
        Descriptor.setNonblocking(pipe.read)
        pid = started
        answer = pipe.read
        deadline = now &+ Self.patienceNanoseconds
    }

    deinit {
        text.wipe()
        Descriptor.close(answer)
        if end == nil {
            Child.kill(pid, 9)
            _ = Child.wait(pid)
        }
    }

    /// Reads what there is, and looks whether the program has ended.
    func look() {
        var chunk = [UInt8](repeating: 0, count: 256)
        reading: while !isClosed {
            var span = chunk.mutableRawBytes
            switch Descriptor.read(answer, into: &span) {
            case .bytes(let count):
                if text.count < Self.maximumAnswerBytes { text += chunk[0..<count] }
            case .wouldBlock: break reading
            case .ended, .failed: isClosed = true
            }
        }
        if end == nil { end = Child.reap(pid)?.end }
    }

    /// Whether the user agreed; nil while that is open.
    var isGranted: Bool? {
        guard let end else { return nil }
        guard end == .exited(0) else { return false }
        let line = text.prefix { $0 != 10 && $0 != 13 }
        return line.isEmpty || String(octets: line).lowercased() == "yes"
    }

    /// What was typed; nil while that is open, empty when it was cancelled.
    var secret: SecretBytes? {
        guard let end else { return nil }
        guard end == .exited(0) else { return SecretBytes([]) }
        return SecretBytes(Array(text.prefix { $0 != 10 && $0 != 13 }))
    }

    private static let maximumAnswerBytes = 1024
    private static let patienceNanoseconds: UInt64 = 600 * 1_000_000_000
}

extension Question.Kind {
    /// What tells the program of SSH_ASKPASS which kind of window to open.
    fileprivate var environment: [String] {
        switch self {
        case .confirmation: ["SSH_ASKPASS_PROMPT=confirm"]
        case .secret: []
        case .notice: ["SSH_ASKPASS_PROMPT=none"]
        }
    }
}
