// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
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
    var exchanges = 0
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

    init(
        seed: UInt64 = 1,
        client: Proposal = proposal(),
        server: Proposal = proposal(),
        rekeyLimit: RekeyLimit = RekeyLimit()
    ) throws {
        let random = SeededRandom(seed: seed)
        hostSeed = SecretBytes(random.bytes(32))
        var blob = WireWriter()
        blob.write(text: "ssh-ed25519")
        blob.write(string: try Ed25519.publicKey(seed: hostSeed))
        var clientOptions = TransportOptions(
            isClient: true,
            identification: "SSH-2.0-client",
            proposal: client
        )
        clientOptions.rekeyLimit = rekeyLimit
        var serverOptions = TransportOptions(
            isClient: false,
            identification: "SSH-2.0-server",
            proposal: server
        )
        serverOptions.hostKeys = [HostKeyOffer(blob: blob.bytes, algorithms: ["ssh-ed25519"])]
        serverOptions.signatureAlgorithms = ["ssh-ed25519", "rsa-sha2-512"]
        self.client = Transport(clientOptions, random: random, at: now)
        self.server = Transport(serverOptions, random: random, at: now)
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

    private mutating func drainServer() throws {
        while let event = try server.next(at: now) {
            switch event {
            case .exchangeSignatureNeeded(let request):
                var signature = WireWriter()
                signature.write(text: "ssh-ed25519")
                signature.write(
                    string: try Ed25519.sign(request.exchangeHash.rawBytes, seed: hostSeed)
                )
                server.provideExchangeSignature(signature.bytes)
            case .groupNeeded: try server.provideGroup(.group14)
            case .message: serverMessages.append([UInt8](copying: server.payload))
            default: break
            }
        }
    }

    private mutating func drainClient() throws {
        while let event = try client.next(at: now) {
            switch event {
            case .hostKeyProven: client.acceptHostKey()
            case .keysExchanged: exchanges += 1
            case .message: clientMessages.append([UInt8](copying: client.payload))
            default: break
            }
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
