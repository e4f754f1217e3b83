// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserKeys
package import HawserWire

/// The client's end of a connection: what a program drives (see `Connection`).
///
/// In order: `hostKey` is answered, `authenticate(user:)` is called (before or after that), then
/// `authenticationMethods` asks for a method until `authenticated` comes. From there on it is
/// channels and global requests.
package struct ClientConnection: ~Copyable, Connection {
    package var core: ConnectionCore
    private var authentication: ClientAuthentication?
    /// Whom to authenticate as soon as the keys are there.
    private var waitingUser: String?
    private var isBare = false

    /// A connection that has our identification to send and awaits the server's. `options` are a
    /// client's.
    package init(_ options: TransportOptions, random: any RandomSource, at now: Instant) {
        precondition(options.isClient)
        core = ConnectionCore(Transport(options, random: random, at: now), at: now)
    }

    /// A connection over a master's, as its proxy client: channels and global requests at once.
    package static func bare(
        _ options: TransportOptions,
        random: any RandomSource,
        at now: Instant
    ) -> ClientConnection {
        ClientConnection(bare: Transport.bare(options, random: random, at: now), at: now)
    }

    private init(bare transport: consuming Transport, at now: Instant) {
        core = ConnectionCore(transport, at: now)
        isBare = true
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

    /// Lends `received` to `body`, where the connection is part of an object.
    package func withReceived<Result>(_ body: (RawSpan) -> Result) -> Result { body(received) }

    // MARK: Events

    /// What happened next; nil when that needs more bytes or output that has gone.
    package mutating func nextEvent(at now: Instant) throws(ProtocolError) -> ConnectionEvent? {
        core.now = now
        while true {
            if let event = core.nextOwnEvent() { return event }
            if core.isOutputFull { return nil }
            guard let event = try core.transport.next(at: now) else { return nil }
            switch event {
            case .message(let number):
                if let event = try receive(number) { return event }
            case .hostKeyProven(let key) where !key.isFirst:
                core.transport.acceptHostKey()
            case .keysExchanged(_, isFirst: true):
                beginAuthentication()
                return ConnectionEvent(event)
            default:
                return ConnectionEvent(event)
            }
        }
    }

    private mutating func receive(
        _ number: MessageNumber
    ) throws(ProtocolError) -> ConnectionEvent? {
        if isBare || authentication?.state == .authenticated { return try core.receive(number) }
        guard var machine = authentication else { return nil }
        let step = try machine.receive(number, core.transport.payload)
        authentication = machine
        if step == .event(.authenticated) { core.transport.authenticationSucceeded() }
        switch step {
        case .event(let event): return event
        case .ignore: return nil
        }
    }

    // MARK: Key exchange

    /// The host key is the right one: the connection goes on.
    package mutating func acceptHostKey() {
        core.transport.acceptHostKey()
    }

    /// The host key is not to be trusted: the server is told, and nothing further is read.
    package mutating func rejectHostKey() {
        core.transport.disconnect(.hostKeyNotVerifiable, "Host key verification failed.")
    }

    // MARK: Authentication

    /// Asks for authentication as `user`, beginning with `none`; `authenticationMethods` or
    /// `authenticated` follows. Before the first key exchange is over, it waits for that.
    package mutating func authenticate(user: String) {
        waitingUser = user
        beginAuthentication()
    }

    private mutating func beginAuthentication() {
        guard core.transport.negotiated != nil, authentication == nil, let user = waitingUser else {
            return
        }
        var authentication = ClientAuthentication(
            user: user,
            sessionIdentifier: core.transport.sessionIdentifier
        )
        for payload in authentication.begin() { core.send(payload: payload) }
        self.authentication = authentication
    }

    /// Asks again which methods there are.
    package mutating func authenticateNone() {
        if let payload = authentication?.requestNone() { core.send(payload: payload) }
    }

    /// Tries a key: `signatureNeeded` follows, at once or, with `probing`, when the server would
    /// take a signature of it. Where the server can, the signature names its host key too, so that
    /// an agent knows where the user goes; not with `bindingHostKey` false.
    package mutating func authenticatePublicKey(
        keyBlob: [UInt8],
        algorithm: String,
        probing: Bool,
        bindingHostKey: Bool = true
    ) {
        let offer = ClientAuthentication.PublicKeyOffer(
            algorithm: algorithm,
            keyBlob: keyBlob,
            boundHostKey: bindingHostKey && core.transport.peerExtensions.supportsHostBound
                ? core.transport.hostKey : nil
        )
        if probing {
            if let payload = authentication?.probe(offer) { core.send(payload: payload) }
        } else if let request = authentication?.sign(.publicKey(offer)) {
            core.waitingEvents.append(.signatureNeeded(request))
        }
    }

    /// Tries this host's key: `signatureNeeded` follows.
    package mutating func authenticateHostBased(
        keyBlob: [UInt8],
        algorithm: String,
        clientHostName: String,
        clientUser: String
    ) {
        let offer = ClientAuthentication.HostBasedOffer(
            algorithm: algorithm,
            keyBlob: keyBlob,
            clientHostName: clientHostName,
            clientUser: clientUser
        )
        if let request = authentication?.sign(.hostBased(offer)) {
            core.waitingEvents.append(.signatureNeeded(request))
        }
    }

    /// The signature that `signatureNeeded` asked for, as a signature blob.
    package mutating func provideSignature(_ signature: [UInt8]) {
        if let payload = authentication?.provide(signature: signature) {
            core.send(payload: payload)
        }
    }

    /// No signature with this key: continue with another `authenticate…` command.
    package mutating func declineSignature() {
        authentication?.declineSignature()
    }

    package mutating func authenticatePassword(_ password: SecretBytes) {
        if let payload = authentication?.requestPassword(password, new: nil) { sendSecret(payload) }
    }

    /// What `passwordChangeRequested` asked for.
    package mutating func changePassword(_ password: SecretBytes, to new: SecretBytes) {
        if let payload = authentication?.requestPassword(password, new: new) { sendSecret(payload) }
    }

    package mutating func authenticateKeyboardInteractive(submethods: [String] = []) {
        if let payload = authentication?.requestKeyboardInteractive(submethods: submethods) {
            core.send(payload: payload)
        }
    }

    /// What `informationRequested` asked for, one answer per prompt.
    package mutating func answerInformation(_ answers: [SecretBytes]) {
        if let payload = authentication?.answer(answers) { sendSecret(payload) }
    }

    /// Tries mechanisms of the GSS-API (RFC 4462 §3): `gssapi` says which one the server takes.
    package mutating func authenticateGSSAPI(_ mechanisms: [GSSMechanism]) {
        if let payload = authentication?.requestGSSAPI(mechanisms) { core.send(payload: payload) }
    }

    /// A token of our side of the context; with `isLast`, `provideGSSAPICode` follows at once.
    package mutating func sendGSSAPIToken(_ token: [UInt8], isLast: Bool) {
        if let payload = authentication?.sendGSSAPIToken(token, isLast: isLast) {
            core.send(payload: payload)
        }
    }

    /// Our side of the context has failed: continue with another `authenticate…` command.
    package mutating func sendGSSAPIErrorToken(_ token: [UInt8]) {
        if let payload = authentication?.sendGSSAPIErrorToken(token) { core.send(payload: payload) }
    }

    /// What the context's integrity code is to be made of.
    package var gssapiSignedData: [UInt8] { authentication?.gssapiSignedData ?? [] }

    /// The context stands: its integrity code over `gssapiSignedData`.
    package mutating func provideGSSAPICode(_ code: [UInt8]) {
        if let payload = authentication?.provideGSSAPICode(code) { core.send(payload: payload) }
    }

    private mutating func sendSecret(_ payload: consuming [UInt8]) {
        var payload = payload
        core.send(payload: payload)
        payload.wipe()
    }

    /// The first of `allowed` (names as in `PubkeyAcceptedAlgorithms`) that a key of this type can
    /// do and that the server says it takes (RFC 8308 §3.1, RFC 8332 §3.3). A server that says
    /// nothing is taken to take them all.
    package func publicKeyAlgorithm(for type: KeyType, allowed: [String]) -> String? {
        let accepted = core.transport.peerExtensions.signatureAlgorithms
        return allowed.first { name in
            guard let algorithm = PublicKeyAlgorithm(name: name), algorithm.keyType == type else {
                return false
            }
            guard let accepted else { return true }
            return accepted.contains(name) || accepted.contains(algorithm.signature.name)
        }
    }
}
