// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// What a monitor knows of a login by Kerberos: the context that is made, and the tickets that the
/// session is to have.
struct KerberosLogin {
    /// How far `gssapi-with-mic` has come.
    enum Exchange {
        case none
        /// A mechanism has been agreed on; tokens go to and fro.
        case negotiating(GSSAcceptor)
        /// The context stands; the client's word for this session is awaited.
        case established(GSSAcceptor)
        /// The client has proved who it is.
        case proven(GSSAcceptor)

        /// Of a context that is being made or waits for the client's word.
        var acceptor: GSSAcceptor? {
            switch self {
            case .negotiating(let acceptor), .established(let acceptor): acceptor
            case .none, .proven: nil
            }
        }

        var isEstablished: Bool {
            if case .established = self { return true }
            return false
        }
    }

    /// What a request of the method is worth at this point.
    enum Order: Equatable {
        case due
        /// A client's mistake: the attempt has failed.
        case refused
        /// The network process does not let such a message through.
        case outOfOrder
    }

    /// The table of the method: what may come when.
    static func order(
        of request: GSSAPIRequest,
        hasAcceptor: Bool,
        isEstablished: Bool
    ) -> Order {
        switch request {
        case .mechanisms: .due
        case _ where !hasAcceptor: .outOfOrder
        case .token: isEstablished ? .refused : .due
        case .messageIntegrityCode: isEstablished ? .due : .refused
        // Kerberos always protects messages, so that a context without a code for this session is
        // not enough (RFC 4462 §3.6).
        case .exchangeComplete: .refused
        }
    }

    /// Tickets in this process: of the client, or got with its password.
    enum Tickets {
        case handedOver(GSSAcceptor)
        case ofPassword(KerberosTicket)
    }

    var exchange = Exchange.none
    /// Of the attempt that is decided.
    var ofAttempt: Tickets?
    /// Of the last attempt that succeeded, for the session.
    var tickets: Tickets?
    /// The session's cache of tickets, once it is made, and whether it goes with the session.
    var cache: (name: String, isTemporary: Bool)?

    /// The client's principal, in the words of the mechanism.
    var principal: String? {
        if case .proven(let acceptor) = exchange { return acceptor.clientName }
        return nil
    }

    /// An attempt was refused: nothing of it stays.
    mutating func forgetAttempt() {
        exchange = .none
        ofAttempt = nil
    }

    /// An attempt was accepted: its tickets are the session's.
    mutating func keepAttempt() {
        if let ofAttempt { tickets = ofAttempt }
        forgetAttempt()
    }
}

extension Monitor {
    // MARK: gssapi-with-mic (RFC 4462 §3)

    /// One step of the method. Who does not exist goes through the same steps as others.
    func decideGSSAPI(_ request: GSSAPIRequest, _ login: LoginState) -> Verdict {
        let exchange = login.kerberos.exchange
        switch KerberosLogin.order(
            of: request,
            hasAcceptor: exchange.acceptor != nil,
            isEstablished: exchange.isEstablished
        ) {
        case .due: break
        case .refused:
            login.failure = "unexpected GSSAPI message"
            return .failed
        case .outOfOrder: return .outOfOrder
        }
        switch (request, exchange.acceptor) {
        case (.token(let token), let acceptor?): return take(token, acceptor, login)
        case (.messageIntegrityCode(let code), let acceptor?): return check(code, acceptor, login)
        case (.mechanisms(let mechanisms), _):
            login.kerberos.forgetAttempt()
            return beginGSSAPI(mechanisms, login)
        default: return .outOfOrder
        }
    }

    private func beginGSSAPI(_ mechanisms: [GSSMechanism], _ login: LoginState) -> Verdict {
        guard mechanisms.contains(.kerberos5), let library = GSSLibrary() else { return .failed }
        // The library reads the keytab.
        holdsOthersSecrets = true
        let isStrict = settings.isYes("gssapistrictacceptorcheck", default: true)
        do throws(GSSError) {
            let acceptor = try GSSAcceptor(
                library,
                mechanism: GSSMechanism.kerberos5.identifier,
                host: isStrict ? Resolver.ownHostName : nil
            )
            login.kerberos.exchange = .negotiating(acceptor)
            return .answered(.mechanism(.kerberos5))
        } catch {
            explain(error, login)
            return .failed
        }
    }

    private func take(_ token: [UInt8], _ acceptor: GSSAcceptor, _ login: LoginState) -> Verdict {
        do throws(GSSError) {
            let step = try acceptor.step(token)
            if step.isEstablished {
                log.debug(
                    acceptor.hasCredentials
                        ? "Received some client credentials" : "Got no client credentials"
                )
                login.kerberos.exchange = .established(acceptor)
            }
            return .answered(.token(step.token))
        } catch {
            explain(error, login)
            if !error.token.isEmpty { answer(.gssapi(.errorToken(error.token))) }
            return .failed
        }
    }

    private func explain(_ error: GSSError, _ login: LoginState) {
        for text in error.texts { log.debug("\(text) [preauth]") }
        login.failure = error.description
    }

    /// What the code is for is put together here, from what this process knows itself.
    private func check(_ code: [UInt8], _ acceptor: GSSAcceptor, _ login: LoginState) -> Verdict {
        let message = SignedRequest.gssapi(
            sessionIdentifier: sessionIdentifier,
            user: login.saidName.octets,
            service: "ssh-connection"
        )
        guard !sessionIdentifier.isEmpty, acceptor.isRight(code: code, for: message),
            let principal = acceptor.clientName
        else {
            login.failure = "bad integrity code"
            return .failed
        }
        guard login.isValid, permits(principal, login.user) else {
            login.failure = "\(principal) is not authorized"
            return .failed
        }
        log.info(
            "Authorized to \(login.name), krb5 principal \(principal.logged) (krb5_kuserok)"
        )
        login.kerberos.exchange = .proven(acceptor)
        if acceptor.hasCredentials, settings.isYes("gssapidelegatecredentials", default: true) {
            login.kerberos.ofAttempt = .handedOver(acceptor)
        }
        login.authenticationInfo.append("gssapi-with-mic \(principal.logged)\n")
        return .succeeded
    }

    /// ~/.k5login is read with the user's rights.
    private func permits(_ principal: String, _ user: User) -> Bool {
        guard let kerberos else { return false }
        return Identity.reading(as: user) {
            kerberos.permits(principal: principal, user: user.name)
        }
    }

    // MARK: Passwords

    /// `KerberosAuthentication`: whether the realm knows this password; nil when this machine is to
    /// decide.
    func checkKerberosPassword(
        _ password: SecretBytes,
        _ login: LoginState,
        mayBeRoot: Bool
    ) -> Bool? {
        let otherwise: Bool? =
            settings.isYes("kerberosorlocalpasswd", default: true) ? nil : false
        // Other names would name other realms, or services.
        let isPlain = !login.name.isEmpty && !login.name.contains { "/@\\".contains($0) }
        guard !password.isEmpty, isPlain, let kerberos else { return otherwise }
        holdsOthersSecrets = true
        // Who cannot get in is asked about too, so that it takes as long as it does for others.
        let isPossible = login.isValid && mayBeRoot
        let tried = isPossible ? password : Self.impossiblePassword
        do throws(KerberosError) {
            let ticket = try kerberos.ticket(of: login.name, password: tried)
            guard isPossible, permits(login.name, login.user) else { return otherwise }
            login.kerberos.ofAttempt = .ofPassword(ticket)
            return true
        } catch {
            log.debug("Kerberos password authentication failed: \(error)")
            return otherwise
        }
    }

    /// What no user can type.
    static var impossiblePassword: SecretBytes {
        SecretBytes(Array("\u{8}\n\r\u{7F}INCORRECT".utf8))
    }

    // MARK: The session's tickets

    /// Puts the tickets of a login into a cache of the session's own, before the modules for accounts
    /// see its name. Their absence stops nobody.
    func storeTickets(_ login: LoginState) {
        guard let tickets = login.kerberos.tickets, let kerberos else { return }
        login.kerberos.tickets = nil
        let uid = login.user.uid
        let outcome = Identity.reading(as: login.user) {
            () -> Result<(name: String, isTemporary: Bool), KerberosError> in
            do throws(KerberosError) {
                switch tickets {
                case .handedOver(let acceptor):
                    let name = try kerberos.store(acceptor, uid: uid)
                    return .success(
                        (name, settings.isYes("gssapicleanupcredentials", default: true))
                    )
                case .ofPassword(let ticket):
                    let name = try kerberos.store(ticket, uid: uid)
                    return .success(
                        (name, settings.isYes("kerberosticketcleanup", default: true))
                    )
                }
            } catch { return .failure(error) }
        }
        switch outcome {
        case .success(let cache):
            login.kerberos.cache = cache
            login.pam?.setEnvironment("KRB5CCNAME", cache.name)
        case .failure(let error):
            log.info("storing Kerberos credentials failed: \(error)")
        }
    }

    /// At the end of the session; with the user's rights, whose file it is.
    func removeTickets() {
        guard let login, let cache = login.kerberos.cache, cache.isTemporary, let kerberos else {
            return
        }
        login.kerberos.cache = nil
        Identity.reading(as: login.user) {
            do throws(KerberosError) {
                try kerberos.destroyCache(cache.name)
            } catch { log.debug("krb5_cc_destroy(): \(error)") }
        }
    }
}

extension String {
    /// Without what could end a line of a log.
    fileprivate var logged: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.value < 32 ? "?" : $0 }))
    }
}
