// SPDX-License-Identifier: Apache-2.0

import HawserProtocol
import HawserWire
import Testing

@Suite("Channels, RFC 4254 §5")
struct ChannelTests {
    private func opened(_ id: ChannelID?) throws -> ChannelID {
        try #require(id)
    }

    static func pattern(_ count: Int, _ seed: UInt8) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ ($0 >> 8) &+ Int(seed)) }
    }

    @Test(
        "A megabyte each way arrives whole and in order, however the bytes are cut",
        arguments: [61, 4096, .max]
    )
    func megabyteEachWay(cut: Int) throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        let up = Self.pattern(1 << 20, 1)
        let down = Self.pattern(1 << 20, 2)
        pair.client.request(.exec(command: Array("cat".utf8)), on: ids.client, wantReply: true)
        let clientProgram = pair.clientProgram
        let serverProgram = pair.serverProgram
        try pair.run(
            deliveringAtMost: cut,
            client: { client, event in
                if case .channelRequestAnswered(let id, _) = event {
                    clientProgram.send(up, on: id, over: &client)
                }
            },
            server: { server, event in
                if case .channelRequest(let id, .exec, true) = event {
                    server.answerRequest(on: id, success: true)
                    serverProgram.send(down, on: id, then: .nothing, over: &server)
                }
                if case .channelEOF(let id) = event {
                    serverProgram.send([], on: id, then: .exitAndClose(3), over: &server)
                }
            }
        )
        #expect(pair.clientProgram.received[ids.client.number] == down)
        #expect(pair.serverProgram.received[ids.server.number] == up)
        #expect(
            pair.clientProgram.events == [
                "authenticated", "channelOpened(0)",
                "channelRequestAnswered(0, success: true)", "data 0 1048576",
                "channelRequest(0, HawserProtocol.ChannelRequest.exitStatus(3), wantReply: false)",
                "channelEOF(0)", "channelClosed(0)",
            ]
        )
        #expect(pair.channelCounts == [0, 0])
    }

    @Test("A reader that does not drain stops the sender at the window")
    func flowControl() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        pair.serverProgram.drains = false
        let bytes = Self.pattern(5 << 20, 3)
        pair.clientProgram.send(bytes, on: ids.client, over: &pair.client)
        try pair.run()
        #expect(pair.serverProgram.held == ConnectionLimits.initialWindowBytes)
        #expect(
            pair.clientProgram.sentBytes(on: ids.client) == ConnectionLimits.initialWindowBytes
        )
        pair.serverProgram.drains = true
        pair.server.consumed(pair.serverProgram.held, on: ids.server)
        try pair.run()
        #expect(pair.serverProgram.received[ids.server.number] == bytes)
    }

    @Test("Standard error has its own type and shares the window")
    func extendedData() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        let bytes = Self.pattern(3 << 20, 4)
        pair.serverProgram.send(bytes, on: ids.server, extended: true, over: &pair.server)
        try pair.run()
        #expect(pair.clientProgram.receivedExtended[ids.client.number] == bytes)
    }

    @Test("A thousand channels at once, and their numbers are used again")
    func thousandChannels() throws {
        var pair = try ConnectionPair.authenticated()
        var first: [ChannelID] = []
        for _ in 0..<1000 { first.append(try opened(pair.client.openChannel(.session))) }
        try pair.run(server: { server, event in
            if case .channelOpenRequested(let id, _) = event { server.confirmChannel(id) }
        })
        #expect(pair.channelCounts == [1000, 1000])
        for id in first { pair.client.closeChannel(id) }
        try pair.run()
        #expect(pair.clientProgram.closed == 1000)
        #expect(pair.channelCounts == [0, 0])
        let again = try opened(pair.client.openChannel(.session))
        #expect(again.number < 1000)
        #expect(!first.contains(again))
    }

    @Test("What belongs to a closed channel does nothing to the next one of its number")
    func staleNumbers() throws {
        var pair = try ConnectionPair.authenticated()
        let old = try pair.openSession().client
        pair.client.closeChannel(old)
        try pair.run()
        let new = try pair.openSession().client
        #expect(old.number == new.number)
        let taken = pair.client.send([1, 2, 3].rawBytes, on: old)
        #expect(taken == 0)
        pair.client.consumed(100, on: old)
        pair.client.closeChannel(old)
        try pair.run()
        let open = pair.client.openChannels
        #expect(open == [new])
    }

    @Test("Close in mid flow ends both sides, and what still comes is dropped")
    func closeInMidFlow() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        let bytes = Self.pattern(4 << 20, 5)
        pair.clientProgram.send(bytes, on: ids.client, over: &pair.client)
        pair.server.closeChannel(ids.server)
        try pair.run()
        #expect(pair.serverProgram.received[ids.server.number] == nil)
        #expect(pair.clientProgram.events.last == "channelClosed(0)")
        #expect(pair.serverProgram.events.last == "channelClosed(0)")
    }

    @Test("A close without a hurry goes with the next message, or by itself after a moment")
    func heldClose() throws {
        var pair = try ConnectionPair.authenticated()
        let first = try pair.openSession()
        pair.client.sendEOF(on: first.client)
        pair.server.sendEOF(on: first.server)
        try pair.run()
        // Too early: not all that the client has to say has been said.
        let second = try pair.openSession()
        pair.client.closeChannel(second.client, isUrgent: false)
        var isSilent = pair.client.output.isEmpty
        #expect(!isSilent)
        try pair.run()

        pair.client.closeChannel(first.client, isUrgent: false)
        isSilent = pair.client.output.isEmpty
        #expect(isSilent)
        pair.server.closeChannel(first.server)
        try pair.run()
        // Gone here, its number free again; there not yet.
        #expect(pair.channelCounts == [0, 1])
        let third = try opened(pair.client.openChannel(.session))
        try pair.run(server: { server, event in
            if case .channelOpenRequested(let id, _) = event { server.confirmChannel(id) }
        })
        #expect(pair.channelCounts == [1, 1])
        let open = pair.client.openChannels
        #expect(open == [third])

        let last = pair.server.openChannels[0]
        pair.client.sendEOF(on: third)
        pair.server.sendEOF(on: last)
        try pair.run()
        pair.client.closeChannel(third, isUrgent: false)
        pair.server.closeChannel(last)
        try pair.run()
        #expect(pair.channelCounts == [0, 1])
        let deadline = pair.client.deadline ?? pair.now
        #expect(deadline > pair.now && deadline <= pair.now + .milliseconds(200))
        pair.now = deadline
        try pair.run()
        #expect(pair.channelCounts == [0, 0])
    }

    @Test("A refused channel says why")
    func refused() throws {
        var pair = try ConnectionPair.authenticated()
        let endpoints = TCPIPEndpoints(
            host: "localhost",
            port: 1,
            originatorAddress: "127.0.0.1",
            originatorPort: 2
        )
        let id = try opened(pair.client.openChannel(.directTCPIP(endpoints)))
        var reasons: [ChannelOpenFailureReason] = []
        try pair.run(
            client: { _, event in
                if case .channelOpenFailed(id, let reason, message: "refused") = event {
                    reasons.append(reason)
                }
            },
            server: { server, event in
                if case .channelOpenRequested(let id, let opening) = event {
                    #expect(opening == .directTCPIP(endpoints))
                    server.refuseChannel(id, reason: .connectFailed, message: "refused")
                }
            }
        )
        #expect(reasons == [.connectFailed])
        #expect(pair.channelCounts == [0, 0])
    }

    @Test("A channel type that nobody knows is refused without asking the program")
    func unknownType() throws {
        var pair = try ConnectionPair.authenticated()
        _ = pair.client.openChannel(.other(type: "teleport@example.org", data: [1, 2]))
        try pair.run()
        #expect(pair.clientProgram.events.last?.contains("channelOpenFailed") == true)
        #expect(pair.serverProgram.channels.isEmpty)
    }

    @Test("Answers come in the order of the requests, also those we give ourselves")
    func answersInOrder() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        pair.client.request(.shell, on: ids.client, wantReply: true)
        pair.client.request(
            .other(type: "x@example.org", data: []),
            on: ids.client,
            wantReply: true
        )
        pair.client.request(.keepAlive, on: ids.client, wantReply: true)
        try pair.run()
        #expect(pair.clientProgram.answers.isEmpty)
        pair.server.answerRequest(on: ids.server, success: true)
        try pair.run()
        #expect(pair.clientProgram.answers == [true, false])
        pair.server.answerRequest(on: ids.server, success: true)
        try pair.run()
        #expect(pair.clientProgram.answers == [true, false, true])
    }

    @Test("Bulk data stops at the output's mark, which is lower where someone types")
    func outputMarks() throws {
        var pair = try ConnectionPair.authenticated()
        let bulk = try pair.openSession().client
        let bytes = Self.pattern(1 << 20, 6)
        let alone = pair.client.send(bytes.rawBytes, on: bulk)
        #expect(alone < ConnectionLimits.bulkOutputBytes + ConnectionLimits.maximumDataBytes)
        #expect(alone >= ConnectionLimits.bulkOutputBytes - ConnectionLimits.maximumDataBytes)
        try pair.run()
        let terminal = try pair.openSession().client
        pair.client.setInteractive(true, on: terminal)
        let shared = pair.client.send(bytes.rawBytes, on: bulk)
        #expect(shared < ConnectionLimits.sharedOutputBytes + ConnectionLimits.maximumDataBytes)
        #expect(shared >= ConnectionLimits.sharedOutputBytes - ConnectionLimits.maximumDataBytes)
        let more = pair.client.send([1].rawBytes, on: bulk)
        #expect(more == 0)
        let typed = pair.client.send([1].rawBytes, on: terminal)
        #expect(typed == 1)
        pair.client.closeChannel(terminal)
        try pair.run()
        let again = pair.client.send(bytes.rawBytes, on: bulk)
        #expect(again > shared)
    }

    @Test("What is typed overtakes bulk data that waits", arguments: [4096, .max])
    func interactiveFirst(cut: Int) throws {
        var pair = try ConnectionPair.authenticated()
        let bulk = try pair.openSession()
        let terminal = try pair.openSession()
        pair.client.setInteractive(true, on: terminal.client)
        let bytes = Self.pattern(1 << 20, 7)
        pair.clientProgram.send(bytes, on: bulk.client, over: &pair.client)
        let typed = pair.client.send([1].rawBytes, on: terminal.client)
        #expect(typed == 1)
        var bytesBefore = 0
        var hasCome = false
        try pair.run(
            deliveringAtMost: cut,
            server: { _, event in
                guard case .channelData(let id, let count) = event else { return }
                if id == terminal.server {
                    hasCome = true
                } else if !hasCome {
                    bytesBefore += count
                }
            }
        )
        #expect(hasCome)
        let most = ConnectionLimits.sharedOutputBytes + ConnectionLimits.maximumDataBytes
        #expect(bytesBefore <= most)
        #expect(pair.serverProgram.received[bulk.server.number] == bytes)
    }

    @Test("Where someone types, a new channel begins with a small window")
    func sharedWindow() throws {
        var pair = try ConnectionPair.authenticated()
        let terminal = try pair.openSession()
        pair.server.setInteractive(true, on: terminal.server)
        _ = pair.client.openChannel(.session)
        try pair.run(server: { server, event in
            guard case .channelOpenRequested(let id, _) = event else { return }
            server.confirmChannel(id, windowBytes: ConnectionLimits.bulkWindowBytes)
        })
        let bulk = try #require(pair.clientProgram.channels.last)
        let room = pair.client.sendableBytes(on: bulk)
        #expect(room == ConnectionLimits.initialWindowBytes)
    }
}
