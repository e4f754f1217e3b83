// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserKeys
internal import HawserWire

/// The user's agent, for keys that it holds and does not give away.
final class AgentKeys {
    private let connection: AgentConnection

    /// The agent of `SSH_AUTH_SOCK`; throws when there is none or it refuses.
    init() throws(KeyError) {
        do {
            connection = try AgentConnection.fromEnvironment()
        } catch AgentConnection.Failure.noAgent {
            throw .unsupported("agent not present")
        } catch {
            throw .unsupported(error.description)
        }
    }

    /// An agent that holds `key`, whose name in messages is `path`; leaves the program otherwise.
    static func holding(_ key: PublicKey, path: String) -> AgentKeys {
        let agent: AgentKeys
        do {
            agent = try AgentKeys()
        } catch {
            fatal("Cannot use public key for CA signature: \(error)")
        }
        let keys: [PublicKey]
        do {
            keys = try agent.keys()
        } catch {
            fatal("Retrieve agent key list: \(error)")
        }
        if keys.isEmpty { fatal("Retrieve agent key list: agent contains no identities") }
        guard keys.contains(key) else { fatal("CA key \(path) not found in agent") }
        return agent
    }

    /// The keys that it holds and that we can read.
    func keys() throws(KeyError) -> [PublicKey] {
        try asking { () throws(AgentConnection.Failure) in try connection.identities() }
            .compactMap { try? PublicKey(blob: $0.keyBlob) }
    }

    /// A signature blob of one of its keys, checked.
    ///
    /// - Parameter algorithm: of RSA keys; nil for SHA-512.
    func sign(
        _ data: [UInt8],
        with key: PublicKey,
        algorithm: String?
    ) throws(KeyError) -> [UInt8] {
        let name = algorithm ?? key.type.signatureAlgorithms.first?.name ?? ""
        let signature = try asking { () throws(AgentConnection.Failure) in
            try connection.sign(data, keyBlob: key.blob, algorithm: name)
        }
        try key.verify(
            signature: signature,
            over: data.rawBytes,
            allowing: key.type.isSecurityKey ? nil : [name],
            requiringUserPresence: false
        )
        return signature
    }

    /// What the agent answers; why it does not, in words for the user.
    private func asking<Answer>(
        _ question: () throws(AgentConnection.Failure) -> Answer
    ) throws(KeyError) -> Answer {
        do {
            return try question()
        } catch {
            throw .unsupported(error.description)
        }
    }
}
