// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserLog
import HawserWire
import Testing

@testable import HawserAgent

/// An agent under a clock of the test's own.
struct TestAgent {
    var server: AgentServer
    var seconds: UInt64 = 1000
    var bindings = ConnectionBindings()

    init(_ change: (inout AgentServer.Options) -> Void = { _ in }) {
        var options = AgentServer.Options()
        change(&options)
        server = AgentServer(
            options: options,
            log: .none,
            random: SeededRandom(seed: 3),
            canonicalPath: { $0.hasPrefix("/") ? $0 : nil }
        )
    }

    var moment: AgentMoment {
        AgentMoment(nanoseconds: seconds * 1_000_000_000, epochSeconds: 1_700_000_000 + seconds)
    }

    mutating func step(_ request: AgentRequest) -> AgentStep {
        server.receive(
            Array(request.frame.dropFirst(4)).rawBytes,
            bindings: &bindings,
            at: moment
        )
    }

    /// The answer, when there is one at once.
    mutating func ask(_ request: AgentRequest) -> AgentReply? {
        if case .reply(let reply) = step(request) { reply } else { nil }
    }

    mutating func list() -> [[UInt8]] {
        guard case .identities(let keys)? = ask(.identities) else { return [] }
        return keys.map(\.keyBlob)
    }
}

@Suite("An agent's keys: RFC 9987")
struct AgentServerTests {
    private let key: PrivateKey
    private let other: PrivateKey

    init() throws {
        key = try AgentMessagesTests.key(1)
        other = try AgentMessagesTests.key(2)
    }

    @Test("Keys are added, listed in order, replaced in place and removed")
    func addAndRemove() {
        var agent = TestAgent()
        #expect(agent.ask(.add(key, KeyConstraints())) == .success)
        #expect(agent.ask(.add(other, KeyConstraints())) == .success)
        #expect(agent.ask(.add(key.commented([0x78]), KeyConstraints())) == .success)
        #expect(agent.list() == [key.publicKey.blob, other.publicKey.blob])
        #expect(agent.ask(.remove(keyBlob: key.publicKey.blob)) == .success)
        #expect(agent.ask(.remove(keyBlob: key.publicKey.blob)) == .failure)
        #expect(agent.list() == [other.publicKey.blob])
        #expect(agent.ask(.removeAll) == .success)
        #expect(agent.list().isEmpty)
    }

    @Test("A key is forgotten when its time is over, not before")
    func lifetime() {
        var agent = TestAgent { $0.defaultLifetimeSeconds = 50 }
        var constraints = KeyConstraints()
        constraints.lifetimeSeconds = 10
        _ = agent.ask(.add(key, constraints))
        _ = agent.ask(.add(other, KeyConstraints()))
        #expect(agent.server.deadline == 1_010 * 1_000_000_000)
        agent.seconds += 9
        #expect(agent.list().count == 2)
        agent.seconds += 1
        #expect(agent.list() == [other.publicKey.blob])
        agent.seconds += 40
        #expect(agent.list().isEmpty)
    }

    @Test(
        "The flags choose the hash of an RSA signature, RFC 8332",
        arguments: [
            (0 as UInt32, "ssh-rsa"), (2, "rsa-sha2-256"), (4, "rsa-sha2-512"), (6, "rsa-sha2-256"),
        ]
    )
    func flags(flags: UInt32, name: String) throws {
        var agent = TestAgent()
        let rsa = try AgentMessagesTests.key(3, .rsa(bits: 1024))
        _ = agent.ask(.add(rsa, KeyConstraints()))
        let request = AgentRequest.sign(keyBlob: rsa.publicKey.blob, data: [1], flags: flags)
        guard case .signature(let blob)? = agent.ask(request) else {
            Issue.record("no signature")
            return
        }
        #expect(try Signature(blob: blob.rawBytes).algorithm.name == name)
        try rsa.publicKey.verify(signature: blob, over: [1].rawBytes, allowing: [name])
    }

    @Test("A locked agent shows nothing, does nothing, and opens for its passphrase alone")
    func locking() {
        var agent = TestAgent()
        _ = agent.ask(.add(key, KeyConstraints()))
        let word = SecretBytes(Array("word".utf8))
        #expect(agent.ask(.unlock(word)) == .failure)
        #expect(agent.ask(.lock(word)) == .success)
        #expect(agent.ask(.lock(word)) == .failure)
        #expect(agent.list().isEmpty)
        #expect(agent.ask(.removeAll) == .failure)
        #expect(agent.ask(.query) == .failure)
        let sign = AgentRequest.sign(keyBlob: key.publicKey.blob, data: [1], flags: 0)
        #expect(agent.ask(sign) == .failure)
        for attempt in 1...3 as ClosedRange<UInt64> {
            guard
                case .laterReply(.failure, let delay) = agent.step(
                    .unlock(SecretBytes(Array("wrong".utf8)))
                )
            else {
                Issue.record("answered at once")
                return
            }
            #expect(delay == attempt * 100_000_000)
            // Until then no attempt is looked at, over whichever connection it comes.
            let due = agent.moment.nanoseconds + delay
            for guess in [word, SecretBytes(Array("wrong".utf8))] {
                guard case .again(due) = agent.step(.unlock(guess)) else {
                    Issue.record("looked at too early")
                    return
                }
            }
            agent.seconds += 1
        }
        #expect(agent.ask(.unlock(word)) == .success)
        #expect(agent.list() == [key.publicKey.blob])
    }

    @Test("A key that needs confirmation signs after it, and not without it")
    func confirmation() throws {
        var agent = TestAgent()
        var constraints = KeyConstraints()
        constraints.confirms = true
        _ = agent.ask(.add(key, constraints))
        let request = AgentRequest.sign(keyBlob: key.publicKey.blob, data: [9], flags: 0)
        guard case .confirm(let pending, let question) = agent.step(request) else {
            Issue.record("not asked")
            return
        }
        #expect(question == "Allow use of key c?\nKey fingerprint \(key.publicKey.fingerprint()).")
        let moment = agent.moment
        guard case .reply(.failure) = agent.server.confirmed(pending, isGranted: false, at: moment),
            case .reply(.signature(let blob)) = agent.server.confirmed(
                pending,
                isGranted: true,
                at: moment
            )
        else {
            Issue.record("another answer")
            return
        }
        try key.publicKey.verify(signature: blob, over: [9].rawBytes)
        // A key that was removed while the user thought does not sign.
        _ = agent.ask(.removeAll)
        guard case .reply(.failure) = agent.server.confirmed(pending, isGranted: true, at: moment)
        else {
            Issue.record("signed with a key that is gone")
            return
        }
    }

    @Test("Libraries are loaded from allowed places only, and not for remote clients")
    func providers() throws {
        var agent = TestAgent()
        let pin = SecretBytes([])
        func request(_ path: String) -> AgentRequest {
            .addProvider(path: path, pin: pin, KeyConstraints())
        }
        guard case .loadProvider(let accepted) = agent.step(request("/usr/lib64/x/p11.so")) else {
            Issue.record("refused")
            return
        }
        #expect(accepted.path == "/usr/lib64/x/p11.so")
        #expect(agent.ask(request("/tmp/p11.so")) == .failure)
        #expect(agent.ask(request("p11.so")) == .failure)
        let moment = agent.moment
        let found = [(key: key.publicKey, label: Array("slot".utf8))]
        #expect(agent.server.providerLoaded(accepted, keys: found, at: moment) == .success)
        #expect(agent.list() == [key.publicKey.blob])
        guard
            case .signInProvider(let path, let asked, _, _) = agent.step(
                .sign(keyBlob: key.publicKey.blob, data: [1], flags: 0)
            )
        else {
            Issue.record("not the token's")
            return
        }
        #expect(path == accepted.path)
        #expect(asked == key.publicKey)
        #expect(agent.server.providerUnloaded(path: path, wasLoaded: true) == .success)
        #expect(agent.list().isEmpty)
        agent.bindings.noteAttempt()
        #expect(agent.ask(request("/usr/lib64/x/p11.so")) == .failure)
        agent.server.options.allowsRemoteProviders = true
        guard case .loadProvider = agent.step(request("/usr/lib64/x/p11.so")) else {
            Issue.record("refused although allowed")
            return
        }
    }
}
