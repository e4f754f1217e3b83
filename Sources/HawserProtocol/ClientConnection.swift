// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserKeys
package import HawserWire

/// A key that a client tries.
package struct PublicKeyOffer {
    package var keyBlob: [UInt8]
    package var algorithm: String
    /// The signature names the server's host key too, where the server can read that.
    package var bindsHostKey: Bool

    package init(keyBlob: [UInt8], algorithm: String, bindsHostKey: Bool) {
        self.keyBlob = keyBlob
        self.algorithm = algorithm
        self.bindsHostKey = bindsHostKey
    }
}

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
    package mutating func withReceived<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(received)
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
        if step == .event(.authenticated) {
            core.transport.authenticationSucceeded()
            core.endEarlyMessages()
        } else if !machine.awaitsAnswer {
            core.earlyMessagesWereDropped()
        }
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

    /// A first message of a key exchange went out ahead of the server's KEXINIT.
    package var hasGuessed: Bool { core.transport.hasGuessed }

    /// What a later connection to this server could begin with (`TransportOptions.guess`); nil before
    /// its KEXINIT has come, and where nothing can be guessed.
    package var nextGuess: KeyExchangeGuess? { core.transport.nextGuess }

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
        for payload in authentication.begin() { sendRequest(payload, canSucceed: false) }
        self.authentication = authentication
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
            if let payload = authentication?.probe(offer) {
                sendRequest(payload, canSucceed: false)
            }
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
            sendRequest(payload, canSucceed: true)
        }
    }

    // MARK: Behind `none`

    /// Whether a key can be offered without waiting for the answer to `none` (RFC 4252 §5.1), which
    /// saves a round trip, or two with a signature.
    package var mayFollowNone: Bool { authentication?.mayFollow ?? false }

    /// The server owes an answer: of several requests under way, not all are answered.
    package var awaitsAuthenticationAnswer: Bool { authentication?.awaitsAnswer ?? false }

    /// `none` has let the user in, and not what was sent behind it.
    package var wasLetInByNone: Bool {
        authentication?.state == .authenticated && authentication?.following != nil
    }

    /// Offers a key behind `none`.
    package mutating func followNone(probing offer: PublicKeyOffer) {
        let offer = self.offer(offer)
        if let payload = authentication?.follow(probing: offer) {
            sendRequest(payload, canSucceed: false)
        }
    }

    /// What `followNone(_:signature:)` needs a signature of.
    package func followingRequest(_ offer: PublicKeyOffer) -> SigningRequest? {
        authentication?.followingRequest(self.offer(offer))
    }

    /// Sends a key with a signature behind `none`.
    package mutating func followNone(_ offer: PublicKeyOffer, signature: [UInt8]) {
        let offer = self.offer(offer)
        if let payload = authentication?.follow(offer, signature: signature) {
            sendRequest(payload, canSucceed: true)
        }
    }

    private func offer(_ offer: PublicKeyOffer) -> ClientAuthentication.PublicKeyOffer {
        ClientAuthentication.PublicKeyOffer(
            algorithm: offer.algorithm,
            keyBlob: offer.keyBlob,
            boundHostKey: offer.bindsHostKey && core.transport.peerExtensions.supportsHostBound
                ? core.transport.hostKey : nil
        )
    }

    // MARK: Early session

    /// Makes the first channel an early one, if the server allows for that: what is sent on it from
    /// here on goes out together with what may let the user in, and not a round trip or two later.
    /// False when the channel must wait.
    package mutating func beginEarlySession() -> Bool {
        guard let bytes = core.transport.peerExtensions.earlySessionBytes, !isBare,
            let authentication, authentication.state != .authenticated, core.early == nil,
            // Compression may begin with the answer, which we have not seen then.
            let agreed = negotiated, agreed.toServer.compression == "none"
        else { return false }
        core.beginEarlyMessages(windowBytes: min(bytes, ConnectionLimits.earlySessionBytes))
        return true
    }

    /// Data goes out that the server may drop.
    package var isSendingEarly: Bool { mutating get { core.early?.isUnderWay ?? false } }

    /// Has an early request for a terminal ask for the size of the moment in which it is sent.
    package mutating func followEarlyTerminal(_ size: @escaping () -> TerminalSize?) {
        core.early?.terminalSize = size
    }

    private mutating func sendRequest(_ payload: [UInt8], canSucceed: Bool) {
        core.transport.send(payload.rawBytes)
        if canSucceed { core.sendEarlyMessages() }
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
            sendRequest(payload, canSucceed: false)
        }
    }

    /// What `informationRequested` asked for, one answer per prompt.
    package mutating func answerInformation(_ answers: [SecretBytes]) {
        if let payload = authentication?.answer(answers) { sendSecret(payload) }
    }

    /// Tries mechanisms of the GSS-API (RFC 4462 §3): `gssapi` says which one the server takes.
    package mutating func authenticateGSSAPI(_ mechanisms: [GSSMechanism]) {
        if let payload = authentication?.requestGSSAPI(mechanisms) {
            sendRequest(payload, canSucceed: false)
        }
    }

    /// A token of our side of the context; with `isLast`, `provideGSSAPICode` follows at once.
    package mutating func sendGSSAPIToken(_ token: [UInt8], isLast: Bool) {
        if let payload = authentication?.sendGSSAPIToken(token, isLast: isLast) {
            sendRequest(payload, canSucceed: false)
        }
    }

    /// Our side of the context has failed: continue with another `authenticate…` command.
    package mutating func sendGSSAPIErrorToken(_ token: [UInt8]) {
        if let payload = authentication?.sendGSSAPIErrorToken(token) {
            sendRequest(payload, canSucceed: false)
        }
    }

    /// What the context's integrity code is to be made of.
    package var gssapiSignedData: [UInt8] { authentication?.gssapiSignedData ?? [] }

    /// The context stands: its integrity code over `gssapiSignedData`.
    package mutating func provideGSSAPICode(_ code: [UInt8]) {
        if let payload = authentication?.provideGSSAPICode(code) {
            sendRequest(payload, canSucceed: true)
        }
    }

    private mutating func sendSecret(_ payload: consuming [UInt8]) {
        var payload = payload
        sendRequest(payload, canSucceed: true)
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
