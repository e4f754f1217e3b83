// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserSystem
internal import HawserWire

/// The user's agent at the other end of a Unix socket.
final class Agent {
    private let descriptor: Int32

    /// Nil when there is none at `path`.
    init?(path: String) {
        guard let descriptor = try? UnixSocket.connect(path) else { return nil }
        self.descriptor = descriptor
        Descriptor.setNonblocking(descriptor, false)
    }

    deinit {
        Descriptor.close(descriptor)
    }

    var identities: [AgentReply.Identity] {
        guard case .identities(let keys)? = ask(.identities) else { return [] }
        return keys
    }

    /// A signature blob, or nil when the agent refuses.
    func sign(_ data: [UInt8], keyBlob: [UInt8], algorithm: String) -> [UInt8]? {
        let flags = AgentRequest.flags(forAlgorithm: algorithm)
        guard case .signature(let blob)? = ask(.sign(keyBlob: keyBlob, data: data, flags: flags))
        else { return nil }
        return blob
    }

    /// Ties what follows on this connection to a session; false where the agent cannot.
    func bind(_ binding: AgentBinding, isForwarding: Bool) -> Bool {
        ask(binding.frame(isForwarding: isForwarding)) == .success
    }

    private func ask(_ request: AgentRequest) -> AgentReply? { ask(request.frame) }

    private func ask(_ frame: [UInt8]) -> AgentReply? {
        guard Descriptor.writeAll(descriptor, frame), let head = read(4) else { return nil }
        let count = Int(head.rawBytes.bigEndianUInt32(at: 0))
        guard count <= AgentReply.maximumBytes, let message = read(count) else { return nil }
        return try? AgentReply(message.rawBytes)
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var chunk = [UInt8](repeating: 0, count: count - bytes.count)
            var span = chunk.mutableRawBytes
            guard case .bytes(let got) = Descriptor.read(descriptor, into: &span) else {
                return nil
            }
            bytes += chunk[0..<got]
        }
        return bytes
    }
}
