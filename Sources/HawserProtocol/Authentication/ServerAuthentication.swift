// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The server's side of authentication (RFC 4252): requests in, one at a time, and the program's
/// answers out.
///
///     awaitingService ──5──▶ awaitingRequest ──50──▶ deciding ──accept──▶ authenticated
///                               ▲    ▲                │   │
///                               │    └─refuse, pkOK───┘   │ requestInformation
///                               ├────50── awaitingInformation ──61──▶ deciding
///                               └──50,65── awaitingToken ──61, 63, 66──▶ deciding
///
/// A client may send a request before it has the answer to the last one (§5.1); it waits unread
/// until then, which to the client is the same as if the first had been abandoned.
struct ServerAuthentication {
    enum State: Equatable {
        case awaitingService
        case awaitingRequest
        /// The program has this request.
        case deciding(AuthenticationRequest.Method)
        /// So many answers are due.
        case awaitingInformation(prompts: Int)
        /// `gssapi-with-mic`: a token, or the word that the context stands.
        case awaitingToken
        case authenticated
    }

    let sessionIdentifier: [UInt8]
    /// What a client may bind its signature to.
    let hostKeyBlob: [UInt8]
    private(set) var state = State.awaitingService
    /// Of the first request; later ones may not differ.
    private(set) var user: [UInt8]?
    private(set) var attempts = 0
    private(set) var failures = 0
    /// Tokens that the client sent for the context that is made.
    private var gssapiTokens = 0

    init(sessionIdentifier: [UInt8], hostKeyBlob: [UInt8]) {
        self.sessionIdentifier = sessionIdentifier
        self.hostKeyBlob = hostKeyBlob
    }

    /// Whether the client has to wait for the program.
    var isDeciding: Bool {
        if case .deciding = state { return true }
        return false
    }

    var userName: String { String(octets: user ?? []) }

    /// What a received message leads to.
    enum Step: Equatable {
        case event(AuthenticationRequest)
        case reply([UInt8])
        case ignore
    }

    // MARK: Answers

    /// `SSH_MSG_USERAUTH_SUCCESS`. Nil unless a request waits that can let the user in: a probe of
    /// a key and an unknown method cannot.
    mutating func accept() -> [UInt8]? {
        guard case .deciding(let method) = state else { return nil }
        switch method {
        case .publicKey(let attempt) where attempt.signature == nil: return nil
        case .gssapi(.mechanisms), .gssapi(.token): return nil
        case .other: return nil
        default: break
        }
        state = .authenticated
        return [MessageNumber.userauthSuccess.rawValue]
    }

    /// The method succeeded, and one of `methods` must follow.
    mutating func acceptPartially(methods: [String]) -> [UInt8]? {
        guard isDeciding else { return nil }
        state = .awaitingRequest
        return AuthenticationFailure(methods: methods, partialSuccess: true).payload
    }

    /// The method failed; `methods` can be tried.
    mutating func refuse(methods: [String]) -> [UInt8]? {
        guard case .deciding(let method) = state else { return nil }
        state = .awaitingRequest
        if method != .none || attempts > 1 { failures += 1 }
        return AuthenticationFailure(methods: methods, partialSuccess: false).payload
    }

    /// A signature with the probed key would be of use.
    mutating func acceptPublicKey() -> [UInt8]? {
        guard case .deciding(.publicKey(let attempt)) = state, attempt.signature == nil else {
            return nil
        }
        state = .awaitingRequest
        return PublicKeyAccepted(algorithm: attempt.algorithm, keyBlob: attempt.keyBlob).payload
    }

    mutating func request(_ information: InformationRequest) -> [UInt8]? {
        guard case .deciding(let method) = state, method.name == MethodName.keyboardInteractive
        else { return nil }
        state = .awaitingInformation(prompts: information.prompts.count)
        return information.payload
    }

    mutating func requestPasswordChange(prompt: String) -> [UInt8]? {
        guard case .deciding(.password) = state else { return nil }
        state = .awaitingRequest
        return PasswordChangeRequest(prompt: prompt).payload
    }

    /// What is to be sent, if anything; after an error `refuse` follows.
    mutating func answer(_ answer: GSSAPIAnswer) -> [UInt8]? {
        guard case .deciding(.gssapi(let request)) = state else { return nil }
        switch (answer, request) {
        case (.mechanism(let mechanism), .mechanisms):
            state = .awaitingToken
            gssapiTokens = 0
            return GSSAPIMessage.payload(.userauthMethod60, mechanism.encoding)
        case (.token(let token), .token):
            state = .awaitingToken
            return token.isEmpty ? nil : GSSAPIMessage.payload(.userauthMethod61, token)
        case (.errorToken(let token), _):
            return GSSAPIMessage.payload(.userauthGSSAPIErrorToken, token)
        case (.error(let message), _):
            return message.payload
        case (.mechanism, _), (.token, _):
            return nil
        }
    }

    // MARK: Messages

    mutating func receive(
        _ number: MessageNumber,
        _ payload: RawSpan
    ) throws(ProtocolError) -> Step {
        var reader = WireReader(payload.extracting(droppingFirst: 1))
        switch (number, state) {
        case (.serviceRequest, .awaitingService), (.serviceRequest, .awaitingRequest):
            return .reply(try receiveServiceRequest(&reader))
        case (.userauthRequest, .awaitingRequest), (.userauthRequest, .awaitingInformation),
            (.userauthRequest, .awaitingToken):
            return .event(try receiveRequest(&reader))
        case (.userauthMethod61, .awaitingInformation(let prompts)):
            return .event(try receiveInformation(&reader, prompts: prompts))
        case (.userauthMethod61, .awaitingToken), (.userauthGSSAPIMIC, .awaitingToken),
            (.userauthGSSAPIExchangeComplete, .awaitingToken):
            return .event(try receiveGSSAPI(number, &reader))
        case (.userauthGSSAPIErrorToken, .awaitingToken):
            // The client's side has failed (RFC 4462 §3.9); it goes on to another method.
            do throws(WireError) {
                _ = try GSSAPIMessage.read(from: &reader)
            } catch { throw .malformed(number, error) }
            state = .awaitingRequest
            return .ignore
        default:
            throw .violation("message \(number.rawValue) out of turn during authentication")
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func receiveServiceRequest(
        _ reader: inout WireReader
    ) throws(ProtocolError) -> [UInt8] {
        let service: String
        do throws(WireError) {
            service = try reader.readText()
            try reader.expectEnd()
        } catch { throw .malformed(.serviceRequest, error) }
        guard service == ServiceMessage.authentication else {
            throw .violation("bad service request \(service.prefix(64))")
        }
        state = .awaitingRequest
        return ServiceMessage.payload(.serviceAccept, service)
    }

    /// `SSH_MSG_USERAUTH_REQUEST`, RFC 4252 §5.
    @_lifetime(reader: copy reader)
    private mutating func receiveRequest(
        _ reader: inout WireReader
    ) throws(ProtocolError) -> AuthenticationRequest {
        attempts += 1
        guard attempts <= ConnectionLimits.authenticationAttempts else {
            throw .violation("too many authentication requests")
        }
        let name: [UInt8]
        let service: String
        let method: AuthenticationRequest.Method
        do throws(WireError) {
            name = try reader.readBytes(limit: ConnectionLimits.userNameBytes)
            service = try reader.readText()
            let methodName = try reader.readText()
            method = try readMethod(methodName, user: name, service: service, &reader)
        } catch { throw .malformed(.userauthRequest, error) }
        guard !name.contains(0) else { throw .violation("user name with a zero byte") }
        if let user, service != ServiceMessage.connection || !Self.isSameAccount(user, name) {
            let (before, after) = (Self.account(user), Self.account(name))
            throw ProtocolError(
                .forbidden,
                "Change of username or service not allowed: "
                    + "(\(before),\(ServiceMessage.connection)) -> (\(after),\(service.prefix(64)))"
            )
        }
        guard service == ServiceMessage.connection else {
            throw .violation("bad service request \(service.prefix(64))")
        }
        if case .publicKey(let attempt) = method, let bound = attempt.boundHostKey,
            bound != hostKeyBlob
        {
            throw .violation("authentication is bound to another host key")
        }
        if user == nil { user = name }
        state = .deciding(method)
        return event(method)
    }

    /// Behind a colon a name can name a style of authentication, which is not part of the account's.
    private static func account(_ name: [UInt8]) -> String {
        String(decoding: name.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
    }

    private static func isSameAccount(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        first.prefix { $0 != UInt8(ascii: ":") } == second.prefix { $0 != UInt8(ascii: ":") }
    }

    /// `SSH_MSG_USERAUTH_INFO_RESPONSE`. The wrong number of answers must fail (RFC 4256 §3.4): the
    /// program gets a method that it cannot but refuse.
    @_lifetime(reader: copy reader)
    private mutating func receiveInformation(
        _ reader: inout WireReader,
        prompts: Int
    ) throws(ProtocolError) -> AuthenticationRequest {
        let responses: [SecretBytes]
        do throws(WireError) {
            responses = try InformationResponse.read(from: &reader)
        } catch { throw .malformed(.userauthMethod61, error) }
        let method: AuthenticationRequest.Method =
            responses.count == prompts
            ? .keyboardInteractiveResponses(responses)
            : .other(name: MethodName.keyboardInteractive)
        state = .deciding(method)
        return event(method)
    }

    /// What follows a chosen mechanism, RFC 4462 §3.4 to §3.9.
    @_lifetime(reader: copy reader)
    private mutating func receiveGSSAPI(
        _ number: MessageNumber,
        _ reader: inout WireReader
    ) throws(ProtocolError) -> AuthenticationRequest {
        gssapiTokens += 1
        guard gssapiTokens <= ConnectionLimits.gssapiTokens else {
            throw .violation("too many GSSAPI tokens")
        }
        let request: GSSAPIRequest
        do throws(WireError) {
            switch number {
            case .userauthMethod61: request = .token(try GSSAPIMessage.read(from: &reader))
            case .userauthGSSAPIMIC:
                request = .messageIntegrityCode(try GSSAPIMessage.read(from: &reader))
            default:
                try reader.expectEnd()
                request = .exchangeComplete
            }
        } catch { throw .malformed(number, error) }
        state = .deciding(.gssapi(request))
        return event(.gssapi(request))
    }

    private func event(_ method: AuthenticationRequest.Method) -> AuthenticationRequest {
        AuthenticationRequest(
            user: userName,
            service: ServiceMessage.connection,
            method: method,
            attempt: attempts,
            failures: failures
        )
    }
}

extension ServerAuthentication {
    /// What follows the method name.
    @_lifetime(reader: copy reader)
    private func readMethod(
        _ name: String,
        user: [UInt8],
        service: String,
        _ reader: inout WireReader
    ) throws(WireError) -> AuthenticationRequest.Method {
        let method: AuthenticationRequest.Method
        switch name {
        case MethodName.none:
            method = .none
        case MethodName.publicKey:
            method = try readPublicKey(isHostBound: false, user: user, service, &reader)
        case MethodName.hostBoundPublicKey:
            method = try readPublicKey(isHostBound: true, user: user, service, &reader)
        case MethodName.password:
            let isChange = try reader.readBoolean()
            let password = try readSecret(&reader)
            method = .password(password, new: isChange ? try readSecret(&reader) : nil)
        case MethodName.keyboardInteractive:
            let language = try reader.readText()
            let submethods = try reader.readText()
            method = .keyboardInteractive(
                language: language,
                submethods: submethods.split(separator: ",").map(String.init)
            )
        case MethodName.hostBased:
            method = try readHostBased(user: user, service, &reader)
        case MethodName.gssapi:
            method = .gssapi(.mechanisms(try GSSAPIMessage.readMechanisms(from: &reader)))
        default:
            _ = reader.readRest()
            method = .other(name: name)
        }
        try reader.expectEnd()
        return method
    }

    /// RFC 4252 §7.
    @_lifetime(reader: copy reader)
    private func readPublicKey(
        isHostBound: Bool,
        user: [UInt8],
        _ service: String,
        _ reader: inout WireReader
    ) throws(WireError) -> AuthenticationRequest.Method {
        let isSigned = try reader.readBoolean()
        let algorithm = try reader.readText()
        let keyBlob = try reader.readBytes()
        let boundHostKey = isHostBound ? try reader.readBytes() : nil
        let signature = isSigned ? try reader.readBytes() : nil
        let signedData =
            isSigned
            ? SignedRequest.publicKey(
                sessionIdentifier: sessionIdentifier,
                user: user,
                service: service,
                algorithm: algorithm,
                keyBlob: keyBlob,
                boundHostKey: boundHostKey
            ) : []
        return .publicKey(
            PublicKeyAttempt(
                algorithm: algorithm,
                keyBlob: keyBlob,
                signature: signature,
                signedData: signedData,
                boundHostKey: boundHostKey
            )
        )
    }

    /// RFC 4252 §9.
    @_lifetime(reader: copy reader)
    private func readHostBased(
        user: [UInt8],
        _ service: String,
        _ reader: inout WireReader
    ) throws(WireError) -> AuthenticationRequest.Method {
        let algorithm = try reader.readText()
        let keyBlob = try reader.readBytes()
        let clientHostName = try reader.readText()
        let clientUser = try reader.readText()
        let signature = try reader.readBytes()
        return .hostBased(
            HostBasedAttempt(
                algorithm: algorithm,
                keyBlob: keyBlob,
                clientHostName: clientHostName,
                clientUser: clientUser,
                signature: signature,
                signedData: SignedRequest.hostBased(
                    sessionIdentifier: sessionIdentifier,
                    user: user,
                    service: service,
                    algorithm: algorithm,
                    keyBlob: keyBlob,
                    clientHostName: clientHostName,
                    clientUser: clientUser
                )
            )
        )
    }

    @_lifetime(reader: copy reader)
    private func readSecret(_ reader: inout WireReader) throws(WireError) -> SecretBytes {
        let bytes = try reader.readString()
        guard bytes.byteCount <= ConnectionLimits.passwordBytes else { throw .tooLong }
        return SecretBytes(copying: bytes)
    }
}
