// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
package import HawserWire

/// Under which conditions an agent may use a key: RFC 9987 and
/// PROTOCOL.agent.
package struct KeyConstraints: Equatable, Sendable {
    /// Seconds after which the agent forgets the key.
    package var lifetimeSeconds: UInt32?
    /// The user is asked before each use.
    package var confirms = false
    /// Where the key may lead; empty for anywhere.
    package var destinations: [DestinationConstraint] = []
    /// The library that speaks to the token of a security key, or `internal`.
    package var securityKeyProvider: String?
    /// Certificates to go with the keys of a PKCS#11 token.
    package var certificates: [PublicKey] = []
    /// Take only those keys of the token that one of `certificates` is for, and only as such.
    package var certificatesOnly = false

    package init() {}

    package var isEmpty: Bool { self == KeyConstraints() }

    private enum Number {
        static let lifetime: UInt8 = 1
        static let confirm: UInt8 = 2
        static let maximumSignatures: UInt8 = 3
        static let `extension`: UInt8 = 255
    }

    static let securityKeyProviderName = "sk-provider@openssh.com"
    static let associatedCertificatesName = "associated-certs-v00@openssh.com"
    private static let maximumCertificates = 256

    /// Reads constraints up to the end of a message. Each kind may stand there once.
    @_lifetime(reader: copy reader)
    package init(from reader: inout WireReader) throws(AgentError) {
        do {
            while !reader.isAtEnd { try readOne(from: &reader) }
        } catch {
            throw AgentError(error, context: "constraint: ")
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func readOne(from reader: inout WireReader) throws {
        switch try reader.readByte() {
        case Number.lifetime:
            guard lifetimeSeconds == nil else { throw AgentError("lifetime twice") }
            lifetimeSeconds = try reader.readUInt32()
        case Number.confirm:
            guard !confirms else { throw AgentError("confirmation twice") }
            confirms = true
        case Number.maximumSignatures:
            throw AgentError("a maximum of signatures is for keys that we do not know")
        case Number.extension:
            let name = try reader.readText(limit: 1024)
            switch name {
            case DestinationConstraint.extensionName:
                guard destinations.isEmpty else { throw AgentError("\(name) twice") }
                destinations = try DestinationConstraint.readList(from: &reader)
            case Self.securityKeyProviderName:
                guard securityKeyProvider == nil else { throw AgentError("\(name) twice") }
                securityKeyProvider = try reader.readText(limit: 4096)
            case Self.associatedCertificatesName:
                guard certificates.isEmpty else { throw AgentError("\(name) twice") }
                certificatesOnly = try reader.readBoolean()
                var list = WireReader(try reader.readString())
                while !list.isAtEnd {
                    guard certificates.count < Self.maximumCertificates else {
                        throw WireError.tooLong
                    }
                    let certificate = try PublicKey(blob: list.readString())
                    guard certificate.certificate != nil else {
                        throw AgentError("\(name): not a certificate")
                    }
                    certificates.append(certificate)
                }
            default:
                throw AgentError("unknown constraint \"\(name)\"")
            }
        case let number:
            throw AgentError("unknown constraint \(number)")
        }
    }

    /// Appends what `init(from:)` reads.
    package func write(to writer: inout WireWriter) {
        if let lifetimeSeconds {
            writer.write(byte: Number.lifetime)
            writer.write(uint32: lifetimeSeconds)
        }
        if confirms { writer.write(byte: Number.confirm) }
        if let securityKeyProvider {
            writer.write(byte: Number.extension)
            writer.write(text: Self.securityKeyProviderName)
            writer.write(text: securityKeyProvider)
        }
        if !destinations.isEmpty {
            writer.write(byte: Number.extension)
            writer.write(text: DestinationConstraint.extensionName)
            DestinationConstraint.write(destinations, to: &writer)
        }
        if !certificates.isEmpty {
            writer.write(byte: Number.extension)
            writer.write(text: Self.associatedCertificatesName)
            writer.write(boolean: certificatesOnly)
            writer.writeString { list in
                for certificate in certificates { list.write(string: certificate.blob) }
            }
        }
    }
}
