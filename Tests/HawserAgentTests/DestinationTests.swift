// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserWire
import Testing

@testable import HawserAgent

/// Hosts with keys, sessions to them, and logins in those sessions.
struct Network {
    let user: PrivateKey
    private let hosts: [PrivateKey]

    init() throws {
        user = try AgentMessagesTests.key(100)
        hosts = try (200..<204).map { try AgentMessagesTests.key($0) }
    }

    /// The key of the host `a`, `b`, `c` or `d`.
    func host(_ name: String) -> PrivateKey {
        hosts[["a", "b", "c", "d"].firstIndex(of: name) ?? 0]
    }

    func end(_ name: String, user: String = "") -> DestinationConstraint.End {
        DestinationConstraint.End(
            user: user,
            host: name,
            keys: [.init(key: host(name).publicKey, isAuthority: false)]
        )
    }

    func binding(_ name: String, session: UInt8, forwards: Bool) -> SessionBinding {
        let identifier = [UInt8](repeating: session, count: 32)
        return SessionBinding(
            hostKey: host(name).publicKey,
            sessionIdentifier: identifier,
            signature: (try? host(name).sign(identifier.rawBytes)) ?? [],
            isForwarding: forwards
        )
    }

    /// What a client signs to log in: RFC 4252 §7, host-bound when `host` is given.
    func login(session: UInt8, as name: String, host: String? = nil) -> AgentRequest {
        var writer = WireWriter()
        writer.write(string: [UInt8](repeating: session, count: 32))
        writer.write(byte: 50)
        writer.write(text: name)
        writer.write(text: "ssh-connection")
        writer.write(text: host == nil ? "publickey" : "publickey-hostbound-v00@openssh.com")
        writer.write(boolean: true)
        writer.write(text: "ssh-ed25519")
        writer.write(string: user.publicKey.blob)
        if let host { writer.write(string: self.host(host).publicKey.blob) }
        return .sign(keyBlob: user.publicKey.blob, data: writer.take(), flags: 0)
    }

    /// An agent with the key, constrained to `hops`.
    func agent(_ hops: [DestinationConstraint]) -> TestAgent {
        var agent = TestAgent()
        var constraints = KeyConstraints()
        constraints.destinations = hops
        _ = agent.ask(.add(user, constraints))
        return agent
    }
}

@Suite("Keys that are bound to destinations: PROTOCOL.agent")
struct DestinationTests {
    private let net: Network

    init() throws { net = try Network() }

    private func signs(_ agent: inout TestAgent, _ request: AgentRequest) -> Bool {
        if case .signature? = agent.ask(request) { true } else { false }
    }

    @Test("A local client sees the key but cannot use it without saying where")
    func unbound() {
        var agent = net.agent([.init(from: .init(), to: net.end("a"))])
        #expect(agent.list().count == 1)
        #expect(!signs(&agent, net.login(session: 1, as: "u")))
    }

    @Test("The first hop: the right host, session and content only")
    func firstHop() {
        var agent = net.agent([.init(from: .init(), to: net.end("a"))])
        #expect(agent.ask(.bindSession(net.binding("a", session: 1, forwards: false))) == .success)
        #expect(signs(&agent, net.login(session: 1, as: "u")))
        #expect(signs(&agent, net.login(session: 1, as: "u", host: "a")))
        #expect(!signs(&agent, net.login(session: 1, as: "u", host: "b")))
        #expect(!signs(&agent, net.login(session: 2, as: "u")))
        let anything = AgentRequest.sign(keyBlob: net.user.publicKey.blob, data: [1], flags: 0)
        #expect(!signs(&agent, anything))
        agent.bindings = ConnectionBindings()
        #expect(agent.ask(.bindSession(net.binding("b", session: 1, forwards: false))) == .success)
        #expect(!signs(&agent, net.login(session: 1, as: "u")))
        #expect(agent.list().isEmpty)
    }

    @Test(
        "The user's name must match the pattern",
        arguments: [
            ("bob", true), ("bobby", false), ("b*", true), ("*", true), ("", true), ("eve", false),
        ]
    )
    func users(pattern: String, isAllowed: Bool) {
        var agent = net.agent([.init(from: .init(), to: net.end("a", user: pattern))])
        _ = agent.ask(.bindSession(net.binding("a", session: 1, forwards: false)))
        #expect(signs(&agent, net.login(session: 1, as: "bob")) == isAllowed)
    }

    @Test("The question names the user of the login; a comment cannot add lines to it")
    func question() throws {
        var agent = TestAgent()
        var constraints = KeyConstraints()
        constraints.confirms = true
        constraints.destinations = [.init(from: .init(), to: net.end("a"))]
        _ = agent.ask(.add(net.user.commented(Array("x\r\ny".utf8)), constraints))
        _ = agent.ask(.bindSession(net.binding("a", session: 1, forwards: false)))
        guard case .confirm(_, let text) = agent.step(net.login(session: 1, as: "bob")) else {
            Issue.record("not asked")
            return
        }
        #expect(
            text == "Allow use of key x y?\nKey fingerprint \(net.user.publicKey.fingerprint()).\n"
                + "public key authentication request for user \"bob\" to listed host"
        )
    }

    @Test("Every hop of a chain must be permitted, in its order")
    func chain() {
        let hops: [DestinationConstraint] = [
            .init(from: .init(), to: net.end("a")), .init(from: net.end("a"), to: net.end("b")),
            .init(from: net.end("b"), to: net.end("c")),
        ]
        func reach(_ path: [String]) -> (sees: Bool, signs: Bool) {
            var agent = net.agent(hops)
            for (index, host) in path.dropLast().enumerated() {
                let binding = net.binding(host, session: UInt8(index), forwards: true)
                guard agent.ask(.bindSession(binding)) == .success else { return (false, false) }
            }
            let sees = !agent.list().isEmpty
            let last = UInt8(path.count)
            _ = agent.ask(.bindSession(net.binding(path.last!, session: last, forwards: false)))
            let login = net.login(session: last, as: "u", host: path.last!)
            return (sees, signs(&agent, login))
        }
        #expect(reach(["a"]) == (true, true))
        #expect(reach(["a", "b"]) == (true, true))
        #expect(reach(["a", "b", "c"]) == (true, true))
        // c may not pass it on, and nobody may go where no constraint leads.
        #expect(reach(["a", "b", "c", "d"]) == (false, false))
        #expect(reach(["b", "c"]) == (false, false))
        #expect(reach(["a", "c"]) == (true, false))
        #expect(reach(["a", "a"]) == (true, false))
    }

    @Test("Behind the first hop a login must name its host key")
    func hostBound() {
        var agent = net.agent([
            .init(from: .init(), to: net.end("a")), .init(from: net.end("a"), to: net.end("b")),
        ])
        _ = agent.ask(.bindSession(net.binding("a", session: 1, forwards: true)))
        #expect(!signs(&agent, net.login(session: 1, as: "u", host: "a")))
        _ = agent.ask(.bindSession(net.binding("b", session: 2, forwards: false)))
        #expect(!signs(&agent, net.login(session: 2, as: "u")))
        #expect(signs(&agent, net.login(session: 2, as: "u", host: "b")))
    }

    @Test("A binding must be signed by its host key, and must not contradict another")
    func bindings() throws {
        var bindings = ConnectionBindings()
        let good = net.binding("a", session: 1, forwards: true)
        var other = net.host("b").publicKey
        #expect(throws: AgentError.self) {
            try bindings.bind(
                SessionBinding(
                    hostKey: other,
                    sessionIdentifier: good.sessionIdentifier,
                    signature: good.signature,
                    isForwarding: true
                )
            )
        }
        #expect(bindings.wasAttempted)
        #expect(bindings.sessions.isEmpty)
        try bindings.bind(good)
        try bindings.bind(good)
        #expect(bindings.sessions.count == 1)
        other = good.hostKey
        #expect(throws: AgentError.self) {
            try bindings.bind(net.binding("b", session: 1, forwards: true))
        }
        try bindings.bind(net.binding("a", session: 2, forwards: false))
        // Bound to log in: nothing comes after that.
        #expect(throws: AgentError.self) {
            try bindings.bind(net.binding("b", session: 3, forwards: false))
        }
        var many = ConnectionBindings()
        for session in 0..<ConnectionBindings.maximumSessions {
            try many.bind(net.binding("a", session: UInt8(session), forwards: true))
        }
        #expect(throws: AgentError.self) {
            try many.bind(net.binding("a", session: 99, forwards: true))
        }
    }

    @Test("A failed binding hides constrained keys: the client is not a plain local one")
    func failedBinding() {
        var agent = net.agent([.init(from: .init(), to: net.end("a"))])
        let good = net.binding("a", session: 1, forwards: true)
        let forged = SessionBinding(
            hostKey: net.host("b").publicKey,
            sessionIdentifier: good.sessionIdentifier,
            signature: good.signature,
            isForwarding: true
        )
        #expect(agent.ask(.bindSession(forged)) == .failure)
        #expect(agent.list().isEmpty)
        #expect(agent.ask(.remove(keyBlob: net.user.publicKey.blob)) == .failure)
        #expect(agent.ask(.add(net.user, KeyConstraints())) == .failure)
    }

    @Test("A binding that arrives while the agent is locked counts afterwards")
    func bindingWhileLocked() {
        var agent = net.agent([.init(from: .init(), to: net.end("b"))])
        let word = SecretBytes([1])
        _ = agent.ask(.lock(word))
        #expect(agent.ask(.bindSession(net.binding("a", session: 1, forwards: true))) == .success)
        _ = agent.ask(.unlock(word))
        #expect(agent.list().isEmpty)
    }
}
