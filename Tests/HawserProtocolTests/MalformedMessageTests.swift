// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Messages that no honest peer sends")
struct MalformedMessageTests {
    /// One well-formed message of every number from 80 up, for a server with channel 0 open.
    static var connectionMessages: [[UInt8]] {
        let endpoints = TCPIPEndpoints(
            host: "h",
            port: 1,
            originatorAddress: "o",
            originatorPort: 2
        )
        let openings: [ChannelOpening] = [
            .session, .directTCPIP(endpoints), .forwardedTCPIP(endpoints),
            .directStreamLocal(path: "/p"), .forwardedStreamLocal(path: "/p"),
            .x11(originatorAddress: "a", originatorPort: 1), .agent(name: .openSSH),
            .agent(name: .standard), .tunnel(mode: .ethernet, unit: 1),
            .other(type: "t", data: [1]),
        ]
        let size = TerminalSize(columns: 80, rows: 24)
        let modes = TerminalModes([.init(.echo, 1), .init(.inputSpeed, 9600)])
        let requests: [ChannelRequest] = [
            .pseudoTerminal(PseudoTerminalRequest(term: "vt100", size: size, modes: modes)),
            .x11Forwarding(
                X11ForwardingRequest(
                    singleConnection: false,
                    authenticationProtocol: "p",
                    authenticationCookie: "c",
                    screen: 0
                )
            ),
            .agentForwarding, .environment(name: "A", value: [66]), .shell,
            .exec(command: [1]), .subsystem(name: "sftp"), .windowChange(size),
            .flowControl(clientCanDo: true), .signal(name: "TERM"), .serialBreak(milliseconds: 1),
            .exitStatus(1), .exitSignal(ExitSignal(name: "KILL", coreDumped: false)), .endOfWrite,
            .keepAlive, .other(type: "t", data: []),
        ]
        let globals: [GlobalRequest] = [
            .tcpipForward(address: "a", port: 1), .cancelTCPIPForward(address: "a", port: 1),
            .streamLocalForward(path: "/p"), .cancelStreamLocalForward(path: "/p"), .keepAlive,
            .noMoreSessions, .hostKeys([[1], [2]]), .proveHostKeys([[1]]),
            .other(name: "n", data: [1]),
        ]
        var messages: [[UInt8]] = []
        for opening in openings {
            messages.append(
                ChannelOpen(
                    opening: opening,
                    senderChannel: 7,
                    initialWindowBytes: 100,
                    maximumPacketBytes: 100
                ).payload
            )
        }
        for request in requests {
            messages.append(
                ChannelRequestMessage(recipientChannel: 0, wantReply: true, request: request)
                    .payload
            )
        }
        for request in globals {
            messages.append(GlobalRequestMessage(wantReply: true, request: request).payload)
        }
        messages += [
            [81, 0, 0, 0, 22], [82],
            ChannelOpenConfirmation(
                recipientChannel: 0,
                senderChannel: 1,
                initialWindowBytes: 2,
                maximumPacketBytes: 3
            ).payload,
            ChannelOpenFailure(recipientChannel: 0, reason: .connectFailed, message: "m").payload,
            [93, 0, 0, 0, 0, 0, 0, 1, 0], [94, 0, 0, 0, 0, 0, 0, 0, 2, 65, 66],
            [95, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 65], [96, 0, 0, 0, 0], [97, 0, 0, 0, 0],
            [99, 0, 0, 0, 0], [100, 0, 0, 0, 0],
        ]
        return messages
    }

    /// What a server with an open channel makes of one payload: an error, or nothing bad.
    private func outcome(of payload: [UInt8]) throws -> ProtocolError? {
        var pair = try ConnectionPair.authenticated()
        _ = try pair.openSession()
        pair.client.core.send(payload: payload)
        do { try pair.run() } catch let error as ProtocolError { return error }
        return nil
    }

    @Test("Every message of RFC 4254, cut at every length, is refused or ignored, never a trap")
    func truncated() throws {
        for message in Self.connectionMessages {
            _ = try outcome(of: message)
            for count in 1..<message.count {
                let error = try outcome(of: Array(message.prefix(count)))
                let isOptionalTail = message[0] == 81 || message[0] == 92 || message[0] == 91
                let isUnknown =
                    message.contains(UInt8(ascii: "t")) || message.contains(UInt8(ascii: "n"))
                if error == nil, !isOptionalTail, !isUnknown {
                    Issue.record("message \(message) cut to \(count) bytes was taken")
                }
            }
        }
    }

    @Test("Messages with random bytes changed never trap", arguments: [UInt64(1), 2, 3])
    func mutated(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let messages = Self.connectionMessages
        var pair = try ConnectionPair.authenticated(seed: seed)
        _ = try pair.openSession()
        for _ in 0..<500 {
            var message = messages[Int(random.uniform(below: UInt32(messages.count)))]
            for _ in 0...random.uniform(below: 3) {
                let place = Int(random.uniform(below: UInt32(message.count)))
                message[place] = UInt8(random.uniform(below: 256))
            }
            pair.client.core.send(payload: message)
            do { try pair.run() } catch is ProtocolError {
                pair = try ConnectionPair.authenticated(seed: seed)
                _ = try pair.openSession()
            }
        }
    }

    @Test("Who asks without taking the answers is not read any further")
    func floods() throws {
        var pair = try ConnectionPair.authenticated()
        _ = try pair.openSession()
        let request = ChannelRequestMessage(
            recipientChannel: 0,
            wantReply: true,
            request: .other(type: "x", data: [])
        ).payload
        var highest = 0
        for _ in 0..<300 {
            for _ in 0..<500 { pair.client.core.send(payload: request) }
            while !pair.client.output.isEmpty {
                let wantsInput = pair.server.wantsInput
                guard wantsInput else { break }
                let bytes = TransportPair.take(&pair.client.output, 65536)
                TransportPair.give(bytes, to: &pair.server.core.transport)
                while try pair.server.nextEvent(at: pair.now) != nil {}
            }
            highest = max(highest, pair.server.output.count)
        }
        #expect(highest < ConnectionLimits.outputBytes + 1024)
        #expect(highest >= ConnectionLimits.outputBytes)
        let wantsInput = pair.server.wantsInput
        #expect(!wantsInput)
    }

    @Test("A byte too many is refused where a message has a fixed form")
    func trailing() throws {
        for number: UInt8 in [93, 96, 97, 99, 100] {
            let fields: [UInt8] = number == 93 ? [0, 0, 0, 0, 0, 0, 0, 1] : [0, 0, 0, 0]
            let error = try outcome(of: [number] + fields + [0])
            #expect(error != nil)
        }
    }

    @Test(
        "What is not for an open channel, or more than it may be, is a protocol error",
        arguments: [
            [94, 0, 0, 0, 9, 0, 0, 0, 1, 65],  // a channel that never was
            [93, 0, 0, 0, 9, 0, 0, 0, 1],
            [97, 0xff, 0xff, 0xff, 0xff],
            [98, 0, 0, 0, 9, 0, 0, 0, 5, 115, 104, 101, 108, 108, 0],
            [93, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],  // a window beyond 2^32-1
            [91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],  // nobody asked
            [92, 0, 0, 0, 0, 0, 0, 0, 1],
        ] as [[UInt8]]
    )
    func misdirected(payload: [UInt8]) throws {
        let error = try outcome(of: payload)
        #expect(error != nil)
    }

    @Test("Data beyond the window is a protocol error")
    func beyondWindow() throws {
        var pair = try ConnectionPair.authenticated()
        _ = try pair.openSession()
        pair.serverProgram.drains = false
        var message: [UInt8] = [94, 0, 0, 0, 0, 0, 0, 0x80, 0]
        message += [UInt8](repeating: 0, count: 32768)
        var failure: ProtocolError?
        for _ in 0..<65 where failure == nil {
            pair.client.core.send(payload: message)
            do { try pair.run() } catch let error as ProtocolError { failure = error }
        }
        let held = pair.serverProgram.held
        #expect(failure != nil)
        #expect(held == ConnectionLimits.initialWindowBytes)
    }

    @Test("Data after end of file is a protocol error")
    func afterEOF() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        pair.client.sendEOF(on: ids.client)
        pair.client.core.send(payload: [94, 0, 0, 0, 0, 0, 0, 0, 1, 65])
        #expect(throws: ProtocolError.self) { try pair.run() }
    }

    @Test("Requests that nobody answers are bounded")
    func unanswered() throws {
        var pair = try ConnectionPair.authenticated()
        let ids = try pair.openSession()
        for _ in 0...ConnectionLimits.unansweredRequests {
            pair.client.request(.shell, on: ids.client, wantReply: true)
        }
        #expect(throws: ProtocolError.self) { try pair.run() }
    }

    @Test("No message of RFC 4254 gets through before the user is in")
    func beforeAuthentication() throws {
        for message in Self.connectionMessages {
            var pair = try ConnectionPair()
            try pair.run()
            pair.client.core.send(payload: message)
            #expect(throws: ProtocolError.self) { try pair.run() }
        }
    }

    @Test("After no-more-sessions, a session ends the connection")
    func noMoreSessions() throws {
        var pair = try ConnectionPair.authenticated()
        pair.client.requestGlobal(.noMoreSessions, wantReply: false)
        _ = pair.client.openChannel(.session)
        #expect(throws: ProtocolError.self) { try pair.run() }
    }

    @Test("Authentication messages cut at every length never trap, and user and service are fixed")
    func authentication() throws {
        var machine = ClientAuthentication(user: "alice", sessionIdentifier: [1])
        var messages = machine.begin()
        let offer = ClientAuthentication.PublicKeyOffer(
            algorithm: "a",
            keyBlob: [1],
            boundHostKey: [5]
        )
        for bound in [nil, [5]] as [[UInt8]?] {
            for isSigned in [false, true] {
                var writer = WireWriter()
                SignedRequest.writePublicKeyRequest(
                    into: &writer,
                    user: Array("alice".utf8),
                    service: "ssh-connection",
                    algorithm: offer.algorithm,
                    keyBlob: offer.keyBlob,
                    boundHostKey: bound,
                    isSigned: isSigned
                )
                if isSigned { writer.write(string: [4]) }
                messages.append(writer.take())
            }
        }
        messages.append([61, 0, 0, 0, 1, 0, 0, 0, 1, 65])
        let serviceRequest = messages.removeFirst()
        for message in messages {
            for count in 1...message.count {
                var server = ServerAuthentication(sessionIdentifier: [1], hostKeyBlob: [5])
                _ = try server.receive(.serviceRequest, serviceRequest.rawBytes)
                let number = MessageNumber(rawValue: message[0])
                let part = Array(message.prefix(count))
                let step = try? server.receive(number, part.rawBytes)
                #expect((step != nil) == (count == message.count && message[0] == 50))
            }
        }
    }
}

@Suite("What a client may not change")
struct FixedUserTests {
    private func request(_ user: String, _ service: String) -> [UInt8] {
        var writer = WireWriter()
        writer.write(byte: 50)
        writer.write(text: user)
        writer.write(text: service)
        writer.write(text: "none")
        return writer.take()
    }

    @Test("A second user name or another service ends the connection")
    func fixed() throws {
        for (user, service) in [("bob", "ssh-connection"), ("alice", "ssh-other")] {
            var server = ServerAuthentication(sessionIdentifier: [1], hostKeyBlob: [5])
            _ = try server.receive(
                .serviceRequest,
                ServiceMessage.payload(.serviceRequest, "ssh-userauth").rawBytes
            )
            _ = try server.receive(.userauthRequest, request("alice", "ssh-connection").rawBytes)
            _ = server.refuse(methods: ["password"])
            let next = request(user, service)
            #expect(throws: ProtocolError.self) {
                try server.receive(.userauthRequest, next.rawBytes)
            }
        }
    }
}
