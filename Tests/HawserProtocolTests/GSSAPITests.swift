// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("gssapi-with-mic, RFC 4462 §3")
struct GSSAPITests {
    /// What both programs of a login see.
    final class Notes {
        var requests: [AuthenticationRequest.Method] = []
        var answers: [GSSAPIAnswer] = []
    }

    /// A login in which tokens are `T1` and `T2`, and `MIC` is right.
    private func login(
        _ pair: inout ConnectionPair,
        _ notes: Notes,
        server judge: @escaping (inout ServerConnection, GSSAPIRequest) -> Void
    ) throws {
        pair.client.authenticate(user: "alice")
        try pair.run(
            client: { client, event in
                switch event {
                case .authenticationMethods(["gssapi-with-mic"], partialSuccess: false):
                    client.authenticateGSSAPI([.kerberos5])
                case .gssapi(let answer):
                    notes.answers.append(answer)
                    switch answer {
                    case .mechanism: client.sendGSSAPIToken(Array("T1".utf8), isLast: false)
                    case .token: client.provideGSSAPICode(client.gssapiSignedData)
                    case .errorToken, .error: break
                    }
                default: break
                }
            },
            server: { server, event in
                guard case .authenticationRequested(let request) = event else { return }
                notes.requests.append(request.method)
                guard case .gssapi(let step) = request.method else {
                    return server.refuseAuthentication(methods: ["gssapi-with-mic"])
                }
                judge(&server, step)
            }
        )
    }

    @Test("Mechanism, token, token, code, and the user is in; the code names the session")
    func success() throws {
        var pair = try ConnectionPair()
        let notes = Notes()
        try login(&pair, notes) { server, step in
            switch step {
            case .mechanisms(let list): server.answerGSSAPI(.mechanism(list[0]))
            case .token: server.answerGSSAPI(.token(Array("T2".utf8)))
            case .messageIntegrityCode: server.acceptAuthentication()
            case .exchangeComplete: Issue.record("not asked for")
            }
        }
        let identifier = pair.server.sessionIdentifier
        let signed = SignedRequest.gssapi(
            sessionIdentifier: identifier,
            user: Array("alice".utf8),
            service: "ssh-connection"
        )
        // RFC 4462 §3.5, field by field.
        var expected = WireWriter()
        expected.write(string: identifier)
        expected.write(byte: 50)
        for text in ["alice", "ssh-connection", "gssapi-with-mic"] { expected.write(text: text) }
        #expect(signed == expected.take())
        #expect(
            notes.requests == [
                .none, .gssapi(.mechanisms([.kerberos5])), .gssapi(.token(Array("T1".utf8))),
                .gssapi(.messageIntegrityCode(signed)),
            ]
        )
        #expect(notes.answers == [.mechanism(.kerberos5), .token(Array("T2".utf8))])
        #expect(pair.clientProgram.events.last == "authenticated")
    }

    @Test("An error token and an error are news; the refusal follows")
    func failure() throws {
        var pair = try ConnectionPair()
        let notes = Notes()
        let message = GSSAPIErrorMessage(majorStatus: 0xd0000, minorStatus: 7, message: "no")
        try login(&pair, notes) { server, step in
            guard case .token = step else {
                return server.answerGSSAPI(.mechanism(.kerberos5))
            }
            server.answerGSSAPI(.error(message))
            server.answerGSSAPI(.errorToken([1, 2]))
            server.refuseAuthentication(methods: ["password"])
        }
        #expect(
            notes.answers == [.mechanism(.kerberos5), .error(message), .errorToken([1, 2])]
        )
        let failures = pair.server.authenticationFailures
        #expect(failures == 1)
    }

    @Test("Neither a list of mechanisms nor a token can let anyone in")
    func early() throws {
        for step in [GSSAPIRequest.mechanisms([.kerberos5]), .token([1])] {
            var pair = try ConnectionPair()
            let notes = Notes()
            var accepted: [Bool] = []
            try login(&pair, notes) { server, request in
                if request == step || step == .token([1]) && request != .mechanisms([.kerberos5]) {
                    accepted.append(server.acceptAuthentication())
                    server.refuseAuthentication(methods: ["password"])
                } else {
                    server.answerGSSAPI(.mechanism(.kerberos5))
                }
            }
            #expect(accepted == [false])
        }
    }

    @Test("Identifiers are those of DER with a length of one byte")
    func identifiers() {
        // RFC 4462 §3.2: tag and length are sent.
        let kerberos: [UInt8] = [6, 9, 42, 134, 72, 134, 247, 18, 1, 2, 2]
        #expect(GSSMechanism(encoding: kerberos) == .kerberos5)
        #expect(GSSMechanism.kerberos5.encoding == kerberos)
        for count in 0..<kerberos.count {
            #expect(GSSMechanism(encoding: Array(kerberos.prefix(count))) == nil)
        }
        #expect(GSSMechanism(encoding: kerberos + [0]) == nil)
        #expect(GSSMechanism(encoding: [6, 0]) == nil)
        #expect(GSSMechanism(encoding: [4, 1, 1]) == nil)
        #expect(GSSMechanism(encoding: [6, 128] + [UInt8](repeating: 1, count: 128)) == nil)
    }

    // MARK: Messages that no honest peer sends

    /// A server that awaits a token.
    private func server(awaitingToken: Bool = true) throws -> ServerAuthentication {
        var server = ServerAuthentication(sessionIdentifier: [1], hostKeyBlob: [2])
        _ = try server.receive(.serviceRequest, ServiceMessage.request.rawBytes)
        guard awaitingToken else { return server }
        _ = try server.receive(.userauthRequest, Self.request.rawBytes)
        #expect(server.answer(.mechanism(.kerberos5)) != nil)
        return server
    }

    private static var request: [UInt8] {
        var writer = WireWriter()
        writer.write(byte: 50)
        for text in ["alice", "ssh-connection", "gssapi-with-mic"] { writer.write(text: text) }
        GSSAPIMessage.write([.kerberos5, GSSMechanism(identifier: [1])], into: &writer)
        return writer.take()
    }

    @Test("Every message to a server, cut at every length, is refused")
    func truncatedToServer() throws {
        let messages: [([UInt8], awaitsToken: Bool)] = [
            (Self.request, false), ([61, 0, 0, 0, 2, 1, 2], true), ([66, 0, 0, 0, 1, 9], true),
            ([65, 0, 0, 0, 1, 9], true),
        ]
        for (message, awaitsToken) in messages {
            let number = MessageNumber(rawValue: message[0])
            var whole = try server(awaitingToken: awaitsToken)
            _ = try whole.receive(number, message.rawBytes)
            for count in 1..<message.count {
                var server = try server(awaitingToken: awaitsToken)
                #expect(throws: ProtocolError.self) {
                    _ = try server.receive(number, Array(message.prefix(count)).rawBytes)
                }
            }
            var longer = try server(awaitingToken: awaitsToken)
            #expect(throws: ProtocolError.self) {
                _ = try longer.receive(number, (message + [0]).rawBytes)
            }
        }
    }

    @Test("Without a mechanism that was chosen, its messages are out of turn")
    func outOfTurn() throws {
        for number: UInt8 in [61, 63, 65, 66] {
            var server = try server(awaitingToken: false)
            #expect(throws: ProtocolError.self) {
                _ = try server.receive(
                    MessageNumber(rawValue: number),
                    [number, 0, 0, 0, 0].rawBytes
                )
            }
        }
    }

    @Test("After a client's error token another request is awaited, and nothing is sent")
    func clientFails() throws {
        var server = try server()
        let step = try server.receive(.userauthGSSAPIErrorToken, [65, 0, 0, 0, 1, 9].rawBytes)
        #expect(step == .ignore)
        #expect(server.state == .awaitingRequest)
    }

    @Test("A peer that sends tokens without end is stopped")
    func endless() throws {
        var server = try server()
        for _ in 0..<ConnectionLimits.gssapiTokens {
            _ = try server.receive(.userauthMethod61, [61, 0, 0, 0, 1, 9].rawBytes)
            _ = server.answer(.token([1]))
        }
        #expect(throws: ProtocolError.self) {
            _ = try server.receive(.userauthMethod61, [61, 0, 0, 0, 1, 9].rawBytes)
        }
        var client = try client(at: .token)
        for _ in 0..<ConnectionLimits.gssapiTokens {
            _ = try client.receive(.userauthMethod61, [61, 0, 0, 0, 1, 9].rawBytes)
            _ = client.sendGSSAPIToken([1], isLast: false)
        }
        #expect(throws: ProtocolError.self) {
            _ = try client.receive(.userauthMethod61, [61, 0, 0, 0, 1, 9].rawBytes)
        }
    }

    enum Place { case mechanism, token, code }

    /// A client that awaits a mechanism, a token or the decision.
    private func client(at place: Place) throws -> ClientAuthentication {
        var client = ClientAuthentication(user: "alice", sessionIdentifier: [1])
        _ = client.begin()
        _ = try client.receive(.serviceAccept, [6].rawBytes)
        let failure = AuthenticationFailure(methods: ["gssapi-with-mic"], partialSuccess: false)
        _ = try client.receive(.userauthFailure, failure.payload.rawBytes)
        _ = client.requestGSSAPI([.kerberos5])
        guard place != .mechanism else { return client }
        let chosen = GSSAPIMessage.payload(.userauthMethod60, GSSMechanism.kerberos5.encoding)
        _ = try client.receive(.userauthMethod60, chosen.rawBytes)
        if place == .token {
            #expect(client.sendGSSAPIToken([1], isLast: false) != nil)
        } else {
            #expect(client.sendGSSAPIToken([1], isLast: true) != nil)
            #expect(client.provideGSSAPICode([2]) != nil)
        }
        return client
    }

    @Test("Every message to a client, cut at every length, is refused")
    func truncatedToClient() throws {
        let error = GSSAPIErrorMessage(majorStatus: 1, minorStatus: 2, message: "m")
        let messages: [([UInt8], Place)] = [
            (GSSAPIMessage.payload(.userauthMethod60, GSSMechanism.kerberos5.encoding), .mechanism),
            ([61, 0, 0, 0, 2, 1, 2], .token), ([65, 0, 0, 0, 1, 9], .token),
            ([65, 0, 0, 0, 1, 9], .code), (error.payload, .mechanism), (error.payload, .code),
        ]
        for (message, place) in messages {
            let number = MessageNumber(rawValue: message[0])
            var whole = try client(at: place)
            _ = try whole.receive(number, message.rawBytes)
            for count in 1..<message.count {
                var client = try client(at: place)
                #expect(throws: ProtocolError.self) {
                    _ = try client.receive(number, Array(message.prefix(count)).rawBytes)
                }
            }
        }
    }

    @Test("A mechanism that was not asked for is refused")
    func otherMechanism() throws {
        var client = try client(at: .mechanism)
        let other = GSSAPIMessage.payload(
            .userauthMethod60,
            GSSMechanism(identifier: [1, 2]).encoding
        )
        #expect(throws: ProtocolError.self) {
            _ = try client.receive(.userauthMethod60, other.rawBytes)
        }
    }
}

extension ServiceMessage {
    fileprivate static var request: [UInt8] { payload(.serviceRequest, authentication) }
}
