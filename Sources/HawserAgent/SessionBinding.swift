// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
package import HawserWire

/// `session-bind@openssh.com`: the connection to the agent is used in this SSH session
/// (PROTOCOL.agent §1).
package struct SessionBinding: Equatable, Sendable {
    /// The key that the server of the session has shown: a plain one or a certificate.
    package let hostKey: PublicKey
    package let sessionIdentifier: [UInt8]
    /// The host key's signature over the session identifier, from the first key exchange.
    package let signature: [UInt8]
    /// The connection is passed on to that server, rather than used to log in there.
    package let isForwarding: Bool

    package init(
        hostKey: PublicKey,
        sessionIdentifier: [UInt8],
        signature: [UInt8],
        isForwarding: Bool
    ) {
        self.hostKey = hostKey
        self.sessionIdentifier = sessionIdentifier
        self.signature = signature
        self.isForwarding = isForwarding
    }

    package static let extensionName = "session-bind@openssh.com"
    /// The longest exchange hash is SHA-512's, 64 bytes.
    private static let maximumIdentifierBytes = 128

    /// Reads what follows the extension's name.
    @_lifetime(reader: copy reader)
    package init(from reader: inout WireReader) throws(AgentError) {
        do {
            hostKey = try PublicKey(blob: reader.readString())
            sessionIdentifier = try reader.readBytes(limit: Self.maximumIdentifierBytes)
            signature = try reader.readBytes(limit: 65536)
            isForwarding = try reader.readBoolean()
            try reader.expectEnd()
        } catch {
            throw AgentError("\(Self.extensionName): \(error)")
        }
    }

    func write(to writer: inout WireWriter) {
        writer.write(string: hostKey.blob)
        writer.write(string: sessionIdentifier)
        writer.write(string: signature)
        writer.write(boolean: isForwarding)
    }
}

/// Which sessions a connection to the agent has been bound to, the nearest first.
package struct ConnectionBindings: Sendable {
    package private(set) var sessions: [SessionBinding] = []
    /// A binding was tried, whether or not it succeeded: then this is no plain local connection.
    package private(set) var wasAttempted = false

    package init() {}

    /// How many hops are remembered.
    static let maximumSessions = 16

    /// The client at the other end is on another machine, as far as ssh has told.
    package var isRemote: Bool { wasAttempted }

    /// Notes that a binding was asked for that could not even be read.
    mutating func noteAttempt() { wasAttempted = true }

    /// Adds a binding; throws when it proves nothing or contradicts an earlier one.
    package mutating func bind(_ binding: SessionBinding) throws(AgentError) {
        wasAttempted = true
        do {
            // The key exchange has decided which algorithm is good enough, RSA with SHA-1 too.
            let algorithms = binding.hostKey.type.signatureAlgorithms.map(\.name)
            try binding.hostKey.verify(
                signature: binding.signature,
                over: binding.sessionIdentifier.rawBytes,
                allowing: algorithms,
                requiringUserPresence: false
            )
        } catch {
            throw AgentError("session binding: \(error)")
        }
        for known in sessions {
            guard known.isForwarding else {
                throw AgentError("session binding: already bound to log in")
            }
            guard known.sessionIdentifier == binding.sessionIdentifier else { continue }
            guard known.hostKey == binding.hostKey else {
                throw AgentError("session binding: session known with another host key")
            }
            return
        }
        guard sessions.count < Self.maximumSessions else {
            throw AgentError("session binding: too many hops")
        }
        sessions.append(binding)
    }
}
