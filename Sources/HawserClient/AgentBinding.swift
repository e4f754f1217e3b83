// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserKeys
internal import HawserProtocol

/// What ties an agent's connection to one session with one server: `session-bind@openssh.com`
/// (PROTOCOL.agent §1). An agent with keys for certain destinations lets only these sign.
struct AgentBinding {
    var hostKeyBlob: [UInt8]
    var sessionIdentifier: [UInt8]
    /// The server's signature of the session identifier, from the first key exchange.
    var signature: [UInt8]

    init(_ proven: ProvenHostKey) {
        hostKeyBlob = proven.blob
        sessionIdentifier = proven.exchangeHash
        signature = proven.signature
    }

    /// The request to an agent; nil when the host key cannot be read.
    func request(isForwarding: Bool) -> AgentRequest? {
        guard let key = try? PublicKey(blob: hostKeyBlob) else { return nil }
        return .bindSession(
            SessionBinding(
                hostKey: key,
                sessionIdentifier: sessionIdentifier,
                signature: signature,
                isForwarding: isForwarding
            )
        )
    }

    /// The same with its length before it, ready to be sent.
    func frame(isForwarding: Bool) -> [UInt8] {
        request(isForwarding: isForwarding)?.frame ?? []
    }
}
