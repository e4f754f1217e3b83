// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserWire

/// A server's connection as bytes, just after its user was let in: what the unprivileged process
/// that did so gives to the one that goes on as the user.
///
/// They hold the session keys and what has been received or is to be sent and has not been yet. Who
/// the user is, the process that goes on must have from the monitor; the name here is what the
/// client asked for.
extension ServerConnection {
    /// Exports the connection, which must not be used any more; what was to be sent goes along. Nil unless the user was just let in
    /// (`acceptAuthentication`), before any further event.
    package mutating func handOver() -> SecretBytes? {
        guard let user = authenticatedUser, core.channels.count == 0,
            !core.transport.isExchangingKeys
        else { return nil }
        var writer = WireWriter(reserving: 8192)
        writer.write(text: handoverVersion)
        writer.write(text: user)
        core.transport.handOver(to: &writer)
        core.transport.output.removeAll()
        return SecretBytes(writer.take())
    }

    /// Goes on where `handOver` stopped. `options` are those of the other process; its private keys
    /// are not needed. Throws when the bytes are not whole, or of another version of us.
    package static func continuing(
        _ handover: SecretBytes,
        _ options: TransportOptions,
        random: any RandomSource,
        at now: Instant
    ) throws(WireError) -> ServerConnection {
        var reader = WireReader(handover.bytes)
        guard try reader.readText() == handoverVersion else { throw .badName }
        let user = try reader.readText()
        let transport = try Transport.continuing(&reader, options, random: random, at: now)
        try reader.expectEnd()
        var connection = ServerConnection(transport, at: now)
        connection.authenticatedUser = user
        connection.core.transport.authenticationSucceeded()
        return connection
    }
}

/// Both processes are of one installation, but that may be replaced between their starts.
private let handoverVersion = "hawser-connection-1"
