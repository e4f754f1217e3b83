// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// The agent that holds private host keys (`HostKeyAgent`): draft-ietf-sshm-ssh-agent §4.6.
struct HostKeyAgent {
    /// The path of its socket.
    let path: String

    /// How long it may take to answer.
    private static let milliseconds: Int32 = 10_000

    /// The signature blob of the agent's key over `data`; nil when it has none or does not answer.
    func sign(_ data: [UInt8], keyBlob: [UInt8], algorithm: String) -> [UInt8]? {
        var message = WireWriter(reserving: data.count + keyBlob.count + 32)
        message.writeString { content in
            content.write(byte: 13)  // SSH_AGENTC_SIGN_REQUEST
            content.write(string: keyBlob)
            content.write(string: data)
            content.write(uint32: Self.flags(algorithm))
        }
        guard let answer = ask(message.take()) else { return nil }
        var reader = WireReader(answer.rawBytes)
        guard let type = try? reader.readByte(), type == 14 else { return nil }
        return try? reader.readBytes()
    }

    private func ask(_ message: [UInt8]) -> [UInt8]? {
        guard let socket = try? UnixSocket.connect(path) else { return nil }
        defer { Descriptor.close(socket) }
        guard Descriptor.writeAll(socket, message) else { return nil }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if answer.count >= 4 {
                let count = Int(answer.rawBytes.bigEndianUInt32(at: 0))
                guard count <= 256 << 10 else { return nil }
                if answer.count >= 4 + count { return Array(answer[4..<4 + count]) }
            }
            guard
                Descriptor.waitUntilReady(
                    socket,
                    forWriting: false,
                    milliseconds: Self.milliseconds
                )
            else { return nil }
            var span = chunk.mutableRawBytes
            switch Descriptor.read(socket, into: &span) {
            case .bytes(let count): answer += chunk[0..<count]
            case .wouldBlock: continue
            case .ended, .failed: return nil
            }
        }
    }

    /// Which hash an RSA key is to use.
    private static func flags(_ algorithm: String) -> UInt32 {
        if algorithm.hasPrefix("rsa-sha2-256") { return 2 }
        return algorithm.hasPrefix("rsa-sha2-512") ? 4 : 0
    }
}
