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
        guard let keys = try? agent.keys() else {
            fatal("Retrieve agent key list: communication with agent failed")
        }
        if keys.isEmpty { fatal("Retrieve agent key list: agent contains no identities") }
        guard keys.contains(key) else { fatal("CA key \(path) not found in agent") }
        return agent
    }

    /// The keys that it holds and that we can read.
    func keys() throws(KeyError) -> [PublicKey] {
        guard case .identities(let identities) = try ask(.identities) else {
            throw .unsupported("agent refused operation")
        }
        return identities.compactMap { try? PublicKey(blob: $0.keyBlob) }
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
        let flags = AgentRequest.flags(forAlgorithm: name)
        let answer = try ask(.sign(keyBlob: key.blob, data: data, flags: flags))
        guard case .signature(let signature) = answer else {
            throw .unsupported("agent refused operation")
        }
        try key.verify(
            signature: signature,
            over: data.rawBytes,
            allowing: key.type.isSecurityKey ? nil : [name],
            requiringUserPresence: false
        )
        return signature
    }

    private func ask(_ request: AgentRequest) throws(KeyError) -> AgentReply {
        do {
            return try connection.ask(request)
        } catch {
            throw .unsupported("communication with agent failed")
        }
    }
}
