// SPDX-License-Identifier: Apache-2.0

internal import HawserAgentClient

/// The agent that holds private host keys (`HostKeyAgent`).
struct HostKeyAgent {
    /// The path of its socket.
    let path: String

    /// How long each part of an answer may take.
    private static let milliseconds: Int32 = 10_000

    /// The signature blob of the agent's key over `data`; nil when it has none or does not answer.
    func sign(_ data: [UInt8], keyBlob: [UInt8], algorithm: String) -> [UInt8]? {
        let agent = try? AgentConnection(path: path, milliseconds: Self.milliseconds)
        return try? agent?.sign(data, keyBlob: keyBlob, algorithm: algorithm)
    }
}
