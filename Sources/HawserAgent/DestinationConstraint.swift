// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
internal import HawserWire

/// One hop that a key may be used over: PROTOCOL.agent §2.
package struct DestinationConstraint: Equatable, Sendable {
    /// A host key by which an end of the hop is recognised.
    package struct HostKey: Equatable, Sendable {
        package let key: PublicKey
        /// The key is an authority: the host shows a certificate of it that names the host.
        package let isAuthority: Bool

        package init(key: PublicKey, isAuthority: Bool) {
            self.key = key
            self.isAuthority = isAuthority
        }
    }

    /// One end of the hop.
    package struct End: Equatable, Sendable {
        /// A pattern that the user's name must match; empty for any. Always empty at the near end.
        package var user: String
        package var host: String
        package var keys: [HostKey]

        package init(user: String = "", host: String = "", keys: [HostKey] = []) {
            self.user = user
            self.host = host
            self.keys = keys
        }

        /// The machine that runs the agent.
        package var isOrigin: Bool { host.isEmpty && keys.isEmpty }
    }

    package var from: End
    package var to: End

    package init(from: End, to: End) {
        self.from = from
        self.to = to
    }

    /// The name of the constraint extension.
    package static let extensionName = "restrict-destination-v00@openssh.com"
    /// Constraints on one key, and host keys at one end.
    static let maximumConstraints = 1024
    static let maximumHostKeys = 1024
}

extension DestinationConstraint {
    /// Whether this hop leads from `origin` (nil: the agent's own machine) to `target` (nil: to
    /// anywhere) as `user` (nil: as anybody). Host certificates must be valid at `epochSeconds`.
    func permits(
        from origin: PublicKey?,
        to target: PublicKey?,
        user: String?,
        epochSeconds: UInt64
    ) -> Bool {
        if let origin {
            guard from.matches(origin, epochSeconds: epochSeconds) else { return false }
        } else {
            guard from.isOrigin else { return false }
        }
        if let target {
            guard to.matches(target, epochSeconds: epochSeconds) else { return false }
        }
        guard let user, !to.user.isEmpty else { return true }
        return Pattern.matches(to.user, user)
    }
}

extension DestinationConstraint.End {
    /// Whether a host that has shown `shown` is this end.
    func matches(_ shown: PublicKey, epochSeconds: UInt64) -> Bool {
        keys.contains { known in
            guard known.isAuthority else { return known.key == shown }
            guard let certificate = shown.certificate, certificate.signatureKey == known.key,
                certificate.kind == .host, certificate.criticalOptions.isEmpty,
                certificate.validAfter <= epochSeconds, epochSeconds < certificate.validBefore,
                (try? shown.verifyCertificate()) != nil
            else { return false }
            let name = host.asciiLowercased
            return certificate.principals.contains {
                Pattern.matches($0.asciiLowercased, name)
            }
        }
    }
}

// MARK: Wire form: what OpenSSH sends, which has a reserved string more than PROTOCOL.agent shows.

extension DestinationConstraint {
    @_lifetime(reader: copy reader)
    static func readList(from reader: inout WireReader) throws -> [DestinationConstraint] {
        var list = WireReader(try reader.readString())
        var constraints: [DestinationConstraint] = []
        while !list.isAtEnd {
            guard constraints.count < maximumConstraints else { throw WireError.tooLong }
            var fields = WireReader(try list.readString())
            constraints.append(try DestinationConstraint(from: &fields))
        }
        guard !constraints.isEmpty else { throw AgentError("no destination") }
        return constraints
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws {
        var near = WireReader(try reader.readString())
        from = try End(from: &near)
        var far = WireReader(try reader.readString())
        to = try End(from: &far)
        _ = try reader.readString()
        try reader.expectEnd()
        guard from.user.isEmpty else { throw AgentError("a user at the near end of a hop") }
        guard from.host.isEmpty == from.keys.isEmpty else {
            throw AgentError("a near end with a name or keys only")
        }
        guard !to.host.isEmpty, !to.keys.isEmpty else { throw AgentError("no host to go to") }
    }

    static func write(_ constraints: [DestinationConstraint], to writer: inout WireWriter) {
        writer.writeString { list in
            for constraint in constraints {
                list.writeString { fields in
                    constraint.from.write(to: &fields)
                    constraint.to.write(to: &fields)
                    fields.write(string: [])
                }
            }
        }
    }
}

extension DestinationConstraint.End {
    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws {
        user = try reader.readText(limit: 1024)
        host = try reader.readText(limit: 1024)
        _ = try reader.readString()
        keys = []
        while !reader.isAtEnd {
            guard keys.count < DestinationConstraint.maximumHostKeys else {
                throw WireError.tooLong
            }
            let key = try PublicKey(blob: reader.readString())
            keys.append(.init(key: key, isAuthority: try reader.readBoolean()))
        }
    }

    func write(to writer: inout WireWriter) {
        writer.writeString { fields in
            fields.write(text: user)
            fields.write(text: host)
            fields.write(string: [])
            for known in keys {
                fields.write(string: known.key.blob)
                fields.write(boolean: known.isAuthority)
            }
        }
    }
}
