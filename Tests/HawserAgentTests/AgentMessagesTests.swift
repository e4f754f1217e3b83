// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserWire
import Testing

@testable import HawserAgent

@Suite("Agent messages: RFC 9987")
struct AgentMessagesTests {
    static func key(_ seed: UInt64 = 1, _ kind: PrivateKey.NewKey = .ed25519) throws -> PrivateKey {
        try PrivateKey.generate(kind, comment: Array("c".utf8), random: SeededRandom(seed: seed))
    }

    static func message(_ request: AgentRequest) -> [UInt8] { Array(request.frame.dropFirst(4)) }

    @Test("What is written is read again")
    func roundTrip() throws {
        let key = try Self.key()
        var constraints = KeyConstraints()
        constraints.lifetimeSeconds = 77
        constraints.confirms = true
        constraints.destinations = [
            DestinationConstraint(
                from: .init(),
                to: .init(
                    user: "bob",
                    host: "b",
                    keys: [.init(key: key.publicKey, isAuthority: true)]
                )
            )
        ]
        guard
            case .add(let read, let readConstraints) = try AgentRequest(
                Self.message(.add(key, constraints)).rawBytes
            )
        else {
            Issue.record("another request")
            return
        }
        #expect(read.publicKey == key.publicKey)
        #expect(read.commentBytes == key.commentBytes)
        #expect(readConstraints == constraints)
        // An answer's frame reads as the answer.
        let replies: [AgentReply] = [
            .failure, .success, .signature([1, 2, 3]), .extensions(["query"]),
            .identities([.init(keyBlob: key.publicKey.blob, commentBytes: [0xff])]),
        ]
        for reply in replies {
            #expect(try AgentReply(Array(reply.frame.dropFirst(4)).rawBytes) == reply)
        }
    }

    @Test("Constraints as OpenSSH 9.2's ssh-add sends them (captured)")
    func captured() throws {
        // ssh-add -t 77 -c: lifetime, confirmation.
        let simple: [UInt8] = [1, 0, 0, 0, 77, 2]
        var reader = WireReader(simple.rawBytes)
        let constraints = try KeyConstraints(from: &reader)
        #expect(constraints.lifetimeSeconds == 77)
        #expect(constraints.confirms)
    }

    @Test("Every cut of a message is refused, none traps")
    func cuts() throws {
        var constraints = KeyConstraints()
        constraints.lifetimeSeconds = 1
        let whole = Self.message(.add(try Self.key(), constraints))
        for count in 0..<whole.count where count != whole.count - 5 {
            #expect(throws: AgentError.self) {
                _ = try AgentRequest(Array(whole[..<count]).rawBytes)
            }
        }
    }

    @Test(
        "Every flipped byte is read or refused, none traps",
        arguments: [0x01, 0x80, 0xff] as [UInt8]
    )
    func flips(mask: UInt8) throws {
        let key = try Self.key()
        var constraints = KeyConstraints()
        constraints.destinations = [
            DestinationConstraint(
                from: .init(),
                to: .init(host: "b", keys: [.init(key: key.publicKey, isAuthority: false)])
            )
        ]
        let messages = [
            Self.message(.add(key, constraints)),
            Self.message(.sign(keyBlob: key.publicKey.blob, data: [1, 2], flags: 4)),
            Self.message(
                .bindSession(
                    SessionBinding(
                        hostKey: key.publicKey,
                        sessionIdentifier: [1, 2, 3],
                        signature: [4],
                        isForwarding: true
                    )
                )
            ),
        ]
        for whole in messages {
            for index in whole.indices {
                var changed = whole
                changed[index] ^= mask
                _ = try? AgentRequest(changed.rawBytes)
                _ = try? AgentReply(changed.rawBytes)
            }
        }
    }
}
