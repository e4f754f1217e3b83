// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("The transport, RFC 4253")
struct TransportTests {
    private func message(_ number: UInt8, _ count: Int, _ fill: UInt8 = 7) -> [UInt8] {
        [number] + [UInt8](repeating: fill, count: count)
    }

    @Test("What a peer says does not depend on how its bytes are cut", arguments: [1, 2, 7, 4096])
    func cutting(chunk: Int) throws {
        var pair = try TransportPair()
        try pair.run(chunk: chunk)
        #expect(pair.exchanges == 1)
        pair.client.send(message(90, 1000).rawBytes)
        pair.server.send(message(91, 33).rawBytes)
        try pair.run(chunk: chunk)
        #expect(pair.serverMessages == [message(90, 1000)])
        #expect(pair.clientMessages == [message(91, 33)])
        let same = pair.client.sessionIdentifier == pair.server.sessionIdentifier
        #expect(same)
    }

    @Test(
        "Every key exchange method reaches the same keys",
        arguments: KeyAgreementAlgorithm.allCases.map(\.rawValue) + [
            "diffie-hellman-group-exchange-sha256", "diffie-hellman-group-exchange-sha1",
        ]
    )
    func methods(name: String) throws {
        let proposal = TransportPair.proposal(keyExchange: [name])
        var pair = try TransportPair(client: proposal, server: proposal)
        try pair.run()
        #expect(pair.exchanges == 1)
        pair.client.send(message(90, 10).rawBytes)
        try pair.run()
        #expect(pair.serverMessages == [message(90, 10)])
    }

    @Test("Every cipher carries messages both ways", arguments: CipherAlgorithm.allCases)
    func ciphers(cipher: CipherAlgorithm) throws {
        for mac in MACAlgorithm.allCases {
            let proposal = TransportPair.proposal(ciphers: [cipher.name], macs: [mac.name])
            var pair = try TransportPair(client: proposal, server: proposal)
            try pair.run()
            for size in [0, 1, 15, 16, 17, 32768] {
                pair.client.send(message(94, size).rawBytes)
                pair.server.send(message(94, size).rawBytes)
            }
            try pair.run(chunk: 1000)
            #expect(pair.serverMessages.map(\.count) == [1, 2, 16, 17, 18, 32769])
            #expect(pair.clientMessages == pair.serverMessages)
            if cipher.isAEAD { break }
        }
    }

    @Test("Keys are renewed from both sides at once, and nothing is lost or reordered")
    func rekeying() throws {
        var pair = try TransportPair()
        try pair.run()
        pair.client.authenticationSucceeded()
        pair.server.authenticationSucceeded()
        for round: UInt8 in 0..<10 {
            pair.client.send(message(94, 100, round).rawBytes)
            pair.server.send(message(94, 200, round).rawBytes)
            pair.client.rekey()
            if round % 2 == 0 { pair.server.rekey() }
            pair.client.send(message(95, 100, round).rawBytes)
            pair.server.send(message(95, 200, round).rawBytes)
            try pair.run(chunk: 50)
        }
        #expect(pair.exchanges == 11)
        #expect(pair.serverMessages.count == 20)
        #expect(pair.serverMessages.map(\.[1]) == (0..<20).map { UInt8($0 / 2) })
        #expect(pair.clientMessages.map { $0[0] } == (0..<20).map { $0 % 2 == 0 ? 94 : 95 })
    }

    @Test("Keys are renewed after the bytes of RekeyLimit")
    func rekeyByBytes() throws {
        var pair = try TransportPair(rekeyLimit: RekeyLimit(bytes: 10_000))
        try pair.run()
        pair.client.authenticationSucceeded()
        pair.server.authenticationSucceeded()
        for _ in 0..<100 {
            pair.client.send(message(94, 1000).rawBytes)
            pair.server.send(message(94, 10).rawBytes)
            try pair.run()
        }
        #expect(pair.serverMessages.count == 100)
        #expect((8...14).contains(pair.exchanges))
    }

    @Test("Keys are renewed after the time of RekeyLimit, with no traffic")
    func rekeyByTime() throws {
        var pair = try TransportPair(rekeyLimit: RekeyLimit(interval: .seconds(60)))
        try pair.run()
        pair.client.authenticationSucceeded()
        pair.server.authenticationSucceeded()
        #expect(pair.client.deadline == Instant(nanoseconds: 60_000_000_000))
        pair.now = Instant(nanoseconds: 59_000_000_000)
        pair.client.tick(at: pair.now)
        try pair.run()
        #expect(pair.exchanges == 1)
        pair.now = Instant(nanoseconds: 60_000_000_000)
        pair.client.tick(at: pair.now)
        try pair.run()
        #expect(pair.exchanges == 2)
    }

    @Test("A handed-over transport goes on with the same keys")
    func handOver() throws {
        var pair = try TransportPair()
        try pair.run()
        pair.client.send(message(94, 5).rawBytes)
        let inFlight = TransportPair.take(&pair.client.output, .max)
        TransportPair.give(Array(inFlight.prefix(7)), to: &pair.server)
        #expect(try pair.server.next(at: pair.now) == nil)
        var state = WireWriter()
        pair.server.handOver(to: &state)
        let options = pair.server.options
        var reader = WireReader(state.bytes.rawBytes)
        pair.server = try Transport.continuing(
            &reader,
            options,
            random: SeededRandom(seed: 2),
            at: pair.now
        )
        TransportPair.give(Array(inFlight.dropFirst(7)), to: &pair.server)
        pair.server.send(message(95, 6).rawBytes)
        try pair.run()
        #expect(pair.serverMessages == [message(94, 5)])
        #expect(pair.clientMessages == [message(95, 6)])
        pair.client.authenticationSucceeded()
        pair.client.rekey()
        try pair.run()
        #expect(pair.exchanges == 2)
    }

    @Test("The server's signature algorithms reach the client")
    func extensions() throws {
        var pair = try TransportPair()
        try pair.run()
        let extensions = pair.client.peerExtensions
        #expect(extensions.signatureAlgorithms == ["ssh-ed25519", "rsa-sha2-512"])
        #expect(extensions.supportsHostBound && extensions.supportsPing)
    }

    @Test("No common algorithm is said with the peer's list")
    func noCommon() throws {
        var pair = try TransportPair(
            server: TransportPair.proposal(ciphers: ["aes256-ctr", "3des-cbc"])
        )
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        let said = ["aes256-ctr,3des-cbc", "aes128-gcm@openssh.com"]
        #expect(said.contains { error.text == "no matching cipher found. Their offer: \($0)" })
    }

    @Test("Strict key exchange is used, and a message between is refused")
    func strict() throws {
        var pair = try TransportPair()
        pair.client.sendOwn(.ignore, [0, 0, 0, 0])
        #expect(throws: ProtocolError.self) { try pair.run() }
        var plain = try TransportPair()
        try plain.run()
        #expect(plain.client.isStrict == true)
        #expect(plain.server.isStrict == true)
    }

    @Test(
        "A packet of a bad length ends the connection in OpenSSH's words",
        arguments: [0, 1, 4, 262_145, 0x7fff_ffff, 0xffff_ffff] as [UInt32]
    )
    func badLength(length: UInt32) throws {
        var pair = try TransportPair()
        var bytes = WireWriter()
        bytes.write(fixed: Array("SSH-2.0-x\r\n".utf8))
        bytes.write(uint32: length)
        bytes.write(fixed: [UInt8](repeating: 0, count: 64))
        TransportPair.give(bytes.bytes, to: &pair.client)
        let error = try #require(throws: ProtocolError.self) {
            while try pair.client.next(at: pair.now) != nil {}
        }
        #expect(error.text == "Bad packet length \(length).")
    }

    @Test("Random junk, before and after the key exchange, never traps", arguments: 0..<40)
    func junk(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        var pair = try TransportPair(seed: seed)
        if seed % 2 == 0 {
            try pair.run()
        } else {
            TransportPair.give(Array("SSH-2.0-x\r\n".utf8), to: &pair.server)
        }
        for _ in 0..<200 {
            TransportPair.give(random.bytes(Int(random.uniform(below: 200))), to: &pair.server)
            do {
                while try pair.server.next(at: pair.now) != nil {}
            } catch { break }
        }
    }

    @Test("Flipping any byte of the plain key exchange never traps", arguments: 0..<8)
    func mutation(bit: Int) throws {
        var reference = try TransportPair()
        let greeting = TransportPair.take(&reference.client.output, .max)
        TransportPair.give(Array("SSH-2.0-server\r\n".utf8), to: &reference.client)
        _ = try reference.client.next(at: reference.now)
        let said = greeting + TransportPair.take(&reference.client.output, .max)
        for index in stride(from: 0, to: said.count, by: 3) {
            var changed = said
            changed[index] ^= 1 << UInt8(bit)
            var pair = try TransportPair()
            TransportPair.give(changed, to: &pair.server)
            do {
                while try pair.server.next(at: pair.now) != nil {}
            } catch { continue }
        }
    }
}
