// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserWire

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

    /// `SSH_AGENTC_EXTENSION` with its length before it.
    func frame(isForwarding: Bool) -> [UInt8] {
        var writer = WireWriter(reserving: 512)
        writer.writeString { content in
            content.write(byte: 27)
            content.write(text: "session-bind@openssh.com")
            content.write(string: hostKeyBlob)
            content.write(string: sessionIdentifier)
            content.write(string: signature)
            content.write(boolean: isForwarding)
        }
        return writer.take()
    }
}
