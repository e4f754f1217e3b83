// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("A transport as bytes")
struct TransportHandoverTests {
    private func pair(_ protection: Protection) throws -> TransportPair {
        let proposal = TransportPair.proposal(
            ciphers: [protection.cipher.name],
            macs: [protection.mac?.name ?? "none"]
        )
        return try TransportPair(client: proposal, server: proposal)
    }

    private func handOver(_ transport: inout Transport) -> [UInt8] {
        var state = WireWriter()
        transport.handOver(to: &state)
        return state.take()
    }

    private func resume(_ bytes: [UInt8], _ options: TransportOptions) throws -> Transport {
        var reader = WireReader(bytes.rawBytes)
        let transport = try Transport.continuing(
            &reader,
            options,
            random: SeededRandom(seed: 2),
            at: Instant(nanoseconds: 0)
        )
        try reader.expectEnd()
        return transport
    }

    @Test("It goes on with any cipher, cut inside a packet", arguments: Protection.all)
    func goesOn(protection: Protection) throws {
        var pair = try pair(protection)
        try pair.run()
        pair.client.send([94] + [UInt8](repeating: 1, count: 500))
        pair.server.send([95, 1])
        try pair.run()
        pair.client.send([94, 2])
        pair.client.send([94, 3])
        let inFlight = TransportPair.take(&pair.client.output, .max)
        TransportPair.give(Array(inFlight.prefix(3)), to: &pair.server)
        #expect(try pair.server.next(at: pair.now) == nil)
        let options = pair.server.options
        pair.server = try resume(handOver(&pair.server), options)
        TransportPair.give(Array(inFlight.dropFirst(3)), to: &pair.server)
        pair.server.send([95, 4])
        try pair.run()
        #expect(pair.serverMessages.suffix(2) == [[94, 2], [94, 3]])
        #expect(pair.clientMessages == [[95, 1], [95, 4]])
        #expect(pair.server.negotiated == pair.client.negotiated)
        #expect(pair.server.sessionIdentifier == pair.client.sessionIdentifier)
        pair.client.authenticationSucceeded()
        pair.server.authenticationSucceeded()
        pair.server.rekey()
        try pair.run()
        #expect(pair.exchanges == 2)
    }

    @Test("Every truncation is refused, and no changed byte traps")
    func notWhole() throws {
        var pair = try pair(Protection(cipher: .aes256CTR, mac: .umac64ETM))
        try pair.run()
        let options = pair.server.options
        let bytes = handOver(&pair.server)
        for count in 0..<bytes.count {
            #expect(throws: WireError.self) { _ = try resume(Array(bytes.prefix(count)), options) }
        }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x41
            _ = try? resume(changed, options)
        }
    }
}
