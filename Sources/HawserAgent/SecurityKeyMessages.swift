// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
package import HawserWire

/// What ssh-sk-helper is asked for: one request in the life of a helper. The format is our own, for
/// both ends come from one build; a version in front notices when they do not.
package enum SecurityKeyRequest {
    /// Let the token sign.
    case sign(key: PrivateKey, data: [UInt8])
    /// Make a new key in a token.
    case enroll(Enrollment)
    /// The keys that the tokens keep.
    case loadResident

    package struct Enrollment: Sendable {
        package var algorithm: SecurityKey.Algorithm
        package var application: String
        package var flags: UInt8
        /// What the token signs to attest the key; random by default.
        package var challenge: [UInt8]
        package var user: String?

        package init(
            algorithm: SecurityKey.Algorithm,
            application: String,
            flags: UInt8,
            challenge: [UInt8],
            user: String? = nil
        ) {
            self.algorithm = algorithm
            self.application = application
            self.flags = flags
            self.challenge = challenge
            self.user = user
        }
    }

    static let version: UInt32 = 1

    private enum Number {
        static let sign: UInt8 = 1
        static let enroll: UInt8 = 2
        static let loadResident: UInt8 = 3
    }

    /// The message with its length before it. `provider`: the middleware, `internal` for our own.
    /// `device` chooses among several tokens.
    package func frame(provider: String, pin: SecretBytes?, device: String? = nil) -> [UInt8] {
        var writer = WireWriter(reserving: 1024)
        writer.writeString { content in
            content.write(uint32: Self.version)
            content.write(text: provider)
            content.write(boolean: pin != nil)
            if let pin {
                content.write(string: pin.bytes)
            } else {
                content.write(string: [])
            }
            content.write(text: device ?? "")
            switch self {
            case .sign(let key, let data):
                content.write(byte: Number.sign)
                PrivateKeyFields.write(key, to: &content)
                content.write(string: data)
            case .enroll(let wanted):
                content.write(byte: Number.enroll)
                content.write(uint32: wanted.algorithm.rawValue)
                content.write(text: wanted.application)
                content.write(byte: wanted.flags)
                content.write(string: wanted.challenge)
                content.write(text: wanted.user ?? "")
            case .loadResident: content.write(byte: Number.loadResident)
            }
        }
        return writer.take()
    }

    /// A request with what goes with every one.
    package struct Envelope {
        package let provider: String
        package let pin: SecretBytes?
        package let device: String?
        package let request: SecurityKeyRequest

        /// From a message without its length.
        package init(_ message: RawSpan) throws(AgentError) {
            do {
                var reader = WireReader(message)
                guard try reader.readUInt32() == SecurityKeyRequest.version else {
                    throw AgentError("helper and caller are of different versions")
                }
                provider = try reader.readText(limit: 4096)
                let hasPIN = try reader.readBoolean()
                let pinBytes = SecretBytes(copying: try reader.readString())
                pin = hasPIN ? pinBytes : nil
                let path = try reader.readText(limit: 4096)
                device = path.isEmpty ? nil : path
                request = try Self.request(from: &reader)
                try reader.expectEnd()
            } catch {
                throw AgentError(error)
            }
        }

        @_lifetime(reader: copy reader)
        private static func request(from reader: inout WireReader) throws -> SecurityKeyRequest {
            switch try reader.readByte() {
            case Number.sign:
                let fields = try PrivateKeyFields.read(from: &reader)
                let key = PrivateKey(publicKey: fields.publicKey, material: fields.private)
                return .sign(key: key, data: try reader.readBytes())
            case Number.enroll:
                let number = try reader.readUInt32()
                guard let algorithm = SecurityKey.Algorithm(rawValue: number) else {
                    throw AgentError("unknown algorithm")
                }
                let application = try reader.readText(limit: 1024)
                let flags = try reader.readByte()
                let challenge = try reader.readBytes(limit: 65536)
                let user = try reader.readText(limit: 1024)
                return .enroll(
                    Enrollment(
                        algorithm: algorithm,
                        application: application,
                        flags: flags,
                        challenge: challenge,
                        user: user.isEmpty ? nil : user
                    )
                )
            case Number.loadResident: return .loadResident
            default: throw AgentError("unknown request")
            }
        }
    }
}

/// What ssh-sk-helper answers.
package enum SecurityKeyReply {
    /// Why it did not work; the numbers below -1 are the middleware's (PROTOCOL.u2f).
    package enum Failure: Int32, Error, Sendable, CustomStringConvertible {
        case general = -1
        case unsupported = -2
        case pinRequired = -3
        case deviceNotFound = -4
        case credentialExists = -5
        case noProvider = -100

        package var description: String {
            switch self {
            case .general: "unexpected internal error"
            case .unsupported: "requested feature not supported"
            case .pinRequired: "incorrect passphrase supplied to decrypt private key"
            case .deviceNotFound: "device not found"
            case .credentialExists: "resident credential already exists"
            case .noProvider: "invalid format"
            }
        }
    }

    /// A new key and what attests it.
    package struct Enrolled: Sendable {
        package let key: PrivateKey
        package let attestationCertificate: [UInt8]
        package let signature: [UInt8]
        package let authenticatorData: [UInt8]

        package init(
            key: PrivateKey,
            attestationCertificate: [UInt8],
            signature: [UInt8],
            authenticatorData: [UInt8]
        ) {
            self.key = key
            self.attestationCertificate = attestationCertificate
            self.signature = signature
            self.authenticatorData = authenticatorData
        }
    }

    /// A key that a token keeps.
    package struct Resident: Sendable {
        package let key: PrivateKey
        package let user: [UInt8]

        package init(key: PrivateKey, user: [UInt8]) {
            self.key = key
            self.user = user
        }
    }

    case failure(Failure)
    case signature([UInt8])
    case enrolled(Enrolled)
    case resident([Resident])

    package static let maximumBytes = 1 << 20
    private static let maximumResidentKeys = 1024

    /// The message with its length before it.
    package var frame: [UInt8] {
        var writer = WireWriter(reserving: 1024)
        writer.writeString { content in
            switch self {
            case .failure(let failure):
                content.write(byte: 0)
                content.write(uint32: UInt32(bitPattern: failure.rawValue))
            case .signature(let blob):
                content.write(byte: 1)
                content.write(string: blob)
            case .enrolled(let enrolled):
                content.write(byte: 2)
                PrivateKeyFields.write(enrolled.key, to: &content)
                content.write(string: enrolled.attestationCertificate)
                content.write(string: enrolled.signature)
                content.write(string: enrolled.authenticatorData)
            case .resident(let keys):
                content.write(byte: 3)
                content.write(uint32: UInt32(keys.count))
                for entry in keys {
                    PrivateKeyFields.write(entry.key, to: &content)
                    content.write(string: entry.user)
                }
            }
        }
        return writer.take()
    }

    /// From a message without its length.
    package init(_ message: RawSpan) throws(AgentError) {
        do {
            var reader = WireReader(message)
            switch try reader.readByte() {
            case 0:
                let number = Int32(bitPattern: try reader.readUInt32())
                self = .failure(Failure(rawValue: number) ?? .general)
            case 1: self = .signature(try reader.readBytes())
            case 2:
                let key = try Self.readKey(from: &reader)
                let certificate = try reader.readBytes()
                let signature = try reader.readBytes()
                self = .enrolled(
                    Enrolled(
                        key: key,
                        attestationCertificate: certificate,
                        signature: signature,
                        authenticatorData: try reader.readBytes()
                    )
                )
            case 3:
                let count = try reader.readUInt32()
                guard count <= Self.maximumResidentKeys else { throw WireError.tooLong }
                var keys: [Resident] = []
                for _ in 0..<count {
                    let key = try Self.readKey(from: &reader)
                    keys.append(Resident(key: key, user: try reader.readBytes()))
                }
                self = .resident(keys)
            default: throw AgentError("unknown answer")
            }
            try reader.expectEnd()
        } catch {
            throw AgentError(error)
        }
    }

    @_lifetime(reader: copy reader)
    private static func readKey(from reader: inout WireReader) throws -> PrivateKey {
        let fields = try PrivateKeyFields.read(from: &reader)
        return PrivateKey(publicKey: fields.publicKey, material: fields.private)
    }
}
