// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserLog
import HawserWire

@testable import HawserProtocol

/// Two transports in memory under a virtual clock, with one Ed25519 host key.
struct TransportPair: ~Copyable {
    var client: Transport
    var server: Transport
    var now = Instant(nanoseconds: 0)
    /// Messages of the layers above that each side got.
    var clientMessages: [[UInt8]] = []
    var serverMessages: [[UInt8]] = []
    /// All that each side was told, messages apart.
    var clientEvents: [TransportEvent] = []
    var serverEvents: [TransportEvent] = []
    var exchanges = 0
    /// What the server answers when a group is needed, and what becomes of its signatures.
    var group: FiniteFieldGroup? = .group14
    var changeSignature: (inout [UInt8]) -> Void = { _ in }
    private let hostSeed: SecretBytes

    static func proposal(
        keyExchange: [String] = ["curve25519-sha256"],
        ciphers: [String] = ["aes128-gcm@openssh.com"],
        macs: [String] = ["hmac-sha2-256"],
        compression: [String] = ["none"]
    ) -> Proposal {
        Proposal(
            keyExchange: keyExchange,
            hostKey: ["ssh-ed25519"],
            ciphers: ciphers,
            macs: macs,
            compression: compression
        )
    }

    /// `adjust` changes the options of both sides before they begin.
    init(
        seed: UInt64 = 1,
        client: Proposal = proposal(),
        server: Proposal = proposal(),
        rekeyLimit: RekeyLimit = RekeyLimit(),
        adjust: (inout TransportOptions) -> Void = { _ in }
    ) throws {
        let random = SeededRandom(seed: seed)
        hostSeed = SecretBytes(random.bytes(32))
        var clientOptions = TransportOptions(
            isClient: true,
            identification: "SSH-2.0-client",
            proposal: client
        )
        clientOptions.rekeyLimit = rekeyLimit
        adjust(&clientOptions)
        var serverOptions = TransportOptions(
            isClient: false,
            identification: "SSH-2.0-server",
            proposal: server
        )
        serverOptions.hostKeys = [
            HostKeyOffer(blob: try Self.blob(hostSeed), algorithms: ["ssh-ed25519"])
        ]
        serverOptions.signatureAlgorithms = ["ssh-ed25519", "rsa-sha2-512"]
        adjust(&serverOptions)
        self.client = Transport(clientOptions, random: random, at: now)
        self.server = Transport(serverOptions, random: random, at: now)
    }

    static func blob(_ seed: SecretBytes) throws -> [UInt8] {
        var blob = WireWriter()
        blob.write(text: "ssh-ed25519")
        blob.write(string: try Ed25519.publicKey(seed: seed))
        return blob.bytes
    }

    /// Moves bytes both ways until neither side has any, at most `chunk` bytes at a time.
    mutating func run(chunk: Int = .max) throws {
        var moved = true
        while moved {
            moved = false
            let toServer = Self.take(&client.output, chunk)
            let toClient = Self.take(&server.output, chunk)
            if !toServer.isEmpty { moved = true }
            if !toClient.isEmpty { moved = true }
            Self.give(toServer, to: &server)
            Self.give(toClient, to: &client)
            try drainServer()
            try drainClient()
            if !client.output.isEmpty || !server.output.isEmpty { moved = true }
        }
    }

    /// The first key exchange, and the user let in on both sides.
    mutating func runToSession() throws {
        try run()
        client.authenticationSucceeded()
        server.authenticationSucceeded()
    }

    mutating func drainServer() throws {
        while let event = try server.next(at: now) {
            switch event {
            case .exchangeSignatureNeeded(let request):
                var signature = WireWriter()
                signature.write(text: "ssh-ed25519")
                signature.write(
                    string: try Ed25519.sign(request.exchangeHash.rawBytes, seed: hostSeed)
                )
                var blob = signature.take()
                changeSignature(&blob)
                server.provideExchangeSignature(blob)
            case .groupNeeded: try server.provideGroup(group)
            case .message: serverMessages.append([UInt8](copying: server.payload))
            default: break
            }
            if case .message = event { continue }
            serverEvents.append(event)
        }
    }

    mutating func drainClient() throws {
        while let event = try client.next(at: now) {
            switch event {
            case .hostKeyProven: client.acceptHostKey()
            case .keysExchanged: exchanges += 1
            case .message(.userauthSuccess):
                clientMessages.append([UInt8](copying: client.payload))
                client.authenticationSucceeded()
            case .message: clientMessages.append([UInt8](copying: client.payload))
            default: break
            }
            if case .message = event { continue }
            clientEvents.append(event)
        }
    }

    static func take(_ queue: inout ByteQueue, _ limit: Int) -> [UInt8] {
        let count = min(limit, queue.count)
        let bytes = [UInt8](copying: queue.bytes.extracting(first: count))
        queue.removeFirst(count)
        return bytes
    }

    static func give(_ bytes: [UInt8], to transport: inout Transport) {
        guard !bytes.isEmpty else { return }
        _ = transport.fill(bytes.count) { (span: inout MutableRawSpan) -> Int in
            span.copy(bytes.rawBytes)
            return bytes.count
        }
    }
}

/// A peer without manners: plain packets, whatever they say.
struct RawPeer: ~Copyable {
    private var writer = PacketWriter(random: SeededRandom(seed: 99))

    init(identification: String? = "SSH-2.0-raw") {
        if let identification { writer.output.append(Array((identification + "\r\n").utf8)) }
    }

    mutating func say(_ number: MessageNumber, _ fields: [UInt8] = []) {
        writer.begin(number)
        writer.write(fields.rawBytes)
        writer.end()
    }

    mutating func say(_ message: KexInit) {
        say(.kexInit, Array(message.payload.dropFirst()))
    }

    /// Gives a transport all that was said since the last time.
    mutating func deliver(to transport: inout Transport) {
        TransportPair.give(TransportPair.take(&writer.output, .max), to: &transport)
    }
}

/// Keeps what was logged, with its level.
final class LogKeeper: LogSink {
    private(set) var lines: [(level: LogLevel, text: String)] = []

    func write(_ level: LogLevel, _ text: String) {
        lines.append((level, text))
    }

    func texts(_ level: LogLevel) -> [String] {
        lines.filter { $0.level == level }.map(\.text)
    }
}
