// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserLog
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Key exchange, RFC 4253 §7 to §9")
struct KeyExchangeTests {
    private let groupExchange = TransportPair.proposal(
        keyExchange: ["diffie-hellman-group-exchange-sha256"]
    )

    private func kexInit(_ proposal: Proposal) -> KexInit {
        KexInit(cookie: [UInt8](repeating: 1, count: 16), proposal: proposal)
    }

    // MARK: What tools read

    @Test("The log says what tools look for, NEWKEYS once for each exchange")
    func log() throws {
        let kept = LogKeeper()
        var pair = try TransportPair {
            if $0.isClient { $0.log = Log(level: .debug1, sink: kept) }
        }
        try pair.runToSession()
        pair.client.rekey()
        try pair.run()
        let lines = kept.texts(.debug1)
        #expect(lines.filter { $0 == "SSH2_MSG_NEWKEYS sent" }.count == 2)
        for line in [
            "SSH2_MSG_KEXINIT sent", "SSH2_MSG_KEXINIT received",
            "kex: algorithm: curve25519-sha256", "kex: host key algorithm: ssh-ed25519",
            "kex: server->client cipher: aes128-gcm@openssh.com MAC: <implicit> compression: none",
            "kex: client->server cipher: aes128-gcm@openssh.com MAC: <implicit> compression: none",
            "expecting SSH2_MSG_KEX_ECDH_REPLY", "SSH2_MSG_KEX_ECDH_REPLY received",
            "expecting SSH2_MSG_NEWKEYS", "SSH2_MSG_NEWKEYS received",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test("A group exchange says its sizes and the bits of its values")
    func groupExchangeLog() throws {
        let kept = LogKeeper()
        let proposal = groupExchange
        var pair = try TransportPair(client: proposal, server: proposal) {
            if $0.isClient { $0.log = Log(level: .debug3, sink: kept) }
        }
        try pair.run()
        let lines = kept.lines.map(\.text)
        let steps = [
            "SSH2_MSG_KEX_DH_GEX_REQUEST(2048<3072<8192) sent",
            "expecting SSH2_MSG_KEX_DH_GEX_GROUP",
            "SSH2_MSG_KEX_DH_GEX_GROUP received",
            "SSH2_MSG_KEX_DH_GEX_INIT sent",
            "expecting SSH2_MSG_KEX_DH_GEX_REPLY",
            "SSH2_MSG_KEX_DH_GEX_REPLY received",
        ]
        #expect(lines.filter(steps.contains) == steps)
        #expect(lines.contains { $0.hasPrefix("bits set: ") && $0.hasSuffix("/2048") })
    }

    @Test("A server offers keys before its client has said anything")
    func serverBegins() throws {
        let pair = try ConnectionPair()
        let packet = pair.server.output.bytes.extracting(
            droppingFirst: "SSH-2.0-server\r\n".utf8.count
        )
        try #require(packet.byteCount > 6)
        #expect(packet.bigEndianUInt32(at: 0) == UInt32(packet.byteCount - 4))
        #expect(packet[byteAt: 5] == MessageNumber.kexInit.rawValue)
    }

    // MARK: Proof of the host key

    @Test("A signature that does not verify ends the exchange before NEWKEYS")
    func badSignature() throws {
        var pair = try TransportPair()
        pair.changeSignature = { $0[$0.count - 1] ^= 1 }
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.kind == .keyExchange)
        #expect(error.text.contains("incorrect signature"))
        #expect(pair.clientEvents.allSatisfy { if case .identified = $0 { true } else { false } })
    }

    @Test("Nothing is read and no NEWKEYS sent before the host key is accepted")
    func decision() throws {
        var pair = try TransportPair()
        TransportPair.give(TransportPair.take(&pair.client.output, .max), to: &pair.server)
        TransportPair.give(TransportPair.take(&pair.server.output, .max), to: &pair.client)
        _ = try pair.client.next(at: pair.now)
        TransportPair.give(TransportPair.take(&pair.client.output, .max), to: &pair.server)
        try pair.drainServer()
        TransportPair.give(TransportPair.take(&pair.server.output, .max), to: &pair.client)
        #expect(try pair.client.next(at: pair.now) == nil)
        TransportPair.give(TransportPair.take(&pair.client.output, .max), to: &pair.server)
        try pair.drainServer()
        TransportPair.give(TransportPair.take(&pair.server.output, .max), to: &pair.client)
        guard case .hostKeyProven(let key)? = try pair.client.next(at: pair.now) else {
            Issue.record("no host key")
            return
        }
        #expect(key.isFirst)
        #expect(key.algorithm == "ssh-ed25519")
        #expect(pair.client.output.count == 0)
        #expect(try pair.client.next(at: pair.now) == nil)
        pair.client.acceptHostKey()
        #expect(pair.client.output.count > 0)
        try pair.run()
        #expect(pair.exchanges == 1)
    }

    @Test("Another host key in a later exchange is refused")
    func changedHostKey() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.client.hostKey[pair.client.hostKey.count - 1] ^= 1
        pair.client.rekey()
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.kind == .keyExchange)
    }

    // MARK: Groups

    @Test("A group that is not of the size that was asked for is refused")
    func badGroup() throws {
        var pair = try TransportPair(client: groupExchange, server: groupExchange)
        pair.group = .group1
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.text == "DH GEX group out of range: 2048 !< 1024 !< 8192")
    }

    @Test("A server without a group ends the exchange")
    func noGroup() throws {
        var pair = try TransportPair(client: groupExchange, server: groupExchange)
        pair.group = nil
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.kind == .keyExchange)
    }

    @Test(
        "A request for a group is brought into the range of safe ones, or refused",
        arguments: [
            ([1024, 2048, 8192], [2048, 2048, 8192]),
            ([2048, 3072, 8192], [2048, 3072, 8192]),
            ([1024, 1024, 2048], [2048, 2048, 2048]),
            ([2048, 9000, 16384], [2048, 8192, 8192]),
            ([3072, 2048, 8192], nil),
            ([2048, 8192, 4096], nil),
            ([512, 1024, 1024], nil),
            ([9000, 9000, 9000], nil),
            ([0, 0, 0], nil),
            ([UInt32.max, UInt32.max, UInt32.max], nil),
        ] as [([UInt32], [Int]?)]
    )
    func requests(sizes: [UInt32], group: [Int]?) throws {
        var pair = try TransportPair(server: groupExchange)
        var peer = RawPeer()
        peer.say(kexInit(groupExchange))
        var message = WireWriter()
        for size in sizes { message.write(uint32: size) }
        peer.say(.groupExchangeRequest, message.bytes)
        peer.deliver(to: &pair.server)
        guard let group else {
            #expect(throws: ProtocolError.self) {
                while try pair.server.next(at: pair.now) != nil {}
            }
            return
        }
        _ = try pair.server.next(at: pair.now)
        #expect(
            try pair.server.next(at: pair.now)
                == .groupNeeded(
                    minimumBits: group[0],
                    preferredBits: group[1],
                    maximumBits: group[2]
                )
        )
    }

    @Test("The old request for a group is answered too (RFC 4419 §5)")
    func oldRequest() throws {
        var pair = try TransportPair(server: groupExchange)
        var peer = RawPeer()
        peer.say(kexInit(groupExchange))
        peer.say(.kexMethod30, [0, 0, 0x10, 0])
        peer.deliver(to: &pair.server)
        _ = try pair.server.next(at: pair.now)
        #expect(
            try pair.server.next(at: pair.now)
                == .groupNeeded(minimumBits: 2048, preferredBits: 4096, maximumBits: 8192)
        )
        try pair.server.provideGroup(.group16)
        // 1 would give the secret away.
        peer.say(.groupExchangeInit, [0, 0, 0, 1, 1])
        peer.deliver(to: &pair.server)
        #expect(throws: ProtocolError.self) { try pair.server.next(at: pair.now) }
    }

    @Test(
        "A public value that is malformed or unsafe ends the exchange",
        arguments: KeyAgreementAlgorithm.allCases
    )
    func badValues(algorithm: KeyAgreementAlgorithm) throws {
        let proposal = TransportPair.proposal(keyExchange: [algorithm.name])
        let right = try algorithm.initiate(SeededRandom(seed: 4)).publicValue.count
        let values: [[UInt8]] =
            [[], [0], [1]]
            + [right - 1, right, right + 1].map { [UInt8](repeating: 0, count: $0) }
            + [[UInt8](repeating: 0x7f, count: right + 1), [UInt8](repeating: 0xff, count: right)]
        for value in values {
            var pair = try TransportPair(server: proposal)
            var peer = RawPeer()
            peer.say(kexInit(proposal))
            var message = WireWriter()
            message.write(string: value)
            peer.say(.kexMethod30, message.bytes)
            peer.deliver(to: &pair.server)
            var failure: ProtocolError?
            do throws(ProtocolError) {
                while try pair.server.next(at: pair.now) != nil {}
            } catch { failure = error }
            let isOfRightSize = value.count == right && value.first == 0xff
            if algorithm.group != nil || !isOfRightSize {
                #expect(failure != nil, "\(algorithm.name) \(value.count) bytes")
            }
        }
    }

    // MARK: What may come when

    @Test(
        "In a strict first exchange nothing but its own messages may come",
        arguments: [2, 3, 4, 5, 7, 8, 50, 80, 90, 192, 193, 255] as [UInt8]
    )
    func strict(number: UInt8) throws {
        var pair = try TransportPair()
        var peer = RawPeer()
        var proposal = TransportPair.proposal()
        proposal.keyExchange.append("kex-strict-c-v00@openssh.com")
        peer.say(kexInit(proposal))
        peer.say(MessageNumber(rawValue: number), [0, 0, 0, 0])
        peer.deliver(to: &pair.server)
        let error = try #require(throws: ProtocolError.self) {
            while try pair.server.next(at: pair.now) != nil {}
        }
        #expect(error.text == "strict KEX violation: unexpected packet type \(number)")
    }

    @Test("With strict key exchange, KEXINIT must be the first packet", arguments: [true, false])
    func strictFirstPacket(isStrict: Bool) throws {
        var pair = try TransportPair()
        var peer = RawPeer()
        var proposal = TransportPair.proposal()
        if isStrict { proposal.keyExchange.append("kex-strict-c-v00@openssh.com") }
        peer.say(.ignore, [0, 0, 0, 0])
        peer.say(kexInit(proposal))
        peer.deliver(to: &pair.server)
        _ = try pair.server.next(at: pair.now)
        if isStrict {
            let error = try #require(throws: ProtocolError.self) {
                try pair.server.next(at: pair.now)
            }
            #expect(error.text == "strict KEX violation: KEXINIT was not the first packet")
        } else {
            #expect(try pair.server.next(at: pair.now) == nil)
        }
    }

    @Test("Strict key exchange starts the packet numbers anew with every key")
    func strictNumbers() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        // One EXT_INFO each way.
        #expect(pair.client.reader.counter.sequenceNumber == 1)
        #expect(pair.server.reader.counter.sequenceNumber == 1)
        pair.client.send([94, 1])
        pair.client.rekey()
        try pair.run()
        #expect(pair.client.reader.counter.sequenceNumber == 0)
        #expect(pair.server.reader.counter.sequenceNumber == 0)
    }

    @Test(
        "Before the first exchange is over there are no services, users or channels",
        arguments: [5, 6, 7, 21, 30, 34, 50, 52, 80, 94, 192] as [UInt8]
    )
    func beforeKeys(number: UInt8) throws {
        for isClient in [true, false] {
            var pair = try TransportPair()
            var peer = RawPeer()
            peer.say(MessageNumber(rawValue: number), [0, 0, 0, 0])
            if isClient { peer.deliver(to: &pair.client) } else { peer.deliver(to: &pair.server) }
            #expect(throws: ProtocolError.self) {
                while true {
                    let event =
                        try isClient
                        ? pair.client.next(at: pair.now) : pair.server.next(at: pair.now)
                    if event == nil { break }
                }
            }
        }
    }

    @Test("A second KEXINIT inside an exchange is refused")
    func twice() throws {
        var pair = try TransportPair()
        var peer = RawPeer()
        peer.say(kexInit(TransportPair.proposal()))
        peer.say(kexInit(TransportPair.proposal()))
        peer.deliver(to: &pair.server)
        let error = try #require(throws: ProtocolError.self) {
            while try pair.server.next(at: pair.now) != nil {}
        }
        #expect(error.text == "SSH_MSG_KEXINIT inside a key exchange")
    }

    @Test("An unknown message is answered with its number, and no more")
    func unimplemented() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.client.sendOwn(MessageNumber(rawValue: 15), [])
        pair.client.send([94, 1])
        try pair.run()
        #expect(pair.clientEvents.last == .unimplemented(sequenceNumber: 1))
        #expect(pair.serverMessages == [[94, 1]])
    }

    @Test("What the peer says when it leaves is told")
    func disconnect() throws {
        var pair = try TransportPair()
        try pair.run()
        pair.server.disconnect(.tooManyConnections, "Too many")
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error == ProtocolError(.disconnected(reason: 12), "Too many"))
        #expect(error.reason == nil)
    }

    // MARK: Extensions

    @Test("A ping is answered with its data")
    func ping() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.client.sendPing([1, 2, 3])
        try pair.run()
        #expect(pair.clientEvents.last == .pong)
    }

    @Test("A ping that crosses our KEXINIT is answered after the exchange")
    func pingInExchange() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.client.sendPing([1, 2, 3])
        pair.server.rekey()
        let offered = pair.server.output.count
        TransportPair.give(TransportPair.take(&pair.client.output, .max), to: &pair.server)
        try pair.drainServer()
        #expect(pair.server.output.count == offered)
        try pair.run()
        #expect(pair.exchanges == 2)
        #expect(pair.clientEvents.last == .pong)
    }

    @Test("A server can say other signature algorithms while the user asks to be let in")
    func laterSignatureAlgorithms() throws {
        var pair = try TransportPair()
        #expect(pair.server.sendSignatureAlgorithms(["early"]) == false)
        try pair.run()
        #expect(pair.server.sendSignatureAlgorithms(["ssh-ed25519"]) == true)
        try pair.run()
        #expect(pair.client.peerExtensions.signatureAlgorithms == ["ssh-ed25519"])
        try pair.runToSession()
        #expect(pair.server.sendSignatureAlgorithms(["late"]) == false)
    }

    // MARK: Renewal

    @Test("What a peer sent before its KEXINIT still arrives while we await that")
    func inFlight() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.client.send([94, 1])
        pair.server.rekey()
        pair.server.send([94, 2])
        TransportPair.give(TransportPair.take(&pair.client.output, .max), to: &pair.server)
        try pair.drainServer()
        #expect(pair.serverMessages == [[94, 1]])
        #expect(pair.server.heldBytes > 0)
        try pair.run()
        #expect(pair.clientMessages == [[94, 2]])
        #expect(pair.server.heldBytes == 0)
    }

    @Test("A message of the layers above inside the peer's exchange is refused")
    func messageInside() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.client.rekey()
        pair.client.sendOwn(.channelData, [0])
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.text == "message 94 inside a key exchange")
    }

    @Test("A peer that never ends an exchange cannot make us hold answers without end")
    func heldLimit() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        pair.server.rekey()
        let answer = [UInt8(100)] + [UInt8](repeating: 0, count: 60_000)
        var held = 0
        let error = try #require(throws: ProtocolError.self) {
            while true {
                pair.client.send([98, 1])
                let asked = TransportPair.take(&pair.client.output, .max)
                TransportPair.give(asked, to: &pair.server)
                while try pair.server.next(at: pair.now) != nil {
                    pair.server.send(answer)
                    held = pair.server.heldBytes
                }
            }
        }
        #expect(error.kind == .limit)
        #expect(held <= Limits.heldBytes + answer.count + 4)
    }

    @Test("Keys are renewed after a number of packets that RFC 4344 bounds")
    func packets() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        var state = WireWriter()
        pair.client.writer.sealer.state.write(to: &state)
        state.write(uint32: pair.client.writer.counter.sequenceNumber)
        state.write(uint64: Limits.packetsPerKey - 1)
        state.write(uint64: 0)
        state.write(string: [])
        var reader = WireReader(state.bytes.rawBytes)
        pair.client.writer = try PacketWriter(from: &reader, random: SeededRandom(seed: 1))
        try pair.run()
        #expect(pair.exchanges == 1)
        pair.client.send([94, 1])
        try pair.run()
        #expect(pair.exchanges == 2)
        #expect(pair.serverMessages == [[94, 1]])
    }

    @Test("Each renewal gives new keys and the same session identifier")
    func identifiers() throws {
        var pair = try TransportPair()
        try pair.runToSession()
        let session = pair.client.sessionIdentifier
        var keys: Set<[UInt8]> = []
        for _ in 0..<3 {
            keys.insert(pair.client.writer.sealer.state.key.exposed)
            keys.insert(pair.client.reader.opener.state.key.exposed)
            pair.client.rekey()
            try pair.run()
        }
        #expect(keys.count == 6)
        #expect(pair.client.sessionIdentifier == session)
        #expect(pair.server.sessionIdentifier == session)
    }
}
