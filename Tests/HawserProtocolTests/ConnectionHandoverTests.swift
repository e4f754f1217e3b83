// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("A server's connection in another process")
struct ConnectionHandoverTests {
    /// Logs in, hands over in the middle of what the client already sends, and goes on.
    private func run(cipher: String) throws {
        var pair = try ConnectionPair(proposal: TransportPair.proposal(ciphers: [cipher]))
        pair.client.authenticate(user: "alice")
        var handover: SecretBytes?
        try pair.run(server: { server, event in
            guard case .authenticationRequested = event, handover == nil else { return }
            server.acceptAuthentication()
            handover = server.handOver()
        })
        let bytes = try #require(handover)
        pair.server = try ServerConnection.continuing(
            bytes,
            pair.serverOptions,
            random: SeededRandom(seed: 99),
            at: pair.now
        )
        let ids = try pair.openSession()
        let data = ChannelTests.pattern(300_000, 7)
        pair.clientProgram.send(data, on: ids.client, over: &pair.client)
        pair.serverProgram.send(data, on: ids.server, over: &pair.server)
        try pair.run()
        pair.server.rekeyNow()
        try pair.run()
        #expect(pair.serverProgram.received[ids.server.number] == data)
        #expect(pair.clientProgram.received[ids.client.number] == data)
        let exchanges = pair.exchanges
        #expect(exchanges == 2)
        let user = pair.server.authenticatedUser
        #expect(user == "alice")
    }

    @Test(
        "It goes on with every kind of cipher, and renews its keys",
        arguments: [
            "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-cbc",
        ]
    )
    func continues(cipher: String) throws {
        try run(cipher: cipher)
    }

    @Test("Before the user is in there is nothing to hand over")
    func tooEarly() throws {
        var pair = try ConnectionPair()
        try pair.run()
        let handover = pair.server.handOver()
        #expect(handover == nil)
    }

    @Test("Bytes that are not whole are refused at every length")
    func truncated() throws {
        var pair = try ConnectionPair.authenticated()
        let handover = pair.server.handOver()
        let whole = try #require(handover).exposed
        let options = pair.serverOptions
        for count in 0..<whole.count {
            #expect(throws: WireError.self) {
                _ = try ServerConnection.continuing(
                    SecretBytes(Array(whole.prefix(count))),
                    options,
                    random: SeededRandom(seed: 1),
                    at: Instant(nanoseconds: 0)
                )
            }
        }
    }
}
