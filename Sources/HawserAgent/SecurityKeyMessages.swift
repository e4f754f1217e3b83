// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
package import HawserWire

/// What ssh-sk-helper is asked for: one request in the life of a helper.
///
/// The format is that of OpenSSH's helper (version 5 of it, seen in OpenSSH 9.2), so that either
/// helper serves either's programs: a length, the version in a byte, the kind of request, whether
/// the helper may write to the standard error output, how much, then what the kind needs.
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
        /// What the token signs to attest the key; empty for a random one.
        package var challenge: [UInt8]
        /// The name of a resident key's user; empty for none.
        package var user: String

        package init(
            algorithm: SecurityKey.Algorithm,
            application: String,
            flags: UInt8,
            challenge: [UInt8] = [],
            user: String = ""
        ) {
            self.algorithm = algorithm
            self.application = application
            self.flags = flags
            self.challenge = challenge
            self.user = user
        }
    }

    package static let version: UInt8 = 5

    fileprivate enum Number {
        static let sign: UInt32 = 1
        static let enroll: UInt32 = 2
        static let loadResident: UInt32 = 3
    }

    /// What goes with every request.
    package struct Setting {
        /// The middleware, `internal` for our own.
        package var provider: String
        package var pin: SecretBytes?
        /// Chooses among several tokens; a signature finds its token by itself.
        package var device: String?
        /// What the helper may say on its standard error output, as `LogLevel` counts; nil for
        /// nothing at all.
        package var logLevel: UInt32?

        package init(
            provider: String,
            pin: SecretBytes? = nil,
            device: String? = nil,
            logLevel: UInt32? = 2
        ) {
            self.provider = provider
            self.pin = pin
            self.device = device
            self.logLevel = logLevel
        }
    }

    /// The message with its length before it.
    package func frame(_ setting: Setting) -> [UInt8] {
        var writer = WireWriter(reserving: 1024)
        writer.writeString { content in
            content.write(byte: Self.version)
            switch self {
            case .sign: content.write(uint32: Number.sign)
            case .enroll: content.write(uint32: Number.enroll)
            case .loadResident: content.write(uint32: Number.loadResident)
            }
            content.write(boolean: setting.logLevel != nil)
            content.write(uint32: setting.logLevel ?? 0)
            let pin = setting.pin ?? SecretBytes([])
            switch self {
            case .sign(let key, let data):
                content.writeString { PrivateKeyFields.write(key, to: &$0) }
                content.write(text: setting.provider)
                content.write(string: data)
                content.write(text: "")  // algorithm: that of the key
                content.write(uint32: 0)  // compatibility with old peers
                content.write(string: pin.bytes)
            case .enroll(let wanted):
                content.write(uint32: wanted.algorithm.helperNumber)
                content.write(text: setting.provider)
                content.write(text: setting.device ?? "")
                content.write(text: wanted.application)
                content.write(text: wanted.user)
                content.write(byte: wanted.flags)
                content.write(string: pin.bytes)
                content.write(string: wanted.challenge)
            case .loadResident:
                content.write(text: setting.provider)
                content.write(text: setting.device ?? "")
                content.write(string: pin.bytes)
                content.write(uint32: 0)  // flags
            }
        }
        return writer.take()
    }

    /// A request with what goes with it.
    package struct Envelope {
        package let setting: Setting
        package let request: SecurityKeyRequest

        /// From a message without its length.
        package init(_ message: RawSpan) throws(AgentError) {
            do {
                var reader = WireReader(message)
                guard try reader.readByte() == SecurityKeyRequest.version else {
                    throw AgentError("unsupported version")
                }
                let kind = try reader.readUInt32()
                let mayLog = try reader.readBoolean()
                let level = try reader.readUInt32()
                (request, setting) = try Self.request(kind, mayLog ? level : nil, from: &reader)
            } catch {
                throw AgentError(error)
            }
        }

        @_lifetime(reader: copy reader)
        private static func request(
            _ kind: UInt32,
            _ logLevel: UInt32?,
            from reader: inout WireReader
        ) throws -> (SecurityKeyRequest, Setting) {
            let request: SecurityKeyRequest
            let provider: String
            var device = ""
            let pin: SecretBytes
            switch kind {
            case Number.sign:
                let key = try SecurityKeyReply.readKey(from: &reader)
                provider = try reader.readText(limit: 4096)
                request = .sign(key: key, data: try reader.readBytes())
                _ = try reader.readText(limit: 256)
                _ = try reader.readUInt32()
                pin = SecretBytes(copying: try reader.readString())
            case Number.enroll:
                let number = try reader.readUInt32()
                guard let algorithm = SecurityKey.Algorithm(helperNumber: number) else {
                    throw AgentError("unsupported key type \(number)")
                }
                provider = try reader.readText(limit: 4096)
                device = try reader.readText(limit: 4096)
                let application = try reader.readText(limit: 1024)
                let user = try reader.readText(limit: 1024)
                let flags = try reader.readByte()
                pin = SecretBytes(copying: try reader.readString())
                request = .enroll(
                    Enrollment(
                        algorithm: algorithm,
                        application: application,
                        flags: flags,
                        challenge: try reader.readBytes(limit: 65536),
                        user: user
                    )
                )
            case Number.loadResident:
                provider = try reader.readText(limit: 4096)
                device = try reader.readText(limit: 4096)
                pin = SecretBytes(copying: try reader.readString())
                _ = try reader.readUInt32()
                request = .loadResident
            default: throw AgentError("unsupported request type \(kind)")
            }
            guard reader.isAtEnd else { throw AgentError("trailing data in request") }
            let setting = Setting(
                provider: provider,
                pin: pin.isEmpty ? nil : pin,
                device: device.isEmpty ? nil : device,
                logLevel: logLevel
            )
            return (request, setting)
        }
    }
}

extension SecurityKey.Algorithm {
    /// How the helper's messages count the types of keys.
    fileprivate var helperNumber: UInt32 {
        switch self {
        case .ecdsa: 10
        case .ed25519: 12
        }
    }

    fileprivate init?(helperNumber: UInt32) {
        switch helperNumber {
        case 10: self = .ecdsa
        case 12: self = .ed25519
        default: return nil
        }
    }
}

/// What ssh-sk-helper answers: a length, the version, then the request's kind and what it has given,
/// or zero and why it did not work.
package enum SecurityKeyReply {
    /// Why it did not work, as the helper's messages number it.
    package enum Failure: UInt32, Error, Sendable, CustomStringConvertible {
        case general = 1
        /// Also what a middleware library gives no other reason for.
        case invalidFormat = 4
        case invalidArgument = 10
        case pinRequired = 43
        /// A resident key of the same application and user is there already.
        case credentialExists = 44
        case unsupported = 59
        case deviceNotFound = 60

        /// From an error of the middleware interface.
        package init(middleware number: Int32) {
            switch number {
            case -2: self = .unsupported
            case -3: self = .pinRequired
            case -4: self = .deviceNotFound
            case -5: self = .credentialExists
            default: self = .invalidFormat
            }
        }

        package var description: String {
            switch self {
            case .general: "unexpected internal error"
            case .invalidFormat: "invalid format"
            case .invalidArgument: "invalid argument"
            case .pinRequired: "incorrect passphrase supplied to decrypt private key"
            case .credentialExists: "bad permissions"
            case .unsupported: "requested feature not supported"
            case .deviceNotFound: "device not found"
            }
        }
    }

    /// A new key and what attests it (PROTOCOL.u2f, "ssh-sk-attest-v01").
    package struct Enrolled: Sendable {
        package let key: PrivateKey
        package let attestation: [UInt8]

        package init(key: PrivateKey, attestation: [UInt8]) {
            self.key = key
            self.attestation = attestation
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
            content.write(byte: SecurityKeyRequest.version)
            switch self {
            case .failure(let failure):
                content.write(uint32: 0)
                content.write(uint32: failure.rawValue)
            case .signature(let blob):
                content.write(uint32: SecurityKeyRequest.Number.sign)
                content.write(string: blob)
            case .enrolled(let enrolled):
                content.write(uint32: SecurityKeyRequest.Number.enroll)
                content.writeString { PrivateKeyFields.write(enrolled.key, to: &$0) }
                content.write(string: enrolled.attestation)
            case .resident(let keys):
                content.write(uint32: SecurityKeyRequest.Number.loadResident)
                for entry in keys {
                    content.writeString { PrivateKeyFields.write(entry.key, to: &$0) }
                    content.write(text: "")  // comment
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
            guard try reader.readByte() == SecurityKeyRequest.version else {
                throw AgentError("unsupported version")
            }
            switch try reader.readUInt32() {
            case 0: self = .failure(Failure(rawValue: try reader.readUInt32()) ?? .general)
            case SecurityKeyRequest.Number.sign: self = .signature(try reader.readBytes())
            case SecurityKeyRequest.Number.enroll:
                let key = try Self.readKey(from: &reader)
                self = .enrolled(Enrolled(key: key, attestation: try reader.readBytes()))
            case SecurityKeyRequest.Number.loadResident:
                var keys: [Resident] = []
                while !reader.isAtEnd {
                    guard keys.count < Self.maximumResidentKeys else { throw WireError.tooLong }
                    let key = try Self.readKey(from: &reader)
                    _ = try reader.readString()
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
    fileprivate static func readKey(from reader: inout WireReader) throws -> PrivateKey {
        var inner = WireReader(try reader.readString())
        let fields = try PrivateKeyFields.read(from: &inner)
        try inner.expectEnd()
        return PrivateKey(publicKey: fields.publicKey, material: fields.private)
    }
}
