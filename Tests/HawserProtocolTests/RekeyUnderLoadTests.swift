// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Renewed keys while data flows, RFC 4253 §9")
struct RekeyUnderLoadTests {
    private func transfer(_ pair: inout ConnectionPair, cut: Int) throws {
        let ids = try pair.openSession()
        let up = ChannelTests.pattern(2 << 20, 1)
        let down = ChannelTests.pattern(2 << 20, 2)
        pair.clientProgram.send(up, on: ids.client, over: &pair.client)
        pair.serverProgram.send(down, on: ids.server, over: &pair.server)
        try pair.run(deliveringAtMost: cut)
        #expect(pair.clientProgram.received[ids.client.number] == down)
        #expect(pair.serverProgram.received[ids.server.number] == up)
        #expect(pair.clientProgram.events.contains("channelEOF(0)"))
        #expect(pair.serverProgram.events.contains("channelEOF(0)"))
    }

    @Test(
        "A limit in bytes renews them many times, and nothing is lost",
        arguments: [4099, .max],
        ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"]
    )
    func byBytes(cut: Int, cipher: String) throws {
        var pair = try ConnectionPair.authenticated(
            proposal: TransportPair.proposal(ciphers: [cipher]),
            rekeyLimit: RekeyLimit(bytes: 256 << 10)
        )
        try transfer(&pair, cut: cut)
        let exchanges = pair.exchanges
        #expect(exchanges >= 4)
    }

    @Test("Both sides ask for it at the same moment")
    func atOnce() throws {
        var pair = try ConnectionPair.authenticated()
        pair.client.rekeyNow()
        pair.server.rekeyNow()
        try transfer(&pair, cut: 1000)
        let exchanges = pair.exchanges
        #expect(exchanges == 2)
    }

    @Test("While keys are exchanged, data waits with its sender and requests wait in order")
    func holds() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        pair.client.rekeyNow()
        let taken = pair.client.send([1, 2, 3].rawBytes, on: ids.client)
        #expect(taken == 0)
        pair.client.request(.shell, on: ids.client, wantReply: false)
        pair.client.request(.signal(name: "HUP"), on: ids.client, wantReply: false)
        var writable = false
        try pair.run(client: { _, event in
            if event == .channelWritable(ids.client) { writable = true }
        })
        #expect(writable)
        let events = pair.serverProgram.events.suffix(2)
        #expect(events.first?.contains("shell") == true)
        #expect(events.last?.contains("HUP") == true)
    }
}
