// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
package import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// Which agent a server may use (`ForwardAgent`).
package struct AgentForwarding: Sendable {
    /// The socket; nil for none.
    package var path: String?
    /// The configuration asks for it, whether there is an agent or not.
    let isWanted: Bool

    package init(path: String?) {
        self.path = path
        isWanted = path != nil
    }

    /// `yes` is the agent that we use, `$NAME` the one that a variable names, else it is a path.
    /// A path or a variable that leads nowhere is told, and nothing forwarded.
    package init(_ settings: ClientSettings, log: Log) throws(ConfigError) {
        let word = settings.options.forwardAgent ?? "no"
        var found = try Self.find(word, settings)
        if word != "yes", word != "no", found.map({ !Files.exists($0) }) ?? true {
            let shown = word.hasPrefix("$") && !word.hasPrefix("${") ? word : found ?? word
            log.error(
                "Cannot forward agent socket path \"\(shown)\": "
                    + (found.flatMap { Files.reasonForAbsence(of: $0) } ?? SystemError.reason(2))
            )
            found = nil
            isWanted = false
        } else {
            isWanted = word != "no"
        }
        path = found
    }

    private static func find(
        _ word: String,
        _ settings: ClientSettings
    ) throws(ConfigError) -> String? {
        switch word {
        case "no": return nil
        case "yes":
            let ours = settings.options.identityAgent ?? "SSH_AUTH_SOCK"
            return ours == "SSH_AUTH_SOCK" ? Environment.value(ours) : try path(ours, settings)
        case let other: return try path(other, settings)
        }
    }

    private static func path(
        _ text: String,
        _ settings: ClientSettings
    ) throws(ConfigError) -> String? {
        if text == "none" { return nil }
        if text.hasPrefix("$"), !text.hasPrefix("${") {
            return Environment.value(String(text.dropFirst()))
        }
        return try settings.expandPath(text)
    }

    var isOn: Bool { path != nil }
}

extension ClientLoop {
    /// Lets a session use an agent: ssh's own, or the passenger's where it names one. A server has one
    /// socket for all sessions; it is for the one that came last.
    func canForwardAgent(for session: ClientSession) -> Bool {
        let own = agentForwarding.path ?? Environment.value("SSH_AUTH_SOCK")
        guard let path = session.passenger?.agent ?? own else { return false }
        agents.append((session.id, path))
        return true
    }

    /// The server has a program that wants to talk to the agent.
    func agentRequested(_ id: ChannelID, _ opening: ChannelOpening) {
        guard let path = agents.last?.path else {
            log.error("Warning: ssh server tried agent forwarding.")
            log.error("Warning: this is probably a break-in attempt by a malicious server.")
            return refuse(id)
        }
        let channel = AgentChannel(id, kind: "authentication agent connection")
        add(channel)
        channel.begin(path, self)
    }
}

/// A connection to an agent, which is told first which session its requests come from
/// (`session-bind@openssh.com`, PROTOCOL.agent §1).
final class AgentChannel: ClientChannel {
    private var socket: Int32 = -1
    private var isBinding = false
    private var answer: [UInt8] = []
    private var patience: UInt64?

    override var timeoutTypes: [String] { ["agent-connection"] }

    func begin(_ path: String, _ loop: ClientLoop) {
        do throws(SystemError) {
            socket = try UnixSocket.connect(path)
        } catch {
            loop.log.debug("agent \(path): \(error.reason)")
            loop.refuse(id)
            _ = loop.remove(self)
            return
        }
        guard let binding = loop.binding else { return confirm(loop) }
        let frame = binding.frame(isForwarding: true)
        guard Descriptor.write(socket, frame.rawBytes) == .bytes(frame.count) else {
            return fail(loop)
        }
        isBinding = true
        loop.watch(socket, read: true, write: false, self)
        patience = loop.timers.add(seconds: 10) { [weak self, weak loop] in
            guard let self, let loop, isBinding else { return }
            fail(loop)
        }
    }

    override func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        guard isBinding, ready.descriptor == socket else { return super.fire(ready, loop) }
        let wanted =
            answer.count < 4 ? 4 : 4 + Int(answer.rawBytes.bigEndianUInt32(at: 0))
        guard wanted <= 1024 else { return fail(loop) }
        var chunk = [UInt8](repeating: 0, count: wanted - answer.count)
        var span = chunk.mutableRawBytes
        switch Descriptor.read(socket, into: &span) {
        case .bytes(let count): answer += chunk[0..<count]
        case .wouldBlock: return
        case .ended, .failed: return fail(loop)
        }
        guard answer.count >= 4,
            answer.count == 4 + Int(answer.rawBytes.bigEndianUInt32(at: 0))
        else { return }
        // An agent that does not know it refuses; it has no keys that need it then.
        confirm(loop)
    }

    private func confirm(_ loop: ClientLoop) {
        isBinding = false
        if let patience { loop.timers.cancel(patience) }
        loop.unwatch(socket)
        markOpen()
        loop.connection.confirmChannel(id)
        attach(input: socket, output: socket, isSocket: true, loop)
    }

    private func fail(_ loop: ClientLoop) {
        isBinding = false
        if let patience { loop.timers.cancel(patience) }
        loop.refuse(id)
        loop.unwatch(socket)
        Descriptor.close(socket)
        _ = loop.remove(self)
    }

    override func finished(_ loop: ClientLoop) {
        detach(loop)
        Descriptor.close(socket)
    }
}
