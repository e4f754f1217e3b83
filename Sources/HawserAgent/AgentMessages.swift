// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// What a client asks of an agent (draft-ietf-sshm-ssh-agent §5).
package enum AgentRequest {
    /// `SSH_AGENTC_REQUEST_IDENTITIES`.
    case identities
    /// `SSH_AGENTC_SIGN_REQUEST`; flags 2 and 4 ask RSA keys for SHA-256 and SHA-512.
    case sign(keyBlob: [UInt8], data: [UInt8], flags: UInt32)

    /// The message with its length before it.
    package var frame: [UInt8] {
        var writer = WireWriter()
        writer.writeString { content in
            switch self {
            case .identities: content.write(byte: 11)
            case .sign(let keyBlob, let data, let flags):
                content.write(byte: 13)
                content.write(string: keyBlob)
                content.write(string: data)
                content.write(uint32: flags)
            }
        }
        return writer.take()
    }

    /// The flags that a signature algorithm of RSA needs.
    package static func flags(forAlgorithm name: String) -> UInt32 {
        switch name {
        case "rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com": 2
        case "rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com": 4
        default: 0
        }
    }
}

/// What an agent answers.
package enum AgentReply: Equatable, Sendable {
    /// A key that an agent holds.
    package struct Identity: Equatable, Sendable {
        package let keyBlob: [UInt8]
        package let comment: String
    }

    case failure
    case success
    case identities([Identity])
    case signature([UInt8])
    case other(UInt8)

    /// The longest answer, in bytes.
    package static let maximumBytes = 256 << 10
    /// Keys in one answer.
    package static let maximumKeys = 2048

    /// From a message without its length.
    package init(_ message: RawSpan) throws(WireError) {
        var reader = WireReader(message)
        let type = try reader.readByte()
        switch type {
        case 5: self = .failure
        case 6: self = .success
        case 12:
            let count = try reader.readUInt32()
            guard count <= Self.maximumKeys else { throw .tooLong }
            var keys: [Identity] = []
            for _ in 0..<count {
                keys.append(
                    Identity(
                        keyBlob: try reader.readBytes(),
                        comment: String(lossy: try reader.readString())
                    )
                )
            }
            self = .identities(keys)
        case 14: self = .signature(try reader.readBytes())
        default: self = .other(type)
        }
    }
}
