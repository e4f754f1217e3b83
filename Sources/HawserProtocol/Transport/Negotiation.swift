// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserWire

/// The lists of one side's SSH_MSG_KEXINIT (RFC 4253 §7.1).
package struct Proposal: Equatable, Sendable {
    package var keyExchange: [String]
    package var hostKey: [String]
    package var ciphersToServer: [String]
    package var ciphersToClient: [String]
    package var macsToServer: [String]
    package var macsToClient: [String]
    package var compressionToServer: [String]
    package var compressionToClient: [String]

    /// The same ciphers, codes and compression in both directions.
    package init(
        keyExchange: [String],
        hostKey: [String],
        ciphers: [String],
        macs: [String],
        compression: [String]
    ) {
        self.keyExchange = keyExchange
        self.hostKey = hostKey
        ciphersToServer = ciphers
        ciphersToClient = ciphers
        macsToServer = macs
        macsToClient = macs
        compressionToServer = compression
        compressionToClient = compression
    }
}

/// `SSH_MSG_KEXINIT`, RFC 4253 §7.1.
struct KexInit: Equatable {
    var cookie: [UInt8]
    var proposal: Proposal
    var firstPacketFollows: Bool

    /// The payload, with the message number, as it enters the exchange hash.
    var payload: [UInt8] {
        var writer = WireWriter(reserving: 2048)
        writer.write(byte: MessageNumber.kexInit.rawValue)
        writer.write(fixed: cookie)
        writer.write(nameList: proposal.keyExchange)
        writer.write(nameList: proposal.hostKey)
        writer.write(nameList: proposal.ciphersToServer)
        writer.write(nameList: proposal.ciphersToClient)
        writer.write(nameList: proposal.macsToServer)
        writer.write(nameList: proposal.macsToClient)
        writer.write(nameList: proposal.compressionToServer)
        writer.write(nameList: proposal.compressionToClient)
        writer.write(nameList: [])
        writer.write(nameList: [])
        writer.write(boolean: firstPacketFollows)
        writer.write(uint32: 0)
        return writer.take()
    }

    init(cookie: [UInt8], proposal: Proposal) {
        self.cookie = cookie
        self.proposal = proposal
        firstPacketFollows = false
    }

    /// Whether a guess of the peer's is right: both prefer the same (RFC 4253 §7).
    func hasSameFirst(as peer: KexInit) -> Bool {
        proposal.keyExchange.first == peer.proposal.keyExchange.first
            && proposal.hostKey.first == peer.proposal.hostKey.first
    }

    init(payload: RawSpan) throws(WireError) {
        var reader = WireReader(payload)
        _ = try reader.readByte()
        cookie = [UInt8](copying: try reader.readFixed(16))
        var lists: [[String]] = []
        for _ in 0..<10 {
            let names = try reader.readNameList()
            guard names.count <= Limits.namesPerList else { throw .tooLong }
            lists.append(names)
        }
        firstPacketFollows = try reader.readBoolean()
        _ = try reader.readUInt32()
        try reader.expectEnd()
        proposal = Proposal(
            keyExchange: lists[0],
            hostKey: lists[1],
            ciphers: [],
            macs: [],
            compression: []
        )
        proposal.ciphersToServer = lists[2]
        proposal.ciphersToClient = lists[3]
        proposal.macsToServer = lists[4]
        proposal.macsToClient = lists[5]
        proposal.compressionToServer = lists[6]
        proposal.compressionToClient = lists[7]
    }
}

/// What two proposals agree on.
package struct Negotiated: Equatable, Sendable {
    package struct Direction: Equatable, Sendable {
        package var cipher: CipherAlgorithm
        /// nil with a cipher that authenticates by itself.
        package var mac: MACAlgorithm?
        package var compression: String

        /// The bits that the key exchange should match, the key of the MAC among them.
        var strengthBits: Int { max(cipher.strengthBits, 8 * (mac?.keyBytes ?? 0)) }
    }

    package var keyExchange: String
    package var hostKey: String
    package var toServer: Direction
    package var toClient: Direction
    /// The peer has sent a guess that is wrong and must be skipped.
    var skipsGuess: Bool

    func outgoing(isClient: Bool) -> Direction { isClient ? toServer : toClient }

    func incoming(isClient: Bool) -> Direction { isClient ? toClient : toServer }

    /// The first of the client's names that the server has too, list by list (RFC 4253 §7.1).
    /// Throws `ProtocolError` of kind `noCommonAlgorithm`.
    static func agree(
        client: KexInit,
        server: KexInit,
        weAreClient: Bool
    ) throws(ProtocolError) -> Negotiated {
        func common(
            _ what: String,
            _ clientNames: [String],
            _ serverNames: [String],
            offered: [String]? = nil
        ) throws(ProtocolError) -> String {
            if let name = clientNames.first(where: { serverNames.contains($0) }) { return name }
            let theirs = weAreClient ? serverNames : offered ?? clientNames
            throw ProtocolError(
                .noCommonAlgorithm(what: what, offer: theirs.joined(separator: ",")),
                "no matching \(what) found. Their offer: \(theirs.joined(separator: ","))"
            )
        }
        func direction(
            _ ciphers: KeyPath<Proposal, [String]>,
            _ macs: KeyPath<Proposal, [String]>,
            _ compression: KeyPath<Proposal, [String]>
        ) throws(ProtocolError) -> Direction {
            let cipherName = try common(
                "cipher",
                client.proposal[keyPath: ciphers],
                server.proposal[keyPath: ciphers]
            )
            guard let cipher = CipherAlgorithm(rawValue: cipherName) else {
                throw .violation("unsupported cipher \(cipherName)")
            }
            var mac: MACAlgorithm?
            if !cipher.isAEAD {
                let macName = try common(
                    "MAC",
                    client.proposal[keyPath: macs],
                    server.proposal[keyPath: macs]
                )
                guard let found = MACAlgorithm(rawValue: macName) else {
                    throw .violation("unsupported MAC \(macName)")
                }
                mac = found
            }
            return Direction(
                cipher: cipher,
                mac: mac,
                compression: try common(
                    "compression method",
                    client.proposal[keyPath: compression],
                    server.proposal[keyPath: compression]
                )
            )
        }
        let keyExchange = try common(
            "key exchange method",
            client.proposal.keyExchange.filter { !isMarker($0) },
            server.proposal.keyExchange,
            offered: client.proposal.keyExchange
        )
        let hostKey = try common(
            "host key type",
            client.proposal.hostKey,
            server.proposal.hostKey
        )
        let theirs = weAreClient ? server : client
        return Negotiated(
            keyExchange: keyExchange,
            hostKey: hostKey,
            toServer: try direction(\.ciphersToServer, \.macsToServer, \.compressionToServer),
            toClient: try direction(\.ciphersToClient, \.macsToClient, \.compressionToClient),
            skipsGuess: theirs.firstPacketFollows && !client.hasSameFirst(as: server)
        )
    }

    /// Names among the key exchange methods that are none.
    private static func isMarker(_ name: String) -> Bool {
        name.hasPrefix("ext-info-") || name.hasPrefix("kex-strict-")
    }
}
