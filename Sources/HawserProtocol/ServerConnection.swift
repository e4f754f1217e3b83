// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserWire

/// The server's end of a connection: what a program drives (see `Connection`).
///
/// `authenticationRequested` asks the program until it accepts; from there on it is channels and
/// global requests. Between the two, the connection can move into another process
/// (`ConnectionHandover`).
package struct ServerConnection: ~Copyable, Connection {
    package var core: ConnectionCore
    var authentication: ServerAuthentication?
    /// How many messages came too early and were dropped.
    private var droppedEarlyMessages = 0
    /// Who the program has let in.
    package var authenticatedUser: String?

    /// A connection that has our identification to send and awaits the client's. `options` are a
    /// server's.
    package init(_ options: TransportOptions, random: any RandomSource, at now: Instant) {
        precondition(!options.isClient)
        self.init(Transport(options, random: random, at: now), at: now)
        // RFC 4253 §4.2: at once. A client whose words pass through someone else first has them half
        // a round trip earlier than if we waited for its identification.
        core.transport.startExchange()
    }

    init(_ transport: consuming Transport, at now: Instant) {
        core = ConnectionCore(transport, at: now)
    }

    /// The master's end of a connection to its proxy client.
    package static func bare(
        _ options: TransportOptions,
        random: any RandomSource,
        at now: Instant
    ) -> ServerConnection {
        var connection = ServerConnection(
            Transport.bare(options, random: random, at: now),
            at: now
        )
        connection.authenticatedUser = ""
        return connection
    }

    /// Lends `received` to `body`, where the connection is part of an object.
    package mutating func withReceived<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(received)
    }

    /// What is to go to the socket: take from its front what the socket took.
    package var output: ByteQueue {
        _read { yield core.transport.output }
        _modify { yield &core.transport.output }
    }

    /// The data of the last event, until the next `nextEvent`.
    package var received: RawSpan {
        @_lifetime(borrow self) get { core.received }
    }

    // MARK: Asked at every turn
    //
    // A second time here, not by way of the protocol, and as what changes the connection although it
    // does not: it is some kilobytes long, and what only reads it is given a copy.

    package var wantsInput: Bool { mutating get { core.wantsInput } }

    package var hasOutput: Bool { mutating get { core.hasOutput } }

    package var deadline: Instant? { mutating get { core.deadline } }

    package var isShared: Bool { mutating get { core.isShared } }

    package mutating func sendableBytes(on id: ChannelID) -> Int { core.sendableBytes(on: id) }

    /// Lets `body` send what is in the output until it sends nothing more; it returns how many bytes
    /// have gone. All of them are counted.
    @discardableResult
    package mutating func sendOutput(_ body: (RawSpan) -> Int) -> Int { core.sendOutput(body) }

    // MARK: Events

    /// What happened next; nil when that needs more bytes, output that has gone, or an answer of
    /// the program to an authentication request.
    package mutating func nextEvent(at now: Instant) throws(ProtocolError) -> ConnectionEvent? {
        core.now = now
        while true {
            if let event = core.nextOwnEvent() { return event }
            if isDecidingAuthentication || core.isOutputFull { return nil }
            guard let event = try core.transport.next(at: now) else { return nil }
            switch event {
            case .message(let number):
                if let event = try receive(number) { return event }
            case .keysExchanged(_, isFirst: true):
                authentication = ServerAuthentication(
                    sessionIdentifier: core.transport.sessionIdentifier,
                    hostKeyBlob: core.transport.hostKey
                )
                return ConnectionEvent(event)
            default:
                return ConnectionEvent(event)
            }
        }
    }

    private mutating func receive(
        _ number: MessageNumber
    ) throws(ProtocolError) -> ConnectionEvent? {
        if authenticatedUser != nil {
            if number == .userauthRequest { return nil }  // to be ignored: RFC 4252 §5.1
            return try core.receive(number)
        }
        guard var machine = authentication else { return nil }
        if machine.user != nil, core.transport.options.earlySessionBytes > 0,
            number.rawValue >= MessageNumber.globalRequest.rawValue
        {
            // They stood behind a request that did not let the user in.
            droppedEarlyMessages += 1
            guard droppedEarlyMessages <= ConnectionLimits.droppedEarlyMessages else {
                throw .violation("too many messages before authentication")
            }
            return nil
        }
        let step = try machine.receive(number, core.transport.payload)
        authentication = machine
        switch step {
        case .event(let request):
            return .authenticationRequested(request)
        case .reply(let payload):
            core.send(payload: payload)
            return nil
        case .ignore:
            return nil
        }
    }

    // MARK: Key exchange

    /// What `exchangeSignatureNeeded` asked for, as a signature blob.
    package mutating func provideExchangeSignature(_ signature: [UInt8]) {
        core.transport.provideExchangeSignature(signature)
    }

    /// What `groupNeeded` asked for; nil when there is no such group, which ends the connection.
    package mutating func provideGroup(_ group: FiniteFieldGroup?) throws(ProtocolError) {
        try core.transport.provideGroup(group)
    }

    // MARK: Authentication

    /// Lets the user in. False, and nothing is sent, unless a request waits that can: a probe of a
    /// key cannot.
    @discardableResult
    package mutating func acceptAuthentication() -> Bool {
        guard let payload = authentication?.accept() else { return false }
        authenticatedUser = authentication?.userName
        core.send(payload: payload)
        core.transport.authenticationSucceeded()
        return true
    }

    /// The method succeeded, but one of `methods` must follow.
    package mutating func acceptAuthenticationPartially(methods: [String]) {
        if let payload = authentication?.acceptPartially(methods: methods) {
            core.send(payload: payload)
        }
    }

    /// The method failed; `methods` can be tried.
    package mutating func refuseAuthentication(methods: [String]) {
        if let payload = authentication?.refuse(methods: methods) { core.send(payload: payload) }
    }

    /// A signature with the probed key would be of use.
    package mutating func acceptPublicKey() {
        if let payload = authentication?.acceptPublicKey() { core.send(payload: payload) }
    }

    /// Asks the user of a `keyboard-interactive` request; the answers come as another
    /// `authenticationRequested`, unless the client turns to another method.
    package mutating func requestInformation(_ request: InformationRequest) {
        if let payload = authentication?.request(request) { core.send(payload: payload) }
    }

    /// The next step of `gssapi-with-mic`; after an error refuse the request.
    package mutating func answerGSSAPI(_ answer: GSSAPIAnswer) {
        if let payload = authentication?.answer(answer) { core.send(payload: payload) }
    }

    /// The password is right but has expired.
    package mutating func requestPasswordChange(prompt: String) {
        if let payload = authentication?.requestPasswordChange(prompt: prompt) {
            core.send(payload: payload)
        }
    }

    /// Text to show before the user is in (RFC 4252 §5.4).
    package mutating func sendBanner(_ text: String) {
        guard authenticatedUser == nil else { return }
        core.send(payload: AuthenticationBanner(message: text).payload)
    }

    /// How many requests have failed so far (`AuthenticationRequest.failures`).
    package var authenticationFailures: Int { authentication?.failures ?? 0 }

    /// A request waits for the program; nothing further is read until it is answered.
    package var isDecidingAuthentication: Bool { authentication?.isDeciding ?? false }
}
