// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("A guess at the first key exchange, RFC 4253 §7")
struct KeyExchangeGuessTests {
    private let guess = KeyExchangeGuess(keyExchange: "curve25519-sha256", hostKey: "ssh-ed25519")

    private func pair(
        client: Proposal = TransportPair.proposal(),
        server: Proposal = TransportPair.proposal(),
        serverName: String = "SSH-2.0-OpenSSH_10.5"
    ) throws -> TransportPair {
        try TransportPair(client: client, server: server) {
            if $0.isClient { $0.guess = guess } else { $0.identification = serverName }
        }
    }

    /// The names of the messages in plain packets behind the identification.
    private func messages(_ bytes: [UInt8]) throws -> [MessageNumber] {
        let end = try #require(bytes.firstIndex(of: UInt8(ascii: "\n")))
        var rest = bytes[(end + 1)...]
        var numbers: [MessageNumber] = []
        while rest.count > 5 {
            let count = Int(Array(rest.prefix(4)).rawBytes.bigEndianUInt32(at: 0))
            numbers.append(MessageNumber(rawValue: rest[rest.startIndex + 5]))
            rest = rest.dropFirst(4 + count)
        }
        return numbers
    }

    @Test("The first message goes out with KEXINIT, and the server answers both at once")
    func right() throws {
        var pair = try pair()
        pair.server.startExchange()
        let first = TransportPair.take(&pair.client.output, .max)
        #expect(try messages(first) == [.kexInit, .kexMethod30])
        TransportPair.give(first, to: &pair.server)
        try pair.drainServer()
        let answer = TransportPair.take(&pair.server.output, .max)
        #expect(try messages(answer).starts(with: [.kexInit, .kexMethod31, .newKeys]))
        TransportPair.give(answer, to: &pair.client)
        try pair.run()
        #expect(pair.exchanges == 1)
        #expect(pair.client.sessionIdentifier == pair.server.sessionIdentifier)
        #expect(pair.client.nextGuess == guess)
        pair.client.authenticationSucceeded()
        pair.server.authenticationSucceeded()
        pair.client.rekey()
        try pair.run()
        #expect(pair.exchanges == 2)
    }

    @Test("The server skips a wrong guess, and the exchange goes on without it")
    func wrong() throws {
        let server = TransportPair.proposal(keyExchange: [
            "ecdh-sha2-nistp256", "curve25519-sha256",
        ])
        var pair = try pair(server: server)
        try pair.run()
        #expect(pair.exchanges == 1)
        #expect(pair.client.negotiated?.keyExchange == "curve25519-sha256")
        #expect(pair.client.nextGuess == nil)
    }

    @Test("Of a server that may not skip it, nothing is expected after a wrong guess")
    func unknownServer() throws {
        let server = TransportPair.proposal(keyExchange: [
            "ecdh-sha2-nistp256", "curve25519-sha256",
        ])
        var pair = try pair(server: server, serverName: "SSH-2.0-paramiko_3.4")
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.kind == .wrongGuess)
        #expect(error.reason == nil)
    }

    @Test("A guess does not change which host key is shown")
    func otherHostKey() throws {
        var client = TransportPair.proposal()
        client.hostKey = ["rsa-sha2-512", "ssh-ed25519"]
        var server = TransportPair.proposal()
        server.hostKey = ["ssh-ed25519", "rsa-sha2-512"]
        var pair = try pair(client: client, server: server)
        let error = try #require(throws: ProtocolError.self) { try pair.run() }
        #expect(error.kind == .wrongGuess)
        server.hostKey = ["ssh-ed25519"]
        pair = try self.pair(client: client, server: server)
        try pair.run()
        #expect(pair.client.negotiated?.hostKey == "ssh-ed25519")
        #expect(pair.exchanges == 1)
    }

    @Test(
        "What does not fit the proposal is not guessed",
        arguments: [
            KeyExchangeGuess(keyExchange: "ecdh-sha2-nistp256", hostKey: "ssh-ed25519"),
            KeyExchangeGuess(keyExchange: "curve25519-sha256", hostKey: "ssh-rsa"),
            KeyExchangeGuess(keyExchange: "", hostKey: ""),
        ]
    )
    func unfit(guess: KeyExchangeGuess) throws {
        var pair = try TransportPair { if $0.isClient { $0.guess = guess } }
        #expect(pair.client.hasGuessed == false)
        #expect(pair.client.output.count == "SSH-2.0-client\r\n".utf8.count)
        try pair.run()
        #expect(pair.exchanges == 1)
    }

    @Test("A method that asks for a group first cannot be guessed")
    func groupExchange() throws {
        let name = "diffie-hellman-group-exchange-sha256"
        let proposal = TransportPair.proposal(keyExchange: [name])
        var pair = try TransportPair(client: proposal, server: proposal) {
            guard $0.isClient else { return }
            $0.guess = KeyExchangeGuess(keyExchange: name, hostKey: "ssh-ed25519")
        }
        #expect(pair.client.hasGuessed == false)
        try pair.run()
        #expect(pair.client.nextGuess == nil)
    }
}
