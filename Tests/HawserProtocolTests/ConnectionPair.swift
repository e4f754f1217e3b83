// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserWire
import Testing

@testable import HawserProtocol

/// A client and a server that meet in memory, under a clock that only goes when bytes travel.
struct ConnectionPair: ~Copyable {
    var client: ClientConnection
    var server: ServerConnection
    let clientProgram = TestProgram()
    let serverProgram = TestProgram()
    var now = Instant(nanoseconds: 1_000_000_000)
    /// How long bytes are under way, one way.
    var latency: UInt64 = 1_000_000

    typealias ClientHandler = (inout ClientConnection, ConnectionEvent) -> Void
    typealias ServerHandler = (inout ServerConnection, ConnectionEvent) -> Void

    /// How many key exchanges the client has seen the end of.
    private(set) var exchanges = 0
    let hostKey: PrivateKey
    let serverOptions: TransportOptions

    init(
        seed: UInt64 = 1,
        proposal: Proposal = TransportPair.proposal(),
        rekeyLimit: RekeyLimit = RekeyLimit(),
        earlySessionBytes: Int = 0
    ) throws {
        hostKey = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: seed))
        var options = TransportOptions(
            isClient: true,
            identification: "SSH-2.0-client",
            proposal: proposal
        )
        options.rekeyLimit = rekeyLimit
        client = ClientConnection(options, random: SeededRandom(seed: seed + 1), at: now)
        options.isClient = false
        options.identification = "SSH-2.0-server"
        options.hostKeys = [
            HostKeyOffer(blob: hostKey.publicKey.blob, algorithms: ["ssh-ed25519"])
        ]
        options.signatureAlgorithms = ["ssh-ed25519", "rsa-sha2-512"]
        options.earlySessionBytes = earlySessionBytes
        serverOptions = options
        server = ServerConnection(options, random: SeededRandom(seed: seed + 2), at: now)
    }

    /// What neither test program has to care about: host keys and their signatures.
    private mutating func answerTransport(_ event: ConnectionEvent) throws -> Bool {
        switch event {
        case .hostKey(let key):
            #expect(key.blob == hostKey.publicKey.blob)
            client.acceptHostKey()
        case .exchangeSignatureNeeded(let request):
            server.provideExchangeSignature(
                try hostKey.sign(request.exchangeHash.rawBytes)
            )
        case .keysExchanged, .identified, .extensionsReceived: break
        default: return false
        }
        return true
    }

    /// Lets both sides talk until neither has anything left to say; at most `cut` bytes arrive at a
    /// time. The handlers see every event after the test programs have.
    mutating func run(
        deliveringAtMost cut: Int = .max,
        client onClient: ClientHandler = { _, _ in },
        server onServer: ServerHandler = { _, _ in },
        beforeDelivery: (inout ClientConnection) -> Void = { _ in }
    ) throws {
        var isActive = true
        while isActive {
            isActive = false
            while let event = try client.nextEvent(at: now) {
                if case .keysExchanged = event { exchanges += 1 }
                if try answerTransport(event) { continue }
                let data = [UInt8](copying: client.received)
                clientProgram.handle(event, data: data, over: &client)
                onClient(&client, event)
                isActive = true
            }
            beforeDelivery(&client)
            if let bytes = Self.take(&client.core.transport.output, cut) {
                _ = server.receive(upTo: bytes.count) {
                    $0.copy(bytes.rawBytes); return bytes.count
                }
                isActive = true
            }
            now.nanoseconds += latency
            while let event = try server.nextEvent(at: now) {
                if try answerTransport(event) { continue }
                let data = [UInt8](copying: server.received)
                serverProgram.handle(event, data: data, over: &server)
                onServer(&server, event)
                isActive = true
            }
            if let bytes = Self.take(&server.core.transport.output, cut) {
                _ = client.receive(upTo: bytes.count) {
                    $0.copy(bytes.rawBytes); return bytes.count
                }
                isActive = true
            }
            now.nanoseconds += latency
        }
    }

    private static func take(_ output: inout ByteQueue, _ cut: Int) -> [UInt8]? {
        guard !output.isEmpty else { return nil }
        let count = min(cut, output.count)
        let bytes = [UInt8](copying: output.bytes.extracting(first: count))
        output.removeFirst(count)
        return bytes
    }

    /// A pair whose user is in.
    static func authenticated(
        seed: UInt64 = 1,
        proposal: Proposal = TransportPair.proposal(),
        rekeyLimit: RekeyLimit = RekeyLimit()
    ) throws -> ConnectionPair {
        var pair = try ConnectionPair(seed: seed, proposal: proposal, rekeyLimit: rekeyLimit)
        pair.client.authenticate(user: "alice")
        try pair.run(server: { server, event in
            if case .authenticationRequested = event { server.acceptAuthentication() }
        })
        return pair
    }

    /// How many channels the client and the server have.
    var channelCounts: [Int] { [client.channelCount, server.channelCount] }

    /// Opens a session; the server grants it.
    mutating func openSession() throws -> (client: ChannelID, server: ChannelID) {
        let requested = client.openChannel(.session)
        let id = try #require(requested)
        try run(server: { server, event in
            if case .channelOpenRequested(let id, _) = event { server.confirmChannel(id) }
        })
        return (id, try #require(serverProgram.channels.last))
    }
}
