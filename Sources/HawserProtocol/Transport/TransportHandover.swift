// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserLog
package import HawserWire

/// The transport as bytes, so that another process can go on with the connection: what the
/// unprivileged process of sshd gives to the one that runs as the user.
///
/// Only between key exchanges, and before compression has begun. The bytes hold session keys.
extension Transport {
    package mutating func handOver(to writer: inout WireWriter) {
        reader.dropCurrent()
        writer.write(text: options.identification)
        writer.write(string: peerIdentification?.bytes ?? [])
        writer.write(string: sessionIdentifier)
        writer.write(string: hostKey)
        writer.write(boolean: isStrict)
        writer.write(boolean: peerExtensions.supportsPing)
        writer.write(boolean: peerExtensions.supportsHostBound)
        writer.write(boolean: peerExtensions.wantsExtensionsInAuthentication)
        writer.write(string: ourKexInit)
        writer.write(string: theirKexInit)
        writer.write(text: negotiated?.keyExchange ?? "")
        writer.writeString { inner in reader.write(to: &inner) }
        writer.writeString { inner in self.writer.write(to: &inner) }
    }

    /// Goes on where the other process stopped. `options` must be as they were there; the lists of
    /// algorithms may differ. Throws when the bytes are not whole.
    package static func continuing(
        _ reader: inout WireReader,
        _ options: TransportOptions,
        random: any RandomSource,
        at now: Instant
    ) throws(WireError) -> Transport {
        var options = options
        options.identification = try reader.readText()
        let peerLine = try reader.readBytes()
        var transport = Transport(options, random: random, at: now)
        transport.sessionIdentifier = try reader.readBytes()
        transport.hostKey = try reader.readBytes()
        transport.isStrict = try reader.readBoolean()
        transport.peerExtensions.supportsPing = try reader.readBoolean()
        transport.peerExtensions.supportsHostBound = try reader.readBoolean()
        transport.peerExtensions.wantsExtensionsInAuthentication = try reader.readBoolean()
        transport.ourKexInit = try reader.readBytes()
        transport.theirKexInit = try reader.readBytes()
        _ = try reader.readText()
        var incoming = WireReader(try reader.readString())
        transport.reader = try PacketReader(from: &incoming)
        var outgoing = WireReader(try reader.readString())
        transport.writer = try PacketWriter(from: &outgoing, random: random)
        try transport.adopt(peerLine)
        return transport
    }

    private mutating func adopt(_ peerLine: [UInt8]) throws(WireError) {
        guard
            case .identified(let line, _)? = try? Identification.read(
                (peerLine + [UInt8(ascii: "\n")]).rawBytes,
                isClient: options.isClient
            )
        else { throw .badText }
        let theirs: KexInit
        let ours: KexInit
        ours = try KexInit(payload: ourKexInit.rawBytes)
        theirs = try KexInit(payload: theirKexInit.rawBytes)
        let (client, server) = options.isClient ? (ours, theirs) : (theirs, ours)
        guard
            let agreed = try? Negotiated.agree(
                client: client,
                server: server,
                weAreClient: options.isClient
            )
        else { throw .badName }
        resume(line, agreed)
    }
}
