// SPDX-License-Identifier: Apache-2.0

import HawserProtocol
import HawserWire
import Testing

@Suite("Authentication, RFC 4252")
struct AuthenticationTests {
    /// Runs a login in which the client does what `script` says for each list of methods, and the
    /// server what `judge` says for each request.
    private func login(
        _ pair: inout ConnectionPair,
        user: String = "alice",
        client: @escaping ConnectionPair.ClientHandler,
        server judge: @escaping (inout ServerConnection, AuthenticationRequest) -> Void
    ) throws {
        pair.client.authenticate(user: user)
        try pair.run(
            client: client,
            server: { server, event in
                if case .authenticationRequested(let request) = event { judge(&server, request) }
            }
        )
    }

    @Test("none lets in a user who needs nothing")
    func none() throws {
        var pair = try ConnectionPair()
        var requests: [AuthenticationRequest] = []
        try login(&pair, client: { _, _ in }) { server, request in
            requests.append(request)
            server.acceptAuthentication()
        }
        #expect(pair.clientProgram.events == ["authenticated"])
        #expect(requests.map(\.user) == ["alice"])
        #expect(requests.map(\.method) == [.none])
        let user = pair.server.authenticatedUser
        #expect(user == "alice")
    }

    @Test("A password is tried after none was refused, and may be wrong once")
    func password() throws {
        var pair = try ConnectionPair()
        var passwords = ["wrong", "right"]
        var failures: [Int] = []
        try login(
            &pair,
            client: { client, event in
                guard case .authenticationMethods(let methods, let partial) = event else { return }
                #expect(methods == ["publickey", "password"])
                #expect(!partial)
                client.authenticatePassword(SecretBytes(Array(passwords.removeFirst().utf8)))
            },
            server: { server, request in
                failures.append(request.failures)
                if request.method == .password(SecretBytes(Array("right".utf8)), new: nil) {
                    server.acceptAuthentication()
                } else {
                    server.refuseAuthentication(methods: ["publickey", "password"])
                }
            }
        )
        #expect(pair.clientProgram.events.last == "authenticated")
        #expect(failures == [0, 0, 1])
    }

    @Test("An expired password is changed in the same exchange")
    func passwordChange() throws {
        var pair = try ConnectionPair()
        let old = SecretBytes([1, 2, 3])
        let new = SecretBytes([4, 5])
        try login(
            &pair,
            client: { client, event in
                switch event {
                case .authenticationMethods: client.authenticatePassword(old)
                case .passwordChangeRequested(let prompt):
                    #expect(prompt == "Expired.")
                    client.changePassword(old, to: new)
                default: break
                }
            },
            server: { server, request in
                switch request.method {
                case .password(old, new: nil): server.requestPasswordChange(prompt: "Expired.")
                case .password(old, new: .some(new)): server.acceptAuthentication()
                default: server.refuseAuthentication(methods: ["password"])
                }
            }
        )
        #expect(pair.clientProgram.events.last == "authenticated")
    }

    @Test("A key is signed with after a probe, or at once", arguments: [true, false])
    func publicKey(probing: Bool) throws {
        var pair = try ConnectionPair()
        let key: [UInt8] = [9, 9, 9]
        var signed: [UInt8] = []
        var verified: [UInt8] = []
        var probes = 0
        try login(
            &pair,
            client: { client, event in
                switch event {
                case .authenticationMethods:
                    client.authenticatePublicKey(
                        keyBlob: key,
                        algorithm: "ssh-ed25519",
                        probing: probing
                    )
                case .signatureNeeded(let request):
                    #expect(request.keyBlob == key)
                    signed = request.data
                    client.provideSignature([7, 7])
                default: break
                }
            },
            server: { server, request in
                guard case .publicKey(let attempt) = request.method else {
                    return server.refuseAuthentication(methods: ["publickey"])
                }
                if attempt.signature == nil {
                    probes += 1
                    let accepted = server.acceptAuthentication()
                    #expect(!accepted, "a probe lets nobody in")
                    server.acceptPublicKey()
                } else {
                    #expect(attempt.signature == [7, 7])
                    verified = attempt.signedData
                    server.acceptAuthentication()
                }
            }
        )
        #expect(pair.clientProgram.events.last == "authenticated")
        #expect(probes == (probing ? 1 : 0))
        #expect(!signed.isEmpty)
        #expect(signed == verified)
    }

    @Test("A refused probe leads to the next key without a signature")
    func refusedProbe() throws {
        var pair = try ConnectionPair()
        var keys: [[UInt8]] = [[1], [2]]
        try login(
            &pair,
            client: { client, event in
                switch event {
                case .authenticationMethods where !keys.isEmpty:
                    let key = keys.removeFirst()
                    client.authenticatePublicKey(
                        keyBlob: key,
                        algorithm: "ssh-ed25519",
                        probing: true
                    )
                case .signatureNeeded(let request):
                    #expect(request.keyBlob == [2])
                    client.provideSignature([7])
                default: break
                }
            },
            server: { server, request in
                guard case .publicKey(let attempt) = request.method, attempt.keyBlob == [2] else {
                    return server.refuseAuthentication(methods: ["publickey"])
                }
                if attempt.signature == nil {
                    server.acceptPublicKey()
                } else {
                    #expect(request.failures == 1)
                    server.acceptAuthentication()
                }
            }
        )
        #expect(pair.clientProgram.events.last == "authenticated")
    }

    @Test("keyboard-interactive asks as often as the server wants")
    func keyboardInteractive() throws {
        var pair = try ConnectionPair()
        var rounds = 0
        try login(
            &pair,
            client: { client, event in
                switch event {
                case .authenticationMethods: client.authenticateKeyboardInteractive()
                case .informationRequested(let request):
                    rounds += 1
                    client.answerInformation(
                        request.prompts.map { SecretBytes(Array($0.text.utf8)) }
                    )
                default: break
                }
            },
            server: { server, request in
                switch request.method {
                case .keyboardInteractive:
                    server.requestInformation(
                        InformationRequest(
                            name: "PAM",
                            prompts: [.init(text: "Password: ", echo: false)]
                        )
                    )
                case .keyboardInteractiveResponses(let responses) where responses.count == 1:
                    #expect(responses == [SecretBytes(Array("Password: ".utf8))])
                    server.requestInformation(InformationRequest(prompts: []))
                case .keyboardInteractiveResponses(let responses):
                    #expect(responses.isEmpty)
                    server.acceptAuthentication()
                default: server.refuseAuthentication(methods: ["keyboard-interactive"])
                }
            }
        )
        #expect(rounds == 2)
        #expect(pair.clientProgram.events.last == "authenticated")
    }

    @Test("The wrong number of answers cannot let anybody in")
    func wrongNumberOfAnswers() throws {
        var pair = try ConnectionPair()
        var outcome: Bool?
        try login(
            &pair,
            client: { client, event in
                switch event {
                case .authenticationMethods where outcome == nil:
                    client.authenticateKeyboardInteractive()
                case .informationRequested: client.answerInformation([])
                default: break
                }
            },
            server: { server, request in
                switch request.method {
                case .keyboardInteractive:
                    server.requestInformation(
                        InformationRequest(prompts: [.init(text: "Password: ", echo: false)])
                    )
                case .other:
                    outcome = server.acceptAuthentication()
                    server.refuseAuthentication(methods: ["keyboard-interactive"])
                default: server.refuseAuthentication(methods: ["keyboard-interactive"])
                }
            }
        )
        #expect(outcome == false)
    }

    @Test("Two methods in turn, when the server wants both")
    func partialSuccess() throws {
        var pair = try ConnectionPair()
        var partials: [Bool] = []
        try login(
            &pair,
            client: { client, event in
                guard case .authenticationMethods(let methods, let partial) = event else {
                    if case .signatureNeeded = event { client.provideSignature([1]) }
                    return
                }
                partials.append(partial)
                if methods == ["publickey"] {
                    client.authenticatePublicKey(
                        keyBlob: [1],
                        algorithm: "ssh-ed25519",
                        probing: false
                    )
                } else {
                    client.authenticatePassword(SecretBytes([1]))
                }
            },
            server: { server, request in
                switch request.method {
                case .publicKey: server.acceptAuthenticationPartially(methods: ["password"])
                case .password: server.acceptAuthentication()
                default: server.refuseAuthentication(methods: ["publickey"])
                }
            }
        )
        #expect(partials == [false, true])
        #expect(pair.clientProgram.events.last == "authenticated")
    }

    @Test("A host vouches for its user")
    func hostBased() throws {
        var pair = try ConnectionPair()
        var signed: [UInt8] = []
        try login(
            &pair,
            client: { client, event in
                switch event {
                case .authenticationMethods:
                    client.authenticateHostBased(
                        keyBlob: [3],
                        algorithm: "ssh-ed25519",
                        clientHostName: "client.example.",
                        clientUser: "alice"
                    )
                case .signatureNeeded(let request):
                    signed = request.data
                    client.provideSignature([8])
                default: break
                }
            },
            server: { server, request in
                guard case .hostBased(let attempt) = request.method else {
                    return server.refuseAuthentication(methods: ["hostbased"])
                }
                #expect(attempt.clientHostName == "client.example.")
                #expect(attempt.signature == [8])
                #expect(attempt.signedData == signed)
                server.acceptAuthentication()
            }
        )
        #expect(pair.clientProgram.events.last == "authenticated")
    }

    @Test("A banner is told before the user is in, and not sent afterwards")
    func banner() throws {
        var pair = try ConnectionPair()
        try login(&pair, client: { _, _ in }) { server, _ in
            server.sendBanner("Beware.\n")
            server.acceptAuthentication()
            server.sendBanner("Too late.\n")
        }
        #expect(pair.clientProgram.events == ["banner(\"Beware.\\n\")", "authenticated"])
    }

    @Test("While the program decides, nothing further is read")
    func deciding() throws {
        var pair = try ConnectionPair()
        pair.client.authenticate(user: "alice")
        try pair.run()
        let isDeciding = pair.server.isDecidingAuthentication
        #expect(isDeciding)
        #expect(pair.clientProgram.events.isEmpty)
        pair.server.refuseAuthentication(methods: ["password"])
        try pair.run()
        #expect(pair.clientProgram.events.count == 1)
    }
}
