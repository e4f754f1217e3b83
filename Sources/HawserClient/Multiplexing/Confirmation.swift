// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// A yes-or-no question by the program of `SSH_ASKPASS`, while the loop goes on.
final class Confirmation: Watcher {
    private let question: String
    private let answer: (Bool) -> Void
    private var output: Int32 = -1
    private var program: Int32 = 0

    init(_ question: String, _ answer: @escaping (Bool) -> Void) {
        self.question = question
        self.answer = answer
    }

    /// Asks. Without a program to ask by, the answer is no.
    func start(_ loop: ClientLoop) {
        let require = Environment.value("SSH_ASKPASS_REQUIRE")
        let hasDisplay =
            Environment.value("DISPLAY") != nil || Environment.value("WAYLAND_DISPLAY") != nil
        guard require != "never", require == "force" || hasDisplay,
            let pipe = try? Descriptor.pipe()
        else { return answer(false) }
        let path = Environment.value("SSH_ASKPASS") ?? "ssh-askpass"
        var spawn = Spawn(path, [path, question])
        spawn.searchesPath = true
        spawn.environment =
            Environment.all.filter { !$0.hasPrefix("SSH_ASKPASS_PROMPT=") }
            + ["SSH_ASKPASS_PROMPT=confirm"]
        spawn.descriptors = [(0, 0), (1, pipe.write), (2, 2)]
        let started = try? spawn.start()
        Descriptor.close(pipe.write)
        guard let started else {
            Descriptor.close(pipe.read)
            return answer(false)
        }
        program = started
        output = pipe.read
        Descriptor.setNonblocking(output)
        loop.watch(output, read: true, write: false, self)
    }

    /// What it prints does not matter, its end does.
    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        var chunk = [UInt8](repeating: 0, count: 256)
        var span = chunk.mutableRawBytes
        switch Descriptor.read(output, into: &span) {
        case .bytes, .wouldBlock: return
        case .ended, .failed: break
        }
        loop.unwatch(output)
        Descriptor.close(output)
        conclude(loop)
    }

    /// It has closed its output: its end is near, as a rule. One that goes on holds up nobody else.
    private func conclude(_ loop: ClientLoop) {
        if let (_, end) = Child.reap(program) { return answer(end == .exited(0)) }
        loop.timers.add(at: Clock.nanoseconds + 20_000_000) { [self, weak loop] in
            if let loop { conclude(loop) }
        }
    }
}
