// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Which method next, with which answer (RFC 4252; ssh_config(5), PreferredAuthentications).
final class Authenticator {
    private let settings: ClientSettings
    private let log: Log
    private lazy var identities = Identities(settings, binding: binding, log: log)
    /// What the agent is told about the session, before it is asked for anything.
    var binding: AgentBinding?
    /// The connection's, for the name of our end of it.
    var descriptor: Int32?
    private var hostKeys: HostBasedKeys?
    private var gssapi: GSSAPIAttempts?
    private var current: Identity?
    /// The fingerprint of the key that let the user in; nil when that was something else.
    var acceptedKey: String? {
        lastMethod == "publickey" ? current?.publicKey?.fingerprint() : nil
    }
    private var passwordPrompts = 0
    private var interactivePrompts = 0
    private var interactiveIsUseless = false
    private var hasAnsweredPrompt = false
    private(set) var lastMethod = "none"
    /// The server may not be the one that is meant: no password goes to it.
    var sendsNoSecrets = false
    private var hasFollowed = false
    /// The key behind `none` has its answer.
    private var hasHeardOfFirstKey = false
    /// What the server last said can continue.
    private var offered: [String] = []
    /// Methods with nothing left to try.
    private var exhausted: [String] = []

    init(_ settings: ClientSettings, log: Log) {
        self.settings = settings
        self.log = log
    }

    /// The user is in.
    func succeeded(on connection: borrowing ClientConnection) {
        if connection.wasLetInByNone { lastMethod = "none" }
    }

    func handle(
        _ event: ConnectionEvent,
        on connection: inout ClientConnection
    ) throws(ProtocolError) {
        switch event {
        case .authenticationMethods(let methods, let partial):
            offered = methods
            if connection.awaitsAuthenticationAnswer {
                // Of `none`; the answer to the key behind it is to come.
                log.debug("Authentications that can continue: \(methods.joined(separator: ","))")
                return
            }
            if hasFollowed, !hasHeardOfFirstKey {
                hasHeardOfFirstKey = true
                // Keys were not what the server wanted first: it has not looked at this one.
                if !partial, !methods.contains("publickey") { identities.restart() }
            }
            if partial {
                log.verbose("Authenticated using \"\(lastMethod)\" with partial success.")
                if lastMethod == "publickey" { identities.restart() }
                exhausted = []
            }
            log.debug("Authentications that can continue: \(methods.joined(separator: ","))")
            if lastMethod == "keyboard-interactive", !partial, !hasAnsweredPrompt {
                interactiveIsUseless = true
            }
            try next(on: &connection)
        case .signatureNeeded(let request): try sign(request, on: &connection)
        case .informationRequested(let request): try answer(request, on: &connection)
        case .passwordChangeRequested(let prompt): try change(prompt, on: &connection)
        case .gssapi(let answer):
            if gssapi?.receive(answer, on: &connection) != true { try next(on: &connection) }
        default: break
        }
    }

    /// Tries the first method that is preferred, offered, and has something left to try.
    private func next(on connection: inout ClientConnection) throws(ProtocolError) {
        for method in preferred
        where offered.contains(method) && !exhausted.contains(method) && isEnabled(method) {
            log.debug("Next authentication method: \(method)")
            if try attempt(method, on: &connection) { return }
            exhausted.append(method)
        }
        log.debug("No more authentication methods to try.")
        throw ProtocolError(
            .authenticationFailed,
            "\(settings.user)@\(settings.host): Permission denied (\(offered.joined(separator: ",")))."
        )
    }

    private func isEnabled(_ method: String) -> Bool {
        switch method {
        case "gssapi-with-mic":
            settings.options.gssapiAuthentication == true && gssapi?.isExhausted != true
        case "publickey": settings.options.pubkeyAuthentication != .no
        case "hostbased": settings.options.hostbasedAuthentication == true
        case "keyboard-interactive":
            settings.options.kbdInteractiveAuthentication != false && !sendsNoSecrets
        case "password": settings.options.passwordAuthentication != false && !sendsNoSecrets
        default: false
        }
    }

    private var preferred: [String] {
        (settings.options.preferredAuthentications
            ?? "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password")
            .split(separator: ",").map(String.init)
    }

    private func attempt(
        _ method: String,
        on connection: inout ClientConnection
    ) throws(ProtocolError) -> Bool {
        switch method {
        case "gssapi-with-mic":
            return authenticateGSSAPI(on: &connection)
        case "publickey":
            return offerKey(on: &connection)
        case "hostbased":
            return offerHost(on: &connection)
        case "keyboard-interactive":
            guard !interactiveIsUseless, interactivePrompts < prompts else { return false }
            interactivePrompts += 1
            hasAnsweredPrompt = false
            lastMethod = method
            let devices = settings.options.kbdInteractiveDevices ?? ""
            connection.authenticateKeyboardInteractive(
                submethods: devices.split(separator: ",").map(String.init)
            )
            return true
        case "password":
            return askPassword(on: &connection)
        default: return false
        }
    }

    /// How often a person may be asked.
    private var prompts: Int {
        settings.options.batchMode == true ? 0 : settings.options.numberOfPasswordPrompts ?? 3
    }

    // MARK: gssapi-with-mic

    private func authenticateGSSAPI(on connection: inout ClientConnection) -> Bool {
        let attempts = gssapi ?? GSSAPIAttempts(settings, log: log)
        gssapi = attempts
        guard let mechanism = attempts.next() else { return false }
        lastMethod = "gssapi-with-mic"
        connection.authenticateGSSAPI([mechanism])
        return true
    }

    // MARK: Behind `none`

    /// Offers the first key without waiting for the answer to `none`: with its signature, where
    /// that costs nobody a prompt or a touch. Only at servers that are known to read on.
    func followNone(on connection: inout ClientConnection) {
        guard connection.mayFollowNone, !hasFollowed else { return }
        hasFollowed = true
        let software = connection.peerIdentification?.softwareVersion ?? ""
        guard software.hasPrefix("OpenSSH_") || software.hasPrefix("Hawser_"),
            prefersKeys, settings.options.pubkeyAuthentication != .no,
            let identity = identities.first, let key = identity.publicKey,
            identities.canSign(identity),
            let algorithm = connection.publicKeyAlgorithm(
                for: key.type,
                allowed: settings.algorithms.publicKey
            )
        else { return }
        _ = identities.next()
        log.debug("Offering public key: \(identity.description)")
        current = identity
        lastMethod = "publickey"
        let offer = PublicKeyOffer(
            keyBlob: key.blob,
            algorithm: algorithm,
            bindsHostKey: settings.options.pubkeyAuthentication != .unbound
        )
        if identities.signsSilently(identity),
            let request = connection.followingRequest(offer),
            let signature = identities.sign(
                request.data,
                with: identity,
                algorithm: request.algorithm
            )
        {
            connection.followNone(offer, signature: signature)
        } else {
            connection.followNone(probing: offer)
        }
    }

    /// Whether keys come before whatever else we can do.
    private var prefersKeys: Bool { preferred.first(where: isEnabled) == "publickey" }

    // MARK: publickey

    private func offerKey(on connection: inout ClientConnection) -> Bool {
        while var identity = identities.next() {
            let isLocked = identity.publicKey == nil
            if isLocked {
                log.debug("Trying private key: \(identity.name)")
                guard let revealed = identities.revealed(identity) else { continue }
                identity = revealed
            }
            guard let key = identity.publicKey else { continue }
            guard identities.canSign(identity) else {
                log.debug("no separate private key for certificate \"\(identity.name)\"")
                continue
            }
            guard
                let algorithm = connection.publicKeyAlgorithm(
                    for: key.type,
                    allowed: settings.algorithms.publicKey
                )
            else {
                log.debug("Skipping key \(identity.name): no mutual signature algorithm")
                continue
            }
            if !isLocked { log.debug("Offering public key: \(identity.description)") }
            current = identity
            lastMethod = "publickey"
            connection.authenticatePublicKey(
                keyBlob: key.blob,
                algorithm: algorithm,
                probing: !isLocked,
                bindingHostKey: settings.options.pubkeyAuthentication != .unbound
            )
            return true
        }
        return false
    }

    private func sign(
        _ request: SigningRequest,
        on connection: inout ClientConnection
    ) throws(ProtocolError) {
        if lastMethod == "hostbased" {
            guard let signature = hostKeys?.sign(request.data) else {
                connection.declineSignature()
                return try next(on: &connection)
            }
            return connection.provideSignature(signature)
        }
        if let current { log.debug("Server accepts key: \(current.description)") }
        guard let identity = current,
            let signature = identities.sign(
                request.data,
                with: identity,
                algorithm: request.algorithm
            )
        else {
            connection.declineSignature()
            // Another key or method goes on where this one stopped.
            return try next(on: &connection)
        }
        connection.provideSignature(signature)
    }

    // MARK: hostbased

    private func offerHost(on connection: inout ClientConnection) -> Bool {
        guard let descriptor else { return false }
        let keys =
            hostKeys ?? HostBasedKeys(settings, descriptor: descriptor, log: log)
        hostKeys = keys
        guard let attempt = keys.next() else { return false }
        lastMethod = "hostbased"
        connection.authenticateHostBased(
            keyBlob: attempt.key.blob,
            algorithm: attempt.algorithm,
            clientHostName: keys.clientHostName,
            clientUser: settings.localUser.name
        )
        return true
    }

    // MARK: password

    private func askPassword(on connection: inout ClientConnection) -> Bool {
        guard passwordPrompts < prompts else { return false }
        if passwordPrompts > 0 { log.error("Permission denied, please try again.") }
        passwordPrompts += 1
        // Where nobody can be asked, the empty password is tried, as OpenSSH does.
        let question = "\(settings.user)@\(promptHost)'s password: "
        let password = Prompts.ask(question, tells: log.level >= .fatal) ?? SecretBytes([])
        lastMethod = "password"
        connection.authenticatePassword(password)
        return true
    }

    private var promptHost: String { settings.options.hostKeyAlias ?? settings.host }

    private func change(
        _ prompt: String,
        on connection: inout ClientConnection
    ) throws(ProtocolError) {
        if !prompt.isEmpty { log.info("\(prompt.visible)") }
        let name = "\(settings.user)@\(promptHost)"
        guard prompts > 0, let old = Prompts.ask("Enter \(name)'s old password: ") else {
            return try next(on: &connection)
        }
        while true {
            guard let new = Prompts.ask("Enter \(name)'s new password: "),
                let again = Prompts.ask("Retype \(name)'s new password: ")
            else { return try next(on: &connection) }
            if new == again { return connection.changePassword(old, to: new) }
            log.info("Mismatch; try again, EOF to quit.")
        }
    }

    // MARK: keyboard-interactive

    private func answer(
        _ request: InformationRequest,
        on connection: inout ClientConnection
    ) throws(ProtocolError) {
        if !request.name.isEmpty { log.info("\(request.name.visible)") }
        if !request.instruction.isEmpty { log.info("\(request.instruction.visible)") }
        var answers: [SecretBytes] = []
        for prompt in request.prompts {
            hasAnsweredPrompt = true
            let text = "(\(settings.user)@\(promptHost)) \(prompt.text.visible)"
            guard let answer = Prompts.ask(text, prompt.echo ? .visible : .secret) else {
                return try next(on: &connection)
            }
            answers.append(answer)
        }
        connection.answerInformation(answers)
    }
}
