// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserLog
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Negotiation, RFC 4253 §7.1")
struct NegotiationTests {
    private func message(_ proposal: Proposal) -> KexInit {
        KexInit(cookie: [UInt8](repeating: 1, count: 16), proposal: proposal)
    }

    private func proposal(_ change: (inout Proposal) -> Void = { _ in }) -> Proposal {
        var proposal = TransportPair.proposal()
        change(&proposal)
        return proposal
    }

    @Test("The first of the client's names that the server has is chosen, list by list")
    func clientDecides() throws {
        let client = proposal {
            $0.keyExchange = ["curve25519-sha256", "ecdh-sha2-nistp256", "ext-info-c"]
            $0.hostKey = ["rsa-sha2-512", "ssh-ed25519"]
            $0.ciphersToServer = ["aes256-ctr", "aes128-ctr"]
            $0.ciphersToClient = ["aes128-gcm@openssh.com", "3des-cbc"]
            $0.macsToServer = ["hmac-sha1", "umac-64@openssh.com"]
            $0.compressionToClient = ["zlib@openssh.com", "none"]
        }
        let server = proposal {
            $0.keyExchange = ["ecdh-sha2-nistp256", "curve25519-sha256"]
            $0.hostKey = ["ssh-ed25519", "rsa-sha2-256"]
            $0.ciphersToServer = ["aes128-ctr", "aes256-ctr"]
            $0.ciphersToClient = ["3des-cbc"]
            $0.macsToServer = ["umac-64@openssh.com", "hmac-sha1"]
            $0.compressionToClient = ["none", "zlib@openssh.com"]
        }
        for weAreClient in [true, false] {
            let agreed = try Negotiated.agree(
                client: message(client),
                server: message(server),
                weAreClient: weAreClient
            )
            #expect(agreed.keyExchange == "curve25519-sha256")
            #expect(agreed.hostKey == "ssh-ed25519")
            #expect(agreed.toServer.cipher == .aes256CTR)
            #expect(agreed.toServer.mac == .hmacSHA1)
            #expect(agreed.toServer.compression == "none")
            #expect(agreed.toClient.cipher == .tripleDESCBC)
            #expect(agreed.toClient.mac == .hmacSHA256)
            #expect(agreed.toClient.compression == "zlib@openssh.com")
        }
    }

    @Test("A cipher that authenticates by itself needs no MAC in common")
    func implicitMAC() throws {
        let agreed = try Negotiated.agree(
            client: message(proposal { $0.macsToServer = ["hmac-md5"] }),
            server: message(proposal { $0.macsToServer = [] }),
            weAreClient: true
        )
        #expect(agreed.toServer.mac == nil)
    }

    struct Missing: Sendable {
        let what: String
        let change: @Sendable (inout Proposal) -> Void
        let offer: String
    }

    @Test(
        "Nothing in common is said in OpenSSH's words, with the peer's list",
        arguments: [
            Missing(
                what: "key exchange method",
                change: { $0.keyExchange = ["a", "kex-strict-s-v00@openssh.com"] },
                offer: "a,kex-strict-s-v00@openssh.com"
            ),
            Missing(what: "host key type", change: { $0.hostKey = ["a"] }, offer: "a"),
            Missing(what: "cipher", change: { $0.ciphersToClient = ["a", "b"] }, offer: "a,b"),
            Missing(
                what: "MAC",
                change: {
                    $0.ciphersToServer = ["aes128-ctr"]
                    $0.macsToServer = ["a"]
                },
                offer: "a"
            ),
            Missing(
                what: "compression method",
                change: { $0.compressionToServer = [] },
                offer: ""
            ),
        ]
    )
    func nothingInCommon(missing: Missing) throws {
        let ours = proposal {
            $0.ciphersToServer += ["aes128-ctr"]
            $0.keyExchange += ["ext-info-c", "kex-strict-c-v00@openssh.com"]
        }
        let error = try #require(throws: ProtocolError.self) {
            try Negotiated.agree(
                client: message(ours),
                server: message(proposal(missing.change)),
                weAreClient: true
            )
        }
        #expect(error.text == "no matching \(missing.what) found. Their offer: \(missing.offer)")
        #expect(error.kind == .noCommonAlgorithm(what: missing.what, offer: missing.offer))
        #expect(error.reason == .keyExchangeFailed)
    }

    @Test("A marker of either side is never chosen as a method")
    func markers() {
        #expect(throws: ProtocolError.self) {
            try Negotiated.agree(
                client: message(proposal { $0.keyExchange = ["ext-info-c"] }),
                server: message(proposal { $0.keyExchange = ["ext-info-c"] }),
                weAreClient: false
            )
        }
    }

    @Test("KEXINIT is read as it was written, and every truncation is refused")
    func coding() throws {
        let written = message(proposal { $0.keyExchange = ["a", "b"] })
        #expect(try KexInit(payload: written.payload.rawBytes) == written)
        for count in 0..<written.payload.count {
            #expect(throws: WireError.self) {
                try KexInit(payload: Array(written.payload.prefix(count)).rawBytes)
            }
        }
        #expect(throws: WireError.self) {
            try KexInit(payload: (written.payload + [0]).rawBytes)
        }
    }

    /// A client that has guessed: its KEXINIT says that a packet follows.
    private func guess(_ names: [String], isRight: Bool) throws -> [TransportEvent] {
        var pair = try TransportPair()
        var peer = RawPeer()
        var first = message(proposal { $0.keyExchange = names })
        first.firstPacketFollows = true
        peer.say(first)
        let initiator = try KeyAgreementAlgorithm.curve25519.initiate(SeededRandom(seed: 3))
        var value = WireWriter()
        value.write(string: initiator.publicValue)
        if !isRight { peer.say(.kexMethod30, [1, 2, 3]) }
        peer.say(.kexMethod30, value.bytes)
        peer.deliver(to: &pair.server)
        var events: [TransportEvent] = []
        while let event = try pair.server.next(at: pair.now) { events.append(event) }
        return events
    }

    @Test("A right guess is used, and a wrong one is skipped")
    func guesses() throws {
        let right = try guess(["curve25519-sha256"], isRight: true)
        let wrong = try guess(["ecdh-sha2-nistp256", "curve25519-sha256"], isRight: false)
        for events in [right, wrong] {
            guard case .exchangeSignatureNeeded? = events.last else {
                Issue.record("\(events)")
                continue
            }
        }
        // A guess that is right must not be skipped: its packet is malformed here.
        #expect(throws: ProtocolError.self) { try guess(["curve25519-sha256"], isRight: false) }
    }

    @Test("The size of a group goes with the strongest key, as OpenSSH 9.2 asks")
    func groupSizes() throws {
        let table: [(String, String, Int)] = [
            ("aes128-ctr", "umac-64-etm@openssh.com", 3072),
            ("3des-cbc", "umac-64-etm@openssh.com", 3072),
            ("aes192-ctr", "umac-64-etm@openssh.com", 7680),
            ("aes128-ctr", "hmac-sha1", 7680),
            ("3des-cbc", "hmac-sha1", 7680),
            ("aes128-ctr", "hmac-sha2-256", 8192),
            ("aes128-gcm@openssh.com", "hmac-sha2-512", 3072),
            ("aes256-gcm@openssh.com", "hmac-sha2-512", 8192),
            ("chacha20-poly1305@openssh.com", "hmac-sha1", 8192),
        ]
        for (cipher, mac, bits) in table {
            let kept = LogKeeper()
            let proposal = TransportPair.proposal(
                keyExchange: ["diffie-hellman-group-exchange-sha256"],
                ciphers: [cipher],
                macs: [mac]
            )
            var pair = try TransportPair(client: proposal, server: proposal) {
                if $0.isClient { $0.log = Log(level: .debug3, sink: kept) }
            }
            var peer = RawPeer()
            peer.say(message(proposal))
            peer.deliver(to: &pair.client)
            while try pair.client.next(at: pair.now) != nil {}
            #expect(
                kept.texts(.debug1).contains(
                    "SSH2_MSG_KEX_DH_GEX_REQUEST(2048<\(bits)<8192) sent"
                ),
                "\(cipher) \(mac)"
            )
        }
    }
}
