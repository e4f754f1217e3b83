// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
package import HawserWire

/// What a client asks of an agent (RFC 9987).
package enum AgentRequest {
    /// `SSH_AGENTC_REQUEST_IDENTITIES`.
    case identities
    /// `SSH_AGENTC_SIGN_REQUEST`; flags 2 and 4 ask RSA keys for SHA-256 and SHA-512.
    case sign(keyBlob: [UInt8], data: [UInt8], flags: UInt32)
    /// `SSH_AGENTC_ADD_IDENTITY`, or `…_ID_CONSTRAINED` when there are constraints.
    case add(PrivateKey, KeyConstraints)
    /// `SSH_AGENTC_REMOVE_IDENTITY`.
    case remove(keyBlob: [UInt8])
    /// `SSH_AGENTC_REMOVE_ALL_IDENTITIES`.
    case removeAll
    /// The same for keys of protocol 1.
    case removeAllRSA
    /// `SSH_AGENTC_ADD_SMARTCARD_KEY`, or `…_CONSTRAINED`: the keys of a PKCS#11 library's tokens.
    case addProvider(path: String, pin: SecretBytes, KeyConstraints)
    /// `SSH_AGENTC_REMOVE_SMARTCARD_KEY`.
    case removeProvider(path: String, pin: SecretBytes)
    /// `SSH_AGENTC_LOCK`.
    case lock(SecretBytes)
    /// `SSH_AGENTC_UNLOCK`.
    case unlock(SecretBytes)
    /// `SSH_AGENTC_EXTENSION` `session-bind@openssh.com`.
    case bindSession(SessionBinding)
    /// `SSH_AGENTC_EXTENSION` `query`: which extensions are there.
    case query
    /// Another extension.
    case `extension`(String)
    /// A binding that cannot be read: it must still be noted.
    case brokenBinding(AgentError)

    /// The longest message, in bytes without the length before it.
    package static let maximumBytes = 256 << 10

    /// The message with its length before it. It may hold secrets: wipe it after use.
    package var frame: [UInt8] {
        var writer = WireWriter(reserving: 4096)
        writer.writeString { write(to: &$0) }
        return writer.take()
    }

    private func write(to content: inout WireWriter) {
        switch self {
        case .identities: content.write(.requestIdentities)
        case .sign(let keyBlob, let data, let flags):
            content.write(.signRequest)
            content.write(string: keyBlob)
            content.write(string: data)
            content.write(uint32: flags)
        case .add(let key, let constraints):
            content.write(constraints.isEmpty ? .addIdentity : .addIdentityConstrained)
            PrivateKeyFields.write(key, to: &content)
            content.write(string: key.commentBytes)
            constraints.write(to: &content)
        case .remove(let keyBlob):
            content.write(.removeIdentity)
            content.write(string: keyBlob)
        case .removeAll: content.write(.removeAllIdentities)
        case .removeAllRSA: content.write(.removeAllRSAIdentities)
        case .addProvider(let path, let pin, let constraints):
            content.write(constraints.isEmpty ? .addSmartcardKey : .addSmartcardKeyConstrained)
            content.write(text: path)
            content.write(string: pin.bytes)
            constraints.write(to: &content)
        case .removeProvider(let path, let pin):
            content.write(.removeSmartcardKey)
            content.write(text: path)
            content.write(string: pin.bytes)
        case .lock(let passphrase):
            content.write(.lock)
            content.write(string: passphrase.bytes)
        case .unlock(let passphrase):
            content.write(.unlock)
            content.write(string: passphrase.bytes)
        case .bindSession(let binding):
            content.write(.extension)
            content.write(text: SessionBinding.extensionName)
            binding.write(to: &content)
        case .query:
            content.write(.extension)
            content.write(text: Self.queryName)
        case .extension(let name):
            content.write(.extension)
            content.write(text: name)
        case .brokenBinding:
            content.write(.extension)
            content.write(text: SessionBinding.extensionName)
        }
    }

    static let queryName = "query"

    /// The flags that a signature algorithm of RSA needs.
    package static func flags(forAlgorithm name: String) -> UInt32 {
        switch name {
        case "rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com": 2
        case "rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com": 4
        default: 0
        }
    }
}

extension AgentRequest {
    /// From a message without its length.
    package init(_ message: RawSpan) throws(AgentError) {
        do {
            var reader = WireReader(message)
            self = try Self.read(from: &reader)
            if !ignoresRest { try reader.expectEnd() }
        } catch {
            throw AgentError(error)
        }
    }

    /// Whether bytes behind the last field do no harm. They might be constraints of a key, or part of
    /// a passphrase, so these must end where they say.
    private var ignoresRest: Bool {
        switch self {
        case .identities, .sign, .remove, .removeAll, .removeAllRSA: true
        default: false
        }
    }

    @_lifetime(reader: copy reader)
    private static func read(from reader: inout WireReader) throws -> AgentRequest {
        let byte = try reader.readByte()
        guard let number = AgentMessageNumber(rawValue: byte) else {
            throw AgentError("unknown message \(byte)")
        }
        switch number {
        case .requestIdentities: return .identities
        case .signRequest:
            let keyBlob = try reader.readBytes(limit: PublicKey.maximumBlobBytes)
            let data = try reader.readBytes()
            return .sign(keyBlob: keyBlob, data: data, flags: try reader.readUInt32())
        case .addIdentity, .addIdentityConstrained:
            let fields = try PrivateKeyFields.read(from: &reader)
            let comment = try reader.readBytes(limit: maximumCommentBytes)
            var constraints = KeyConstraints()
            if number == .addIdentityConstrained { constraints = try KeyConstraints(from: &reader) }
            let key = PrivateKey(
                publicKey: fields.publicKey,
                material: fields.private,
                commentBytes: comment
            )
            return .add(key, constraints)
        case .removeIdentity:
            return .remove(keyBlob: try reader.readBytes(limit: PublicKey.maximumBlobBytes))
        case .removeAllIdentities: return .removeAll
        case .removeAllRSAIdentities: return .removeAllRSA
        case .addSmartcardKey, .addSmartcardKeyConstrained:
            let path = try reader.readText(limit: 4096)
            let pin = SecretBytes(copying: try reader.readString())
            var constraints = KeyConstraints()
            if number == .addSmartcardKeyConstrained {
                constraints = try KeyConstraints(from: &reader)
            }
            return .addProvider(path: path, pin: pin, constraints)
        case .removeSmartcardKey:
            let path = try reader.readText(limit: 4096)
            return .removeProvider(path: path, pin: SecretBytes(copying: try reader.readString()))
        case .lock: return .lock(SecretBytes(copying: try reader.readString()))
        case .unlock: return .unlock(SecretBytes(copying: try reader.readString()))
        case .extension: return try readExtension(from: &reader)
        case .failure, .success, .identitiesAnswer, .signResponse, .extensionFailure,
            .extensionResponse:
            throw AgentError("an answer instead of a request")
        }
    }

    @_lifetime(reader: copy reader)
    private static func readExtension(from reader: inout WireReader) throws -> AgentRequest {
        let name = try reader.readText(limit: 1024)
        switch name {
        case SessionBinding.extensionName:
            do throws(AgentError) {
                return .bindSession(try SessionBinding(from: &reader))
            } catch {
                _ = reader.readRest()
                return .brokenBinding(error)
            }
        case queryName:
            _ = reader.readRest()
            return .query
        default:
            _ = reader.readRest()
            return .extension(name)
        }
    }

    /// The longest comment of a key, in bytes.
    private static let maximumCommentBytes = 4096
}

/// What an agent answers.
package enum AgentReply: Equatable, Sendable {
    /// A key that an agent holds.
    package struct Identity: Equatable, Sendable {
        package let keyBlob: [UInt8]
        package let commentBytes: [UInt8]

        package init(keyBlob: [UInt8], commentBytes: [UInt8]) {
            self.keyBlob = keyBlob
            self.commentBytes = commentBytes
        }

        package var comment: String { String(octets: commentBytes) }
    }

    case failure
    case success
    case identities([Identity])
    case signature([UInt8])
    /// The names of the extensions that the agent knows.
    case extensions([String])
    case other(UInt8)

    /// The longest answer, in bytes.
    package static let maximumBytes = 256 << 10
    /// Keys in one answer.
    package static let maximumKeys = 2048

    /// How the agents of other makers refuse: SSH_AGENT2_FAILURE and SSH_COM_AGENT2_FAILURE.
    private static let otherFailures: [UInt8] = [30, 102]

    /// From a message without its length.
    package init(_ message: RawSpan) throws(WireError) {
        var reader = WireReader(message)
        let byte = try reader.readByte()
        guard !Self.otherFailures.contains(byte) else {
            self = .failure
            return
        }
        switch AgentMessageNumber(rawValue: byte) {
        case .failure, .extensionFailure: self = .failure
        case .success:
            // Before the response had a number of its own, a query was answered like this.
            self = reader.isAtEnd ? .success : .extensions(try Self.readNames(from: &reader))
        case .identitiesAnswer:
            let count = try reader.readUInt32()
            guard count <= Self.maximumKeys else { throw .tooLong }
            var keys: [Identity] = []
            for _ in 0..<count {
                let keyBlob = try reader.readBytes()
                keys.append(Identity(keyBlob: keyBlob, commentBytes: try reader.readBytes()))
            }
            self = .identities(keys)
        case .signResponse: self = .signature(try reader.readBytes())
        case .extensionResponse:
            guard try reader.readText(limit: 1024) == AgentRequest.queryName else {
                self = .other(byte)
                return
            }
            self = .extensions(try Self.readNames(from: &reader))
        default: self = .other(byte)
        }
    }

    @_lifetime(reader: copy reader)
    private static func readNames(from reader: inout WireReader) throws(WireError) -> [String] {
        var names: [String] = []
        while !reader.isAtEnd {
            guard names.count < 256 else { throw .tooLong }
            names.append(String(octets: try reader.readString()))
        }
        return names
    }

    /// The message with its length before it.
    package var frame: [UInt8] {
        var writer = WireWriter()
        writer.writeString { content in
            switch self {
            case .failure: content.write(.failure)
            case .success: content.write(.success)
            case .identities(let keys):
                content.write(.identitiesAnswer)
                content.write(uint32: UInt32(keys.count))
                for key in keys {
                    content.write(string: key.keyBlob)
                    content.write(string: key.commentBytes)
                }
            case .signature(let blob):
                content.write(.signResponse)
                content.write(string: blob)
            case .extensions(let names):
                content.write(.extensionResponse)
                content.write(text: AgentRequest.queryName)
                for name in names { content.write(text: name) }
            case .other(let number): content.write(byte: number)
            }
        }
        return writer.take()
    }
}

extension WireWriter {
    fileprivate mutating func write(_ number: AgentMessageNumber) { write(byte: number.rawValue) }
}
