// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

/// Compression that only counts: each packet must be the next one of its context.
private final class CountingCompression: PacketCompression {
    private var sent: UInt8 = 0
    private var received: UInt8 = 0

    func compress(_ payload: RawSpan, into output: inout ByteQueue) {
        output.append(byte: sent)
        output.append(payload)
        sent &+= 1
    }

    func decompress(_ payload: RawSpan, into output: inout ByteQueue, limitBytes: Int) -> Bool {
        guard payload.byteCount > 1, payload.byteCount <= limitBytes,
            payload[byteAt: 0] == received
        else { return false }
        received &+= 1
        output.append(payload.extracting(droppingFirst: 1))
        return true
    }
}

@Suite("Compression, RFC 4253 §6.2")
struct CompressionTests {
    private func pair(_ name: String) throws -> TransportPair {
        let proposal = TransportPair.proposal(compression: [name])
        return try TransportPair(client: proposal, server: proposal) {
            $0.makeCompression = { CountingCompression() }
        }
    }

    private func isCompressing(_ transport: borrowing Transport) -> [Bool] {
        [transport.reader.decompression != nil, transport.writer.compression != nil]
    }

    @Test("\"zlib\" begins with the keys, \"zlib@openssh.com\" with the user, \"none\" never")
    func beginning() throws {
        for (name, atOnce, later) in [
            ("zlib", true, true), ("zlib@openssh.com", false, true), ("none", false, false),
        ] {
            var pair = try pair(name)
            try pair.run()
            #expect(isCompressing(pair.client) == [atOnce, atOnce])
            #expect(isCompressing(pair.server) == [atOnce, atOnce])
            try pair.runToSession()
            #expect(isCompressing(pair.client) == [later, later])
            #expect(isCompressing(pair.server) == [later, later])
        }
    }

    @Test(
        "Every key begins with a fresh context, in each direction at its NEWKEYS",
        arguments: ["zlib", "zlib@openssh.com"]
    )
    func renewal(name: String) throws {
        var pair = try pair(name)
        try pair.runToSession()
        for round: UInt8 in 0..<6 {
            pair.client.send([94, round])
            pair.server.send([94, round])
            if round % 2 == 0 { pair.client.rekey() }
            if round % 3 == 0 { pair.server.rekey() }
            pair.client.send([95, round])
            pair.server.send([95, round])
            try pair.run(chunk: 64)
        }
        #expect(pair.exchanges == 5)
        let expected: [[UInt8]] = (0..<6).flatMap { [[94, $0], [95, $0]] }
        #expect(pair.serverMessages == expected)
        #expect(pair.clientMessages == expected)
    }

    @Test("A success that waits for an exchange is not compressed, what follows it is")
    func heldSuccess() throws {
        var pair = try pair("zlib@openssh.com")
        try pair.run()
        pair.client.startExchange()
        let begun = TransportPair.take(&pair.client.output, .max)
        TransportPair.give(begun, to: &pair.server)
        try pair.drainServer()
        pair.server.send([MessageNumber.userauthSuccess.rawValue])
        pair.server.authenticationSucceeded()
        pair.server.send([99, 1])
        #expect(isCompressing(pair.server) == [false, false])
        try pair.run()
        #expect(pair.clientMessages == [[52], [99, 1]])
        #expect(isCompressing(pair.server) == [true, true])
        pair.client.send([98, 2])
        try pair.run()
        #expect(pair.serverMessages == [[98, 2]])
    }

    @Test("What does not decompress ends the connection")
    func garbage() throws {
        var pair = try pair("zlib")
        try pair.run()
        pair.client.writer.compression = nil
        pair.client.send([98, 2])
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.kind == .badPacket)
    }
}

extension Transport {
    mutating func send(_ bytes: [UInt8]) {
        send(bytes.rawBytes)
    }
}
