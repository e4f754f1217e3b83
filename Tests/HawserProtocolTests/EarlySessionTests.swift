// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Early sessions, docs/protocol/early-session.md, and requests behind `none`, RFC 4252 §5.1")
struct EarlySessionTests {
    /// Takes the password "right" and no other; whether the event was about one.
    private static func judgePassword(
        _ server: inout ServerConnection,
        _ event: ConnectionEvent
    ) -> Bool {
        guard case .authenticationRequested(let request) = event else { return false }
        if request.method == .password(SecretBytes(Array("right".utf8)), new: nil) {
            server.acceptAuthentication()
        } else {
            server.refuseAuthentication(methods: ["password"])
        }
        return true
    }

    /// Opens a session, runs a command and types some bytes into it, while no one is logged in yet;
    /// the client tries `passwords`, of which the server takes "right". Returns how many bytes the
    /// connection took each time.
    @discardableResult
    private func run(
        _ pair: inout ConnectionPair,
        passwords: [String],
        byteCount: Int = 100,
        cut: Int = .max,
        grants: Bool = true
    ) throws -> [Int] {
        var counts: [Int] = []
        var typed = [UInt8](repeating: 7, count: byteCount)
        func type(_ client: inout ClientConnection, _ id: ChannelID) {
            counts.append(client.send(typed.rawBytes, on: id))
            typed.removeFirst(counts[counts.count - 1])
            if typed.isEmpty { client.sendEOF(on: id) } else { client.awaitRoom(on: id) }
        }
        var passwords = passwords
        var hasBegun = false
        pair.client.authenticate(user: "alice")
        try pair.run(
            deliveringAtMost: cut,
            client: { client, event in
                if case .channelWritable(let id) = event { return type(&client, id) }
                guard case .authenticationMethods = event else { return }
                if !hasBegun {
                    hasBegun = true
                    _ = client.beginEarlySession()
                    guard let id = client.openChannel(.session) else { return }
                    client.request(.exec(command: Array("wc".utf8)), on: id, wantReply: true)
                    type(&client, id)
                }
                client.authenticatePassword(SecretBytes(Array(passwords.removeFirst().utf8)))
            },
            server: { server, event in
                if Self.judgePassword(&server, event) { return }
                switch event {
                case .channelOpenRequested(let id, _) where grants: server.confirmChannel(id)
                case .channelOpenRequested(let id, _):
                    server.refuseChannel(id, reason: .connectFailed, message: "open failed")
                case .channelRequest(let id, _, let wantReply):
                    if wantReply { server.answerRequest(on: id, success: true) }
                default: break
                }
            }
        )
        return counts
    }

    @Test(
        "Its messages arrive once, however often the user had to try",
        arguments: [["right"], ["wrong", "right"], ["wrong", "bad", "right"]],
        [Int.max, 5]
    )
    func arrives(passwords: [String], cut: Int) throws {
        var pair = try ConnectionPair(earlySessionBytes: 1 << 16)
        try run(&pair, passwords: passwords, cut: cut)
        let typed = [UInt8](repeating: 7, count: 100)
        #expect(pair.serverProgram.received == [0: typed])
        #expect(pair.serverProgram.channels.count == 1)
        #expect(pair.clientProgram.answers == [true])
        #expect(pair.clientProgram.channels.count == 1)
        #expect(pair.serverProgram.events.filter { $0.contains("EOF") }.count == 1)
    }

    @Test(
        "Much of it arrives once as well",
        arguments: [["right"], ["wrong", "right"], ["wrong", "bad", "right"]],
        [70_000, 1_000_000]
    )
    func much(passwords: [String], byteCount: Int) throws {
        var pair = try ConnectionPair(earlySessionBytes: 2 << 20)
        try run(&pair, passwords: passwords, byteCount: byteCount)
        #expect(pair.serverProgram.received == [0: [UInt8](repeating: 7, count: byteCount)])
        #expect(pair.serverProgram.events.filter { $0.contains("EOF") }.count == 1)
    }

    @Test("Behind a request that follows a refused one goes a beginning, and the rest at the end")
    func messages() {
        let payload = [UInt8](repeating: 7, count: 32 << 10)
        var early = EarlyMessages(windowBytes: 16 << 20)
        func adds() -> Bool { early.add(payload) }
        #expect([adds(), adds()] == [false, false] && !early.hasRoom)
        #expect(early.begin().count == 2 && early.hasRoom)
        #expect([adds(), adds()] == [true, true] && early.rest.isEmpty)
        early.drop()
        #expect(!early.hasRoom && !early.isUnderWay)
        #expect(early.begin().count == 2 && early.rest.count == 2 && !early.hasRoom)
        #expect(!adds() && early.rest.count == 3)
        early.drop()
        #expect(early.rest.count == 5)
    }

    @Test("What was sent on a session that is refused is dropped, and the connection lives")
    func refused() throws {
        var pair = try ConnectionPair(earlySessionBytes: 1 << 16)
        try run(&pair, passwords: ["right"], grants: false)
        #expect(pair.clientProgram.events.contains { $0.contains("channelOpenFailed") })
        #expect(pair.serverProgram.received.isEmpty)
        let opened = try pair.openSession()
        #expect(opened.server.number == 0)
    }

    @Test(
        "A terminal is asked for in the size that it has when the user is let in",
        arguments: [1, 2, 3]
    )
    func terminalSize(tries: Int) throws {
        var pair = try ConnectionPair(earlySessionBytes: 1 << 16)
        var columns: UInt32 = 80
        var left = tries
        var asked: [TerminalSize] = []
        pair.client.authenticate(user: "alice")
        try pair.run(
            client: { client, event in
                guard case .authenticationMethods = event else { return }
                if client.beginEarlySession() {
                    client.followEarlyTerminal { TerminalSize(columns: columns, rows: 24) }
                    guard let id = client.openChannel(.session) else { return }
                    let terminal = PseudoTerminalRequest(
                        term: "vt100",
                        size: TerminalSize(columns: 80, rows: 24),
                        modes: TerminalModes()
                    )
                    client.request(.pseudoTerminal(terminal), on: id, wantReply: true)
                    client.request(.shell, on: id, wantReply: true)
                }
                // While the password is typed.
                columns += 1
                left -= 1
                client.authenticatePassword(
                    SecretBytes(Array((left == 0 ? "right" : "wrong").utf8))
                )
            },
            server: { server, event in
                if Self.judgePassword(&server, event) { return }
                switch event {
                case .channelOpenRequested(let id, _): server.confirmChannel(id)
                case .channelRequest(let id, let request, _):
                    if case .pseudoTerminal(let terminal) = request { asked.append(terminal.size) }
                    server.answerRequest(on: id, success: true)
                default: break
                }
            }
        )
        #expect(asked == [TerminalSize(columns: columns, rows: 24)])
        #expect(columns == 80 + UInt32(tries))
    }

    @Test("No more goes out early than the server allows, the rest follows")
    func bound() throws {
        var pair = try ConnectionPair(earlySessionBytes: 40)
        #expect(try run(&pair, passwords: ["wrong", "right"]) == [40, 60])
        #expect(pair.serverProgram.received == [0: [UInt8](repeating: 7, count: 100)])
    }

    @Test("A server that announces nothing is sent nothing early, and takes nothing early")
    func notAnnounced() throws {
        var pair = try ConnectionPair()
        pair.client.authenticate(user: "alice")
        try pair.run(server: { server, event in
            if case .authenticationRequested = event {
                server.refuseAuthentication(methods: ["password"])
            }
        })
        let begins = pair.client.beginEarlySession()
        #expect(!begins)
        _ = pair.client.openChannel(.session)
        #expect(throws: ProtocolError.self) { try pair.run() }
    }

    @Test("A key behind none is answered after it, and lets the user in")
    func followingNone() throws {
        let key = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: 9))
        let offer = PublicKeyOffer(
            keyBlob: key.publicKey.blob,
            algorithm: "ssh-ed25519",
            bindsHostKey: true
        )
        var pair = try ConnectionPair()
        pair.client.authenticate(user: "alice")
        var methods: [String] = []
        var hasFollowed = false
        try pair.run(
            client: { client, event in
                if case .authenticationMethods = event {
                    let awaits = client.awaitsAuthenticationAnswer
                    #expect(awaits)
                }
            },
            server: { server, event in
                guard case .authenticationRequested(let request) = event else { return }
                methods.append(request.method.name)
                if case .publicKey(let attempt) = request.method {
                    #expect(attempt.signature != nil)
                    server.acceptAuthentication()
                } else if !hasFollowed {
                    hasFollowed = true
                    server.refuseAuthentication(methods: ["publickey"])
                }
            },
            beforeDelivery: { client in
                guard client.mayFollowNone, let request = client.followingRequest(offer) else {
                    return
                }
                guard let signature = try? key.sign(request.data.rawBytes) else { return }
                client.followNone(offer, signature: signature)
            }
        )
        #expect(methods == ["none", "publickey"])
        #expect(pair.clientProgram.events.last == "authenticated")
    }
}
