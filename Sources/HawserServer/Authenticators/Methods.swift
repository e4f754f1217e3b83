// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

extension Monitor {
    // MARK: publickey (RFC 4252 §7)

    func decidePublicKey(_ attempt: PublicKeyAttempt, _ login: LoginState) -> Verdict {
        let offered = OfferedKey(
            method: "userauth_pubkey",
            keyword: "PubkeyAcceptedAlgorithms",
            accepted: AlgorithmDefaults.publicKey(settings),
            algorithm: attempt.algorithm,
            blob: attempt.keyBlob
        )
        guard let key = usableKey(offered, login) else { return .failed }
        let access = KeyAccess(
            login.user,
            settings,
            start.peer,
            hostName: hostName,
            login.notes,
            log
        )
        guard let match = access.match(key) else { return .failed }
        log.verbose(match.description)
        guard let signature = attempt.signature else { return .keyAcceptable }
        guard verify(signature, by: key, attempt, login, match.options) else { return .failed }
        login.usedKeys.append(key)
        login.keyOptions = match.options
        login.keyOptionsText = match.optionsText
        login.certificate = match.certificate
        login.authenticationInfo.append("publickey \(key.text)\n")
        return .succeeded
    }

    /// A key by which a client wants to get in, in either of the methods that use keys.
    struct OfferedKey {
        let method: String
        /// The keyword that lists the algorithms.
        let keyword: String
        let accepted: [String]
        let algorithm: String
        let blob: [UInt8]
    }

    /// The key, if the configuration lets it be used and the login does not know it yet.
    func usableKey(_ offered: OfferedKey, _ login: LoginState) -> PublicKey? {
        guard offered.accepted.contains(offered.algorithm) else {
            log.info(
                "\(offered.method): signature algorithm \(offered.algorithm) not in "
                    + "\(offered.keyword) [preauth]"
            )
            login.isUnoffered = true
            return nil
        }
        guard let key = try? PublicKey(blob: offered.blob),
            PublicKeyAlgorithm(name: offered.algorithm)?.keyType == key.type
        else { return nil }
        if key.type.plain == .rsa, key.bits < settings.minimumRSABits {
            log.info("refusing RSA key: Invalid key length [preauth]")
            return nil
        }
        // The same key cannot be a second factor beside itself.
        if login.usedKeys.contains(where: { $0.plain == key.plain }) {
            log.info("refusing previously-used \(key.type.shortName) key [preauth]")
            login.isUnoffered = true
            return nil
        }
        return login.isValid ? key : nil
    }

    /// What was signed is put together here, from what this process knows itself.
    private func verify(
        _ signature: [UInt8],
        by key: PublicKey,
        _ attempt: PublicKeyAttempt,
        _ login: LoginState,
        _ options: AuthorizedKeyOptions
    ) -> Bool {
        if let bound = attempt.boundHostKey, !start.hostKeys.has(blob: bound) { return false }
        let signed = SignedRequest.publicKey(
            sessionIdentifier: sessionIdentifier,
            user: login.saidName.octets,
            service: "ssh-connection",
            algorithm: attempt.algorithm,
            keyBlob: attempt.keyBlob,
            boundHostKey: attempt.boundHostKey
        )
        do throws(KeyError) {
            let details = try key.verify(
                signature: signature,
                over: signed.rawBytes,
                allowing: [attempt.algorithm],
                minimumRSABits: settings.minimumRSABits,
                requiringUserPresence: false
            )
            return details.map { isEnough($0, key, login, options) } ?? true
        } catch {
            log.debug("key verification failed: \(error)")
            return false
        }
    }

    /// Whether a token's owner has done what the server and the key's line require.
    private func isEnough(
        _ details: SecurityKeyDetails,
        _ key: PublicKey,
        _ login: LoginState,
        _ options: AuthorizedKeyOptions
    ) -> Bool {
        let required = settings.words("pubkeyauthoptions")
        func reject(_ what: String) -> Bool {
            log.error(
                "public key \(key.type.shortName) \(key.fingerprint(settings.fingerprintHash)) "
                    + "signature for \(login.name) from \(start.peer.description) rejected: \(what) "
                    + "requirement not met"
            )
            return false
        }
        let needsTouch = options.requiresUserPresence || required.contains("touch-required")
        if needsTouch, !details.isUserPresent {
            return reject("user presence (authenticator touch)")
        }
        let needsUser =
            options.requiresUserVerification || required.contains("verify-required")
        if needsUser, !details.isUserVerified { return reject("user verification") }
        return true
    }

    // MARK: password (RFC 4252 §8)

    func checkPassword(_ password: SecretBytes, _ login: LoginState) -> Bool {
        let emptyIsAllowed = settings.isYes("permitemptypasswords", default: false)
        if password.isEmpty, !emptyIsAllowed { return false }
        let mayBeRoot = login.user.uid != 0 || settings.rootLogin == .yes
        if settings.isYes("kerberosauthentication", default: false),
            let isRight = checkKerberosPassword(password, login, mayBeRoot: mayBeRoot)
        {
            return isRight
        }
        if let pam = login.pam {
            // Who cannot get in is asked with a password that cannot be right, so that it takes as
            // long as it does for others.
            let tried =
                login.isValid && mayBeRoot
                ? password : Self.impossiblePassword
            login.notices = ""
            pam.conversation = { messages in
                for message in messages where !message.style.isPrompt {
                    login.notices += message.text + "\n"
                }
                return messages.map { $0.style == .promptHidden ? tried : SecretBytes([]) }
            }
            do throws(PAMError) {
                try pam.authenticate(emptyPasswordAllowed: emptyIsAllowed)
                return login.isValid && mayBeRoot
            } catch {
                log.debug("PAM: password authentication failed for \(login.name): \(error)")
                return false
            }
        }
        if !login.isValid, !login.hasToldOfShadow {
            login.hasToldOfShadow = true
            log.info("Could not get shadow information for NOUSER")
        }
        let isRight = ShadowCheck.matches(password, login.isValid ? login.user : nil)
        return isRight && login.isValid && mayBeRoot
    }

    /// Lets the modules look at the account, and ask for a new password where the old one has expired.
    private func checkAccountInDialogue(_ pam: PAM) throws(PAMError) {
        do throws(PAMError) {
            try pam.checkAccount()
        } catch {
            guard error.needsNewPassword else { throw error }
            try pam.changeExpiredPassword()
        }
    }

    // MARK: keyboard-interactive (RFC 4256), asked by PAM's modules

    /// Who asks, as OpenSSH names it.
    static let device = "pam"

    /// `submethods`: the client's preferences, if it has any.
    func decideKeyboardInteractive(
        _ login: LoginState,
        _ submethods: [String],
        followedBy next: inout AuthenticationRequest.Method?
    ) -> Verdict {
        guard let pam = login.pam, submethods.isEmpty || submethods.contains(Self.device) else {
            return .unoffered
        }
        let emptyIsAllowed = settings.isYes("permitemptypasswords", default: false)
        var turnedTo: AuthenticationRequest.Method?
        var instruction = ""
        var hasAsked = false
        var hasLeft = false
        pam.conversation = { [unowned self] messages in
            let prompts = messages.filter { $0.style.isPrompt }
            for message in messages where !message.style.isPrompt {
                instruction += message.text + "\n"
            }
            guard !prompts.isEmpty else { return messages.map { _ in SecretBytes([]) } }
            log.verbose(
                "Postponed keyboard-interactive\(hasAsked ? "/\(Self.device)" : "") for "
                    + "\(prefix(login))\(login.name) from \(start.peer.description) ssh2 [preauth]"
            )
            hasAsked = true
            answer(
                .question(
                    InformationRequest(
                        instruction: instruction,
                        prompts: prompts.map {
                            InformationRequest.Prompt(
                                text: $0.text,
                                echo: $0.style == .promptVisible
                            )
                        }
                    )
                )
            )
            instruction = ""
            guard case .authenticate(let method)? = nextRequest() else {
                hasLeft = true
                return nil
            }
            guard case .keyboardInteractiveResponses(let responses) = method,
                responses.count == prompts.count
            else {
                turnedTo = method
                return nil
            }
            var rest = responses[...]
            return messages.map { $0.style.isPrompt ? rest.removeFirst() : SecretBytes([]) }
        }
        var isRight = false
        var isPersonKnown = false
        do throws(PAMError) {
            try pam.authenticate(emptyPasswordAllowed: emptyIsAllowed)
            isPersonKnown = true
            if login.isValid {
                try checkAccountInDialogue(pam)
                login.hasGoodAccount = true
            }
            isRight = true
        } catch {
            isRight = false
            let name = login.isValid ? login.name : "illegal user \(login.name)"
            // That a client does not answer is no failure that PAM has found.
            let what = isPersonKnown ? "User account has expired" : "\(error)"
            let line = "PAM: \(what) for \(name) from \(start.peer.address)"
            if hasLeft || turnedTo?.isBeginning == true { log.debug(line) } else { log.error(line) }
        }
        login.notices = instruction
        if !isRight, !hasLeft, turnedTo == nil, !instruction.isEmpty {
            // Why it failed: there is no question left that it could stand with.
            login.notices = ""
            answer(.notice(instruction))
        }
        if let turnedTo {
            // Wrong answers are a failure of this attempt; another method is a new one.
            if case .other = turnedTo { return .failed }
            next = turnedTo
            return .abandoned
        }
        let mayBeRoot = login.user.uid != 0 || settings.rootLogin == .yes
        return isRight && login.isValid && mayBeRoot ? .succeeded : .failed
    }
}
