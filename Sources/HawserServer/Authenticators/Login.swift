// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// What a monitor knows of the one who wants to get in.
final class LoginState {
    /// The name as the client said it, and so as it is signed.
    let saidName: String
    /// The account's name in it.
    let name: String
    /// The account; a stand-in when there is none, so that everything takes its usual course.
    let user: User
    /// The account exists and may log in.
    let isValid: Bool
    var progress: MethodProgress
    var pam: PAM?
    var failures = 0
    var hasToldOfShadow = false
    /// `none` is tried once.
    var hasTriedNone = false
    /// What the current attempt asks for is not on offer: why was told, that it failed is not.
    var isUnoffered = false
    var attempts = 0
    var keyOptions: AuthorizedKeyOptions?
    var keyOptionsText = ""
    /// The user's certificate that was accepted; empty for a plain key.
    var certificate: [UInt8] = []
    var usedKeys: [PublicKey] = []
    var mustChangePassword = false
    /// PAM has let the account in, in the dialogue of `keyboard-interactive`.
    var hasGoodAccount = false
    var isSessionOpen = false
    /// Why the last attempt failed, for the event log.
    var failure: String?
    /// Lines of `ExposeAuthInfo`.
    var authenticationInfo: [String] = []
    /// What PAM's modules said without asking.
    var notices = ""
    var kerberos = KerberosLogin()
    /// What the client is told of its keys when it is in.
    let notes = ClientNotes()

    init(saidName: String, name: String, user: User, isValid: Bool, progress: MethodProgress) {
        self.saidName = saidName
        self.name = name
        self.user = user
        self.isValid = isValid
        self.progress = progress
    }
}

extension Monitor {
    /// Takes the user's name: looks up the account, applies the rules, starts PAM.
    func beginLogin(_ name: String) {
        // `user:style` names a style of authentication.
        let accountName = String(Substring(name.utf8.prefix { $0 != UInt8(ascii: ":") }))
        let found = Accounts.named(accountName)
        var criteria = ConnectionCriteria(peer: start.peer, host: hostName)
        criteria.user = accountName
        criteria.isInvalidUser = found == nil
        criteria.groups = found?.groupNames ?? []
        settings = start.configuration(criteria)
        log.level = max(settings.logLevel, start.log.level)
        log.overrides = LogOverrides(settings.words("logverbose"), program: "sshd-session")
        var isValid = found != nil
        if let found {
            if let reason = refusal(of: found) {
                log.info(reason)
                refusedUser = reason
                isValid = false
            }
        } else {
            refusedUser = "no such user"
            log.info("Invalid user \(accountName.prefix(100)) from \(start.peer.description)")
        }
        let user =
            found.flatMap { isValid ? $0 : nil }
            ?? User(name: accountName, uid: .max, gid: .max, home: "/", shell: "/bin/false")
        let progress = MethodProgress(
            enabled: enabledMethods,
            lists: settings.authenticationMethods
        )
        tellOfDisabledMethods()
        let login = LoginState(
            saidName: name,
            name: accountName,
            user: user,
            isValid: isValid,
            progress: progress
        )
        if usesPAM {
            holdsOthersSecrets = true
            do throws(PAMError) {
                login.pam = try PAM(
                    service: settings.given("pamservicename") ?? "sshd",
                    user: accountName,
                    host: hostName ?? start.peer.address,
                    terminal: "ssh"
                )
            } catch {
                log.error("PAM: initialization failed: \(error)")
            }
        }
        self.login = login
        phase = .authenticating
        ProcessTitle.set("sshd: \(isValid ? accountName : "unknown") [priv]")
        var banner = ""
        if let path = settings.banner, let bytes = try? Files.read(path, limit: 1 << 20) {
            banner = String(octets: bytes)
        }
        socket.send(
            MonitorAnswer.user(
                UserAnswer(
                    methods: progress.methods,
                    banner: banner,
                    description: isValid
                        ? "authenticating user \(accountName) " : "invalid user \(accountName) ",
                    title: isValid ? accountName : "unknown"
                )
            ).encoding
        )
    }

    /// A `Match` block can make lists vain that the start found good.
    private func tellOfDisabledMethods() {
        for list in settings.authenticationMethods {
            guard let method = MethodProgress.disabled(in: list, enabled: enabledMethods) else {
                continue
            }
            let text = list.joined(separator: ",")
            log.error(
                "Disabled method \"\(method)\" in AuthenticationMethods list \"\(text)\" [preauth]"
            )
            log.info(
                "Authentication methods list \"\(text)\" contains disabled method, skipping [preauth]"
            )
        }
    }

    var usesPAM: Bool { settings.usesPAM && Identity.isPrivileged }

    private var enabledMethods: [String] { AccountCheck.enabledMethods(settings) }

    /// Why an account may not log in, as the log says it.
    private func refusal(of user: User) -> String? {
        AccountCheck(settings: settings, address: start.peer.address, hostName: hostName)
            .refusal(of: user)
    }

    // MARK: Attempts

    /// Decides one attempt and answers it. False when the connection is over.
    func authenticate(_ method: AuthenticationRequest.Method) -> Bool {
        guard let login else { return false }
        login.attempts += 1
        if login.progress.isHopeless {
            log.error("No AuthenticationMethods left after eliminating disabled methods [preauth]")
            answer(.disconnect(text: "no authentication methods enabled" + start.events.mention))
            return true
        }
        if login.failures >= settings.maximumAuthenticationTries {
            endForTooManyTries(login)
            return true
        }
        switch method {
        case .none, .publicKey, .password, .hostBased, .keyboardInteractive: break
        // Whoever adds a method need not think of it: its library may have read what is the host's.
        default: holdsOthersSecrets = true
        }
        var next: AuthenticationRequest.Method? = method
        while let method = next {
            next = nil
            let verdict = decide(method, login, followedBy: &next)
            if socket.hasEnded || hasTimedOut { return false }
            if !conclude(verdict, method, login) { return false }
        }
        return true
    }

    /// What came of an attempt.
    enum Verdict {
        case failed
        /// The method is not on offer, or can do nothing here: counted, not told.
        case unoffered
        case succeeded
        case keyAcceptable
        case passwordExpired
        /// A step of `gssapi-with-mic` was taken; nothing is decided.
        case answered(GSSAPIAnswer)
        /// The network process has asked what it must not.
        case outOfOrder
        /// The client has turned to something else meanwhile: nothing to answer.
        case abandoned
    }

    private func decide(
        _ method: AuthenticationRequest.Method,
        _ login: LoginState,
        followedBy next: inout AuthenticationRequest.Method?
    ) -> Verdict {
        if case .gssapi = method {} else { login.kerberos.forgetAttempt() }
        switch method {
        case .none:
            return decideNone(login)
        case .gssapi(let request) where login.progress.allows("gssapi-with-mic"):
            return decideGSSAPI(request, login)
        case .publicKey(let attempt) where login.progress.allows("publickey"):
            return decidePublicKey(attempt, login)
        case .password(_, new: _?) where login.progress.allows("password"):
            log.info("password change not supported [preauth]")
            return .unoffered
        case .password(let password, _) where login.progress.allows("password"):
            return checkPassword(password, login) ? .succeeded : .failed
        case .hostBased(let attempt) where login.progress.allows("hostbased"):
            return decideHostBased(attempt, login)
        case .keyboardInteractive(_, let submethods)
        where login.progress.allows("keyboard-interactive", device: Self.device):
            return decideKeyboardInteractive(login, submethods, followedBy: &next)
        default:
            return .unoffered
        }
    }

    /// `none` lets in who needs no password, where that is allowed.
    private func decideNone(_ login: LoginState) -> Verdict {
        guard settings.isYes("permitemptypasswords", default: false),
            settings.isYes("passwordauthentication", default: true),
            login.progress.allows("none"), !login.hasTriedNone
        else { return .unoffered }
        login.hasTriedNone = true
        return checkPassword(SecretBytes([]), login) ? .succeeded : .failed
    }

    /// Answers an attempt and counts it. False when the connection is over.
    private func conclude(
        _ verdict: Verdict,
        _ method: AuthenticationRequest.Method,
        _ login: LoginState
    ) -> Bool {
        switch verdict {
        case .abandoned:
            report("Failed", method, login)
            return true
        case .keyAcceptable:
            report("Postponed", method, login, suffix: " [preauth]")
            answer(.keyAcceptable)
            return true
        case .answered(let step):
            if case .mechanism = step { report("Postponed", method, login, suffix: " [preauth]") }
            answer(.gssapi(step))
            return true
        case .outOfOrder:
            log.fatal("monitor: \(method.name) out of order")
            return false
        case .passwordExpired:
            answer(.passwordExpired(prompt: "Enter new password: "))
            return true
        case .succeeded:
            if let refused = rootRefusal(method, login) {
                log.info(refused)
                // Both processes of OpenSSH tell it.
                defer { log.info(refused + " [preauth]") }
                return fail(method, login)
            }
            notePasswordAge(login, method)
            let isDone = login.progress.complete(method.name, device: device(of: method))
            // Only who has shown all learns what becomes of the account.
            guard !isDone || accountIsGood(login, method) else { return false }
            defer { login.kerberos.keepAttempt() }
            if !isDone {
                report("Partial", method, login)
                answer(.partial(methods: login.progress.methods))
                return true
            }
            report("Accepted", method, login)
            phase = .authenticated
            if !login.notices.isEmpty { answer(.notice(login.notices)) }
            login.notices = ""
            answer(.accepted)
            return true
        case .failed:
            return fail(method, login)
        case .unoffered:
            return fail(method, login, isTold: false)
        }
    }

    private func device(of method: AuthenticationRequest.Method) -> String? {
        if case .keyboardInteractive = method { return Self.device }
        return nil
    }

    private func fail(
        _ method: AuthenticationRequest.Method,
        _ login: LoginState,
        isTold: Bool = true
    ) -> Bool {
        if method == .none, login.attempts == 1 {
            if isTold { report("Failed", method, login) }
            answer(.refused(methods: login.progress.methods))
            return true
        }
        login.kerberos.forgetAttempt()
        login.failures += 1
        if isTold, !login.isUnoffered { report("Failed", method, login) }
        login.isUnoffered = false
        if login.failures >= settings.maximumAuthenticationTries {
            endForTooManyTries(login)
            return true
        }
        answer(.refused(methods: login.progress.methods))
        return true
    }

    private func endForTooManyTries(_ login: LoginState) {
        log.error(
            "maximum authentication attempts exceeded for \(prefix(login))\(login.name) from "
                + "\(start.peer.description) ssh2 [preauth]"
        )
        answer(.disconnect(text: "Too many authentication failures" + start.events.mention))
    }

    func answer(_ outcome: AuthenticationOutcome) {
        socket.send(MonitorAnswer.authentication(outcome).encoding)
    }

    func prefix(_ login: LoginState) -> String { login.isValid ? "" : "invalid user " }

    /// The line that fail2ban reads.
    private func report(
        _ what: String,
        _ method: AuthenticationRequest.Method,
        _ login: LoginState,
        suffix: String = ""
    ) {
        if what == "Failed" { recordFailure(method, login) }
        // Of someone who does not exist, OpenSSH counts keys without a word.
        let isUnsaid = what == "Failed" && method.name == "publickey" && !login.isValid
        let isLoud =
            what == "Accepted" || what == "Partial"
            || (what == "Failed"
                && (method.name == "password"
                    || login.failures >= settings.maximumAuthenticationTries / 2))
        var detail = ""
        if case .publicKey(let attempt) = method, what != "Postponed",
            let key = try? PublicKey(blob: attempt.keyBlob)
        {
            detail = ": " + describe(key)
        }
        if case .hostBased(let attempt) = method, let key = try? PublicKey(blob: attempt.keyBlob) {
            detail =
                ": " + describe(key) + ", client user \"\(attempt.clientUser)\", "
                + "client host \"\(attempt.clientHostName)\""
        }
        var name = method.name
        if case .keyboardInteractive = method { name = "keyboard-interactive/pam" }
        start.events.write(
            .authentication(
                EventLog.Authentication(
                    user: login.name,
                    method: method.name,
                    result: what.lowercased(),
                    key: detail.isEmpty ? nil : String(detail.dropFirst(2)),
                    principal: login.kerberos.principal,
                    reason: what == "Failed" ? login.failure ?? refusedUser : nil
                )
            )
        )
        login.failure = nil
        if let principal = login.kerberos.principal { detail = ": \(principal)" }
        guard !isUnsaid else { return }
        log(
            isLoud ? .info : .verbose,
            "\(what) \(name) for \(prefix(login))\(login.name) from "
                + "\(start.peer.description) ssh2\(detail)\(suffix)"
        )
    }

    /// btmp: who tried to log in with a wrong password.
    private func recordFailure(_ method: AuthenticationRequest.Method, _ login: LoginState) {
        guard Identity.isPrivileged,
            method.name == "password" || method.name == "keyboard-interactive"
        else { return }
        LoginRecords.recordFailure(
            LoginRecords.Login(
                user: login.name,
                terminal: "ssh:notty",
                host: hostName ?? start.peer.address,
                address: NumericAddress.bytes(of: start.peer.address) ?? [],
                processID: Daemon.processID
            )
        )
    }

    /// A key, and for a certificate who vouches for it.
    private func describe(_ key: PublicKey) -> String {
        let hash = settings.fingerprintHash
        let text = "\(key.type.shortName) \(key.fingerprint(hash))"
        guard let certificate = key.certificate else { return text }
        let authority = certificate.signatureKey
        return text + " ID \(certificate.keyID) (serial \(certificate.serial)) "
            + "CA \(authority.type.shortName) \(authority.fingerprint(hash))"
    }

    /// `PermitRootLogin`.
    private func rootRefusal(
        _ method: AuthenticationRequest.Method,
        _ login: LoginState
    ) -> String? {
        guard login.user.uid == 0 else { return nil }
        switch settings.rootLogin {
        case .yes: return nil
        case .withoutPassword
        where ["publickey", "hostbased", "gssapi-with-mic"].contains(method.name):
            return nil
        case .forcedCommandsOnly where login.keyOptions?.command != nil:
            log.info("Root login accepted for forced command.")
            return nil
        default: return "ROOT LOGIN REFUSED FROM \(start.peer.description)"
        }
    }

    // MARK: The account

    /// Without PAM: whoever shows no password need not have a fresh one.
    private func notePasswordAge(_ login: LoginState, _ method: AuthenticationRequest.Method) {
        guard login.pam == nil, method.name == "password" else { return }
        if ShadowCheck.of(login.user).needsNewPassword { login.mustChangePassword = true }
    }

    /// Whether PAM lets the account in now. Says so and ends the connection if not.
    private func accountIsGood(
        _ login: LoginState,
        _ method: AuthenticationRequest.Method
    ) -> Bool {
        guard let pam = login.pam, !login.hasGoodAccount else { return true }
        pam.conversation = { messages in
            for message in messages { login.notices += message.text + "\n" }
            return messages.map { _ in SecretBytes([]) }
        }
        do throws(PAMError) {
            try pam.checkAccount()
            return true
        } catch {
            if error.needsNewPassword {
                login.mustChangePassword = true
                return true
            }
            login.failure = "PAM account configuration"
            report("Failed", method, login)
            log.fatal(
                "Access denied for user \(login.name) by PAM account configuration [preauth]"
            )
            if !login.notices.isEmpty { answer(.notice(login.notices)) }
            answer(
                .disconnect(
                    text: "Access denied by account configuration" + start.events.mention
                )
            )
            // Were this end closed before the other process has told the client, it would not.
            while socket.waitForNext(deadline: deadline) != nil {}
            return false
        }
    }

    /// Gives the process the account's groups, credentials and session, before the user's process
    /// is started. Returns what PAM has to say to the user.
    func openAccount(_ login: LoginState) throws(SessionRefusal) -> String {
        guard Identity.isPrivileged else { return "" }
        do throws(PrivilegeError) {
            try Identity.setGroups(login.user.groupNumbers)
        } catch { throw SessionRefusal(text: "\(error)") }
        guard let pam = login.pam else { return "" }
        var text = login.notices
        pam.conversation = { messages in
            for message in messages { text += message.text + "\n" }
            return messages.map { _ in SecretBytes([]) }
        }
        do throws(PAMError) {
            try pam.setCredentials(.establish)
        } catch {
            log.debug("PAM: pam_setcred(): \(error)")
        }
        do throws(PAMError) {
            try pam.openSession()
            login.isSessionOpen = true
        } catch {
            log.error("PAM: pam_open_session(): \(error)")
        }
        return text
    }
}
