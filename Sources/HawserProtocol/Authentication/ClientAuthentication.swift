// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The client's side of authentication (RFC 4252): one request at a time, and what the answer to it
/// may be.
///
///     idle ──begin──▶ requestingService ──6──▶ requested ──51──▶ choosing ──a command──▶ requested
///                                                 │  ▲
///                        60 (publickey) ──▶ signing ─┤ provideSignature
///                        60 (password) ──▶ changingPassword ─┤ changePassword
///                        60 (keyboard-interactive) ──▶ answering ─┤ answerInformation
///                        60, 61 (gssapi-with-mic) ──▶ exchangingTokens ─┘ send, provide
///                                                 └──52──▶ authenticated
///
/// Methods return the payload to send; the connection sends it.
struct ClientAuthentication {
    /// What the last request was, which says what message 60 means.
    enum Method: Equatable {
        case none
        case publicKeyProbe(PublicKeyOffer)
        case publicKey
        case password
        case keyboardInteractive
        case hostBased
        /// Which mechanism is asked of the server.
        case gssapiMechanism([GSSMechanism])
        case gssapiToken
        case gssapiCode
    }

    enum State: Equatable {
        case idle
        /// With `none` already sent after the request for the service, to save a round trip.
        case requestingService
        case choosing
        case requested(Method)
        case signing(Signing)
        case changingPassword
        case answering
        case exchangingTokens
        case authenticated
    }

    /// A key that is tried.
    struct PublicKeyOffer: Equatable {
        var algorithm: String
        var keyBlob: [UInt8]
        var boundHostKey: [UInt8]?
    }

    /// What the signature that we wait for is for.
    enum Signing: Equatable {
        case publicKey(PublicKeyOffer)
        case hostBased(HostBasedOffer)
    }

    struct HostBasedOffer: Equatable {
        var algorithm: String
        var keyBlob: [UInt8]
        var clientHostName: String
        var clientUser: String
    }

    /// What a received message means.
    enum Step: Equatable {
        case event(ConnectionEvent)
        case ignore
    }

    let user: [UInt8]
    let sessionIdentifier: [UInt8]
    private(set) var state = State.idle
    /// Tokens that the server sent for the context that is made.
    private var gssapiTokens = 0
    /// What was sent behind `none`, without waiting for the answer to that (§5.1).
    private(set) var following: Method?

    init(user: String, sessionIdentifier: [UInt8]) {
        self.user = user.octets
        self.sessionIdentifier = sessionIdentifier
    }

    // MARK: Commands

    /// The request for the service and, in the same breath, `none`.
    mutating func begin() -> [[UInt8]] {
        state = .requestingService
        return [
            ServiceMessage.payload(.serviceRequest, ServiceMessage.authentication),
            request(MethodName.none),
        ]
    }

    /// Whether a key may be offered behind `none` now.
    var mayFollow: Bool {
        guard following == nil else { return false }
        return state == .requestingService || state == .requested(.none)
    }

    /// Whether the server owes an answer.
    var awaitsAnswer: Bool {
        switch state {
        case .requestingService, .requested: true
        default: false
        }
    }

    /// Offers a key behind `none`.
    mutating func follow(probing offer: PublicKeyOffer) -> [UInt8] {
        following = .publicKeyProbe(offer)
        return publicKeyRequest(offer, isSigned: false).bytes
    }

    /// What `follow(_:signature:)` needs a signature of.
    func followingRequest(_ offer: PublicKeyOffer) -> SigningRequest {
        signingRequest(.publicKey(offer))
    }

    /// Behind `none`, a key with a signature.
    mutating func follow(_ offer: PublicKeyOffer, signature: [UInt8]) -> [UInt8] {
        following = .publicKey
        var writer = publicKeyRequest(offer, isSigned: true)
        writer.write(string: signature)
        return writer.take()
    }

    mutating func probe(_ offer: PublicKeyOffer) -> [UInt8] {
        expectChoice()
        state = .requested(.publicKeyProbe(offer))
        return publicKeyRequest(offer, isSigned: false).bytes
    }

    /// Without a probe: the signature is needed at once.
    mutating func sign(_ signing: Signing) -> SigningRequest {
        expectChoice()
        state = .signing(signing)
        return signingRequest(signing)
    }

    /// The signed request; nil when no signature is wanted any more.
    mutating func provide(signature: [UInt8]) -> [UInt8]? {
        guard case .signing(let signing) = state else { return nil }
        var writer: WireWriter
        switch signing {
        case .publicKey(let offer):
            writer = publicKeyRequest(offer, isSigned: true)
            state = .requested(.publicKey)
        case .hostBased(let offer):
            writer = WireWriter(reserving: 512)
            writer.write(fixed: request(MethodName.hostBased))
            writer.write(text: offer.algorithm)
            writer.write(string: offer.keyBlob)
            writer.write(text: offer.clientHostName)
            writer.write(text: offer.clientUser)
            state = .requested(.hostBased)
        }
        writer.write(string: signature)
        return writer.take()
    }

    /// The key cannot or may not sign: on to another method.
    mutating func declineSignature() {
        if case .signing = state { state = .choosing }
    }

    /// The caller wipes the payload.
    mutating func requestPassword(_ password: SecretBytes, new: SecretBytes?) -> [UInt8] {
        expectChoice()
        state = .requested(.password)
        var writer = WireWriter(reserving: 64 + user.count + password.count + (new?.count ?? 0))
        writer.write(fixed: request(MethodName.password))
        writer.write(boolean: new != nil)
        writer.write(string: password.bytes)
        if let new { writer.write(string: new.bytes) }
        return writer.take()
    }

    mutating func requestKeyboardInteractive(submethods: [String]) -> [UInt8] {
        expectChoice()
        state = .requested(.keyboardInteractive)
        var writer = WireWriter(reserving: 96)
        writer.write(fixed: request(MethodName.keyboardInteractive))
        writer.write(text: "")
        writer.write(nameList: submethods)
        return writer.take()
    }

    /// The caller wipes the payload. Nil when there is no question open.
    mutating func answer(_ responses: [SecretBytes]) -> [UInt8]? {
        guard state == .answering else { return nil }
        state = .requested(.keyboardInteractive)
        return InformationResponse.payload(responses)
    }

    // MARK: gssapi-with-mic (RFC 4462 §3)

    mutating func requestGSSAPI(_ mechanisms: [GSSMechanism]) -> [UInt8] {
        expectChoice()
        state = .requested(.gssapiMechanism(mechanisms))
        gssapiTokens = 0
        var writer = WireWriter(reserving: 128)
        writer.write(fixed: request(MethodName.gssapi))
        GSSAPIMessage.write(mechanisms, into: &writer)
        return writer.take()
    }

    /// With `isLast`, the context stands on this side, and its code follows. Nil when no token is
    /// wanted.
    mutating func sendGSSAPIToken(_ token: [UInt8], isLast: Bool) -> [UInt8]? {
        guard state == .exchangingTokens else { return nil }
        if !isLast { state = .requested(.gssapiToken) }
        return GSSAPIMessage.payload(.userauthMethod61, token)
    }

    /// The context cannot be made; another request follows.
    mutating func sendGSSAPIErrorToken(_ token: [UInt8]) -> [UInt8]? {
        guard state == .exchangingTokens else { return nil }
        return GSSAPIMessage.payload(.userauthGSSAPIErrorToken, token)
    }

    mutating func provideGSSAPICode(_ code: [UInt8]) -> [UInt8]? {
        guard state == .exchangingTokens else { return nil }
        state = .requested(.gssapiCode)
        return GSSAPIMessage.payload(.userauthGSSAPIMIC, code)
    }

    /// What the code is for.
    var gssapiSignedData: [UInt8] {
        SignedRequest.gssapi(
            sessionIdentifier: sessionIdentifier,
            user: user,
            service: ServiceMessage.connection
        )
    }

    /// A new request may replace whatever waits for the program, not one that waits for the server.
    private func expectChoice() {
        switch state {
        case .choosing, .signing, .changingPassword, .answering, .exchangingTokens: break
        case .idle, .requestingService, .requested, .authenticated:
            preconditionFailure("an authentication request out of turn")
        }
    }

    // MARK: Messages

    mutating func receive(
        _ number: MessageNumber,
        _ payload: RawSpan
    ) throws(ProtocolError) -> Step {
        var reader = WireReader(payload.extracting(droppingFirst: 1))
        do throws(WireError) {
            switch (number, state) {
            case (.serviceAccept, .requestingService):
                // Some old servers leave the name out.
                if !reader.isAtEnd, try reader.readText() != ServiceMessage.authentication {
                    break
                }
                state = .requested(.none)
                return .ignore
            case (.userauthBanner, .requested), (.userauthBanner, .requestingService),
                (.userauthBanner, .choosing), (.userauthBanner, .signing),
                (.userauthBanner, .changingPassword), (.userauthBanner, .answering),
                (.userauthBanner, .exchangingTokens):
                return .event(.banner(try AuthenticationBanner(from: &reader).message))
            case (.userauthFailure, .requested):
                let failure = try AuthenticationFailure(from: &reader)
                state = following.map { .requested($0) } ?? .choosing
                following = nil
                return .event(
                    .authenticationMethods(
                        failure.methods,
                        partialSuccess: failure.partialSuccess
                    )
                )
            case (.userauthSuccess, .requested):
                try reader.expectEnd()
                state = .authenticated
                return .event(.authenticated)
            case (.userauthMethod60, .requested(let method)):
                if let event = try receive60(method, &reader) { return .event(event) }
            case (.userauthMethod61, .requested(.gssapiToken)):
                gssapiTokens += 1
                guard gssapiTokens <= ConnectionLimits.gssapiTokens else { break }
                let token = try GSSAPIMessage.read(from: &reader)
                state = .exchangingTokens
                return .event(.gssapi(.token(token)))
            case (.userauthGSSAPIErrorToken, .requested(.gssapiToken)),
                (.userauthGSSAPIErrorToken, .requested(.gssapiCode)):
                return .event(.gssapi(.errorToken(try GSSAPIMessage.read(from: &reader))))
            case (.userauthGSSAPIError, .requested(.gssapiMechanism)),
                (.userauthGSSAPIError, .requested(.gssapiToken)),
                (.userauthGSSAPIError, .requested(.gssapiCode)):
                return .event(.gssapi(.error(try GSSAPIErrorMessage(from: &reader))))
            default:
                break
            }
        } catch {
            throw .malformed(number, error)
        }
        throw .violation("message \(number.rawValue) out of turn during authentication")
    }
}

extension ClientAuthentication {
    /// Message 60, whose meaning is that of the method (RFC 4252 §6).
    @_lifetime(reader: copy reader)
    private mutating func receive60(
        _ method: Method,
        _ reader: inout WireReader
    ) throws(WireError) -> ConnectionEvent? {
        switch method {
        case .publicKeyProbe(let offer):
            let accepted = try PublicKeyAccepted(from: &reader)
            guard accepted.keyBlob == offer.keyBlob else { return nil }
            state = .signing(.publicKey(offer))
            return .signatureNeeded(signingRequest(.publicKey(offer)))
        case .password:
            let change = try PasswordChangeRequest(from: &reader)
            state = .changingPassword
            return .passwordChangeRequested(prompt: change.prompt)
        case .keyboardInteractive:
            let information = try InformationRequest(from: &reader)
            state = .answering
            return .informationRequested(information)
        case .gssapiMechanism(let mechanisms):
            let chosen = GSSMechanism(encoding: try GSSAPIMessage.read(from: &reader))
            guard let chosen, mechanisms.contains(chosen) else { return nil }
            state = .exchangingTokens
            return .gssapi(.mechanism(chosen))
        case .none, .publicKey, .hostBased, .gssapiToken, .gssapiCode:
            return nil
        }
    }

    /// `SSH_MSG_USERAUTH_REQUEST` up to what belongs to the method (RFC 4252 §5).
    private func request(_ method: String) -> [UInt8] {
        var writer = WireWriter(reserving: 64 + user.count)
        writer.write(byte: MessageNumber.userauthRequest.rawValue)
        writer.write(string: user)
        writer.write(text: ServiceMessage.connection)
        writer.write(text: method)
        return writer.take()
    }

    private func publicKeyRequest(_ offer: PublicKeyOffer, isSigned: Bool) -> WireWriter {
        var writer = WireWriter(reserving: 1024)
        SignedRequest.writePublicKeyRequest(
            into: &writer,
            user: user,
            service: ServiceMessage.connection,
            algorithm: offer.algorithm,
            keyBlob: offer.keyBlob,
            boundHostKey: offer.boundHostKey,
            isSigned: isSigned
        )
        return writer
    }

    private func signingRequest(_ signing: Signing) -> SigningRequest {
        switch signing {
        case .publicKey(let offer):
            SigningRequest(
                keyBlob: offer.keyBlob,
                algorithm: offer.algorithm,
                data: SignedRequest.publicKey(
                    sessionIdentifier: sessionIdentifier,
                    user: user,
                    service: ServiceMessage.connection,
                    algorithm: offer.algorithm,
                    keyBlob: offer.keyBlob,
                    boundHostKey: offer.boundHostKey
                )
            )
        case .hostBased(let offer):
            SigningRequest(
                keyBlob: offer.keyBlob,
                algorithm: offer.algorithm,
                data: SignedRequest.hostBased(
                    sessionIdentifier: sessionIdentifier,
                    user: user,
                    service: ServiceMessage.connection,
                    algorithm: offer.algorithm,
                    keyBlob: offer.keyBlob,
                    clientHostName: offer.clientHostName,
                    clientUser: offer.clientUser
                )
            )
        }
    }
}
