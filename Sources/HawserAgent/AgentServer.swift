// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserKeys
package import HawserLog
internal import HawserWire

/// An agent: keys, and what may be done with them. Messages in, steps out; what needs the world
/// (a question to the user, a token, a library) is a step that its owner carries out and reports.
package struct AgentServer {
    package struct Options: Sendable {
        /// For keys that come without a lifetime.
        package var defaultLifetimeSeconds: UInt32?
        /// `-P`: patterns of the paths of libraries that may be loaded.
        package var allowedProviders = "/usr/lib*/*,/usr/local/lib*/*"
        /// `-O allow-remote-pkcs11`.
        package var allowsRemoteProviders = false
        /// `-O websafe-allow`: applications of security keys that sign anything. Nil: all do
        /// (`-O no-restrict-websafe`).
        package var anySignatureApplications: String? = "ssh:*"
        package var fingerprintHash = Fingerprint.Hash.sha256

        package init() {}
    }

    package var options: Options
    package private(set) var keys: [HeldKey] = []
    private var lock = AgentLock()
    private let log: Log
    private let random: any RandomSource
    /// The real path of a file, or nil when there is none. Paths of libraries are compared so.
    private let canonicalPath: (String) -> String?

    package init(
        options: Options,
        log: Log,
        random: any RandomSource,
        canonicalPath: @escaping (String) -> String?
    ) {
        self.options = options
        self.log = log
        self.random = random
        self.canonicalPath = canonicalPath
    }

    /// How many keys an agent holds at most.
    package static let maximumKeys = AgentReply.maximumKeys
    /// The extensions that a query is told.
    package static let extensionNames = [SessionBinding.extensionName, "query"]

    package var isLocked: Bool { lock.isLocked }

    /// When the next key is to be forgotten.
    package var deadline: UInt64? { keys.compactMap(\.expiresAt).min() }

    /// Forgets what is due.
    package mutating func tick(at now: AgentMoment) {
        keys.removeAll { key in
            guard let end = key.expiresAt, end <= now.nanoseconds else { return false }
            log.debug("expiring key '\(key.comment)'")
            return true
        }
    }

    /// Forgets everything, as a signal can ask.
    package mutating func removeAll() {
        keys.removeAll()
    }

    /// Carries out one message of a connection.
    package mutating func receive(
        _ message: RawSpan,
        bindings: inout ConnectionBindings,
        at now: AgentMoment
    ) -> AgentStep {
        tick(at: now)
        let request: AgentRequest
        do throws(AgentError) {
            request = try AgentRequest(message)
        } catch {
            log.error("refused: \(error)")
            return .reply(.failure)
        }
        // A binding counts in a locked agent too: what comes over this connection later is remote.
        switch request {
        case .bindSession(let binding): return bind(binding, &bindings)
        case .brokenBinding(let error):
            bindings.noteAttempt()
            log.error("refused: \(error)")
            return .reply(.failure)
        default: break
        }
        if lock.isLocked { return receiveLocked(request, now) }
        switch request {
        case .identities: return .reply(list(bindings, now))
        case .sign(let keyBlob, let data, let flags):
            return sign(
                PendingSignature(keyBlob: keyBlob, data: data, flags: flags, bindings: bindings),
                isConfirmed: false,
                at: now
            )
        case .add(let key, let constraints): return .reply(add(key, constraints, bindings, now))
        case .remove(let keyBlob): return .reply(remove(keyBlob, bindings, now))
        case .removeAll:
            let bound = bindings
            keys.removeAll { $0.isPermitted(to: bound, epochSeconds: now.epochSeconds) }
            return .reply(.success)
        case .removeAllRSA: return .reply(.success)
        case .addProvider(let path, let pin, let constraints):
            return addProvider(path, pin, constraints, bindings)
        case .removeProvider(let path, _):
            guard let real = canonicalPath(path) else { return .reply(.failure) }
            return .unloadProvider(path: real)
        case .lock(let passphrase):
            return .reply(lock.lock(passphrase, random: random) ? .success : .failure)
        case .unlock: return .reply(.failure)
        case .query: return .reply(.extensions(Self.extensionNames))
        case .extension(let name):
            log.debug("unsupported extension \"\(name)\"")
            return .reply(.failure)
        case .bindSession, .brokenBinding: return .reply(.failure)
        }
    }

    private mutating func receiveLocked(_ request: AgentRequest, _ now: AgentMoment) -> AgentStep {
        switch request {
        case .identities: return .reply(.identities([]))
        case .unlock(let passphrase):
            // Nobody's guess is looked at before that: who does not wait for an answer, or asks over
            // many connections, guesses no faster.
            guard now.nanoseconds >= lock.nextAttemptAt else {
                return .again(atNanoseconds: lock.nextAttemptAt)
            }
            if lock.unlock(passphrase, at: now) { return .reply(.success) }
            return .laterReply(.failure, delayNanoseconds: lock.delayNanoseconds)
        default: return .reply(.failure)
        }
    }

    private func bind(_ binding: SessionBinding, _ bindings: inout ConnectionBindings) -> AgentStep
    {
        do throws(AgentError) {
            try bindings.bind(binding)
            let purpose = binding.isForwarding ? "forwarding" : "login"
            log.debug("bound for \(purpose) to \(binding.hostKey.fingerprint())")
            return .reply(.success)
        } catch {
            log.error("refused: \(error)")
            return .reply(.failure)
        }
    }

    // MARK: Keys

    private func list(_ bindings: ConnectionBindings, _ now: AgentMoment) -> AgentReply {
        let visible = keys.filter { $0.isPermitted(to: bindings, epochSeconds: now.epochSeconds) }
        return .identities(
            visible.map { .init(keyBlob: $0.publicKey.blob, commentBytes: $0.commentBytes) }
        )
    }

    private mutating func add(
        _ key: PrivateKey,
        _ constraints: KeyConstraints,
        _ bindings: ConnectionBindings,
        _ now: AgentMoment
    ) -> AgentReply {
        var provider: String?
        if key.type.isSecurityKey {
            guard let wanted = constraints.securityKeyProvider else {
                log.error("refused: a security key without a provider")
                return .failure
            }
            guard let path = checkedProvider(wanted, bindings) else { return .failure }
            provider = path
        } else if constraints.securityKeyProvider != nil {
            log.error("refused: a provider for a key that is no security key")
            return .failure
        }
        guard constraints.certificates.isEmpty else {
            log.error("refused: certificates for a key that is not from a token")
            return .failure
        }
        let held = HeldKey(
            publicKey: key.publicKey,
            holder: .here(key),
            commentBytes: key.commentBytes,
            expiresAt: expiry(constraints, now),
            confirms: constraints.confirms,
            destinations: constraints.destinations,
            securityKeyProvider: provider
        )
        return store(held, bindings, now) ? .success : .failure
    }

    /// The path of a library that a security key may use, `internal` for our own.
    private func checkedProvider(_ wanted: String, _ bindings: ConnectionBindings) -> String? {
        if wanted.asciiLowercased == "internal" { return "internal" }
        return allowedLibrary(wanted, bindings)
    }

    private func allowedLibrary(_ wanted: String, _ bindings: ConnectionBindings) -> String? {
        if bindings.isRemote, !options.allowsRemoteProviders {
            log.error("refused: provider \"\(wanted)\" over a forwarded connection")
            return nil
        }
        guard let real = canonicalPath(wanted) else {
            log.error("refused: provider \"\(wanted)\": no such file")
            return nil
        }
        guard Pattern.listContains(options.allowedProviders, real) else {
            log.error("refused: provider \"\(real)\" is not allowed")
            return nil
        }
        return real
    }

    private func expiry(_ constraints: KeyConstraints, _ now: AgentMoment) -> UInt64? {
        // A lifetime of no seconds is over at once.
        if let seconds = constraints.lifetimeSeconds { return now.adding(seconds: seconds) }
        guard let seconds = options.defaultLifetimeSeconds, seconds > 0 else { return nil }
        return now.adding(seconds: seconds)
    }

    /// Adds a key, or puts it in the place of the one that it is another version of.
    private mutating func store(
        _ key: HeldKey,
        _ bindings: ConnectionBindings,
        _ now: AgentMoment
    ) -> Bool {
        if let index = keys.firstIndex(where: { $0.publicKey == key.publicKey }) {
            guard keys[index].isPermitted(to: bindings, epochSeconds: now.epochSeconds) else {
                return false
            }
            keys[index] = key
            return true
        }
        guard keys.count < Self.maximumKeys else {
            log.error("refused: too many keys")
            return false
        }
        keys.append(key)
        return true
    }

    private mutating func remove(
        _ keyBlob: [UInt8],
        _ bindings: ConnectionBindings,
        _ now: AgentMoment
    ) -> AgentReply {
        let index = keys.firstIndex {
            $0.publicKey.blob == keyBlob
                && $0.isPermitted(to: bindings, epochSeconds: now.epochSeconds)
        }
        guard let index else { return .failure }
        keys.remove(at: index)
        return .success
    }

    // MARK: PKCS#11

    private func addProvider(
        _ path: String,
        _ pin: SecretBytes,
        _ constraints: KeyConstraints,
        _ bindings: ConnectionBindings
    ) -> AgentStep {
        guard constraints.securityKeyProvider == nil,
            let real = allowedLibrary(path, bindings)
        else { return .reply(.failure) }
        return .loadProvider(
            ProviderRequest(path: real, pin: pin, constraints: constraints, bindings: bindings)
        )
    }

    /// Takes the keys that a library's tokens have; what the request is to be answered.
    package mutating func providerLoaded(
        _ request: ProviderRequest,
        keys found: [(key: PublicKey, label: [UInt8])],
        at now: AgentMoment
    ) -> AgentReply {
        var isSuccess = false
        let constraints = request.constraints
        for (key, label) in found {
            var shown: [PublicKey] = constraints.certificatesOnly ? [] : [key]
            shown += constraints.certificates.filter { $0.plain == key }
            for publicKey in shown {
                let held = HeldKey(
                    publicKey: publicKey,
                    holder: .provider(path: request.path),
                    commentBytes: label.isEmpty ? request.path.octets : label,
                    expiresAt: expiry(constraints, now),
                    confirms: constraints.confirms,
                    destinations: constraints.destinations,
                    securityKeyProvider: nil
                )
                // A key that is there already stays as it is.
                if keys.contains(where: { $0.publicKey == publicKey }) { continue }
                if store(held, request.bindings, now) { isSuccess = true }
            }
        }
        return isSuccess ? .success : .failure
    }

    /// The libraries that keys here come from.
    package var usedProviders: Set<String> { Set(keys.compactMap(\.providerPath)) }

    /// Forgets the keys of a library; what the request is to be answered.
    package mutating func providerUnloaded(path: String, wasLoaded: Bool) -> AgentReply {
        keys.removeAll { $0.providerPath == path }
        return wasLoaded ? .success : .failure
    }

    // MARK: Signatures

    /// Goes on with a signature after the user was asked.
    package func confirmed(
        _ pending: PendingSignature,
        isGranted: Bool,
        at now: AgentMoment
    ) -> AgentStep {
        guard isGranted else {
            log.verbose("the user refused the use of a key")
            return .reply(.failure)
        }
        guard !lock.isLocked else { return .reply(.failure) }
        return sign(pending, isConfirmed: true, at: now)
    }

    private func sign(
        _ pending: PendingSignature,
        isConfirmed: Bool,
        at now: AgentMoment
    ) -> AgentStep {
        guard let held = keys.first(where: { $0.publicKey.blob == pending.keyBlob }) else {
            log.verbose("no such key to sign with")
            return .reply(.failure)
        }
        let content = SignedContent(pending.data.rawBytes, by: held.publicKey)
        if !held.destinations.isEmpty {
            if let problem = problem(held, pending.bindings, content, now) {
                log.error("refused to sign with \(held.publicKey.fingerprint()): \(problem)")
                return .reply(.failure)
            }
        }
        if let problem = webProblem(held, content) {
            log.error("refused to sign with \(held.publicKey.fingerprint()): \(problem)")
            return .reply(.failure)
        }
        if held.confirms, !isConfirmed {
            return .confirm(pending, question: question(held, content))
        }
        let algorithm = Self.algorithm(for: held.publicKey, flags: pending.flags)
        switch held.holder {
        case .provider(let path):
            return .signInProvider(
                path: path,
                key: held.publicKey.plain,
                data: pending.data,
                algorithm: algorithm
            )
        case .here(let key):
            if case .securityKey = key.material {
                return .signInToken(
                    TokenSignature(
                        key: key,
                        provider: held.securityKeyProvider ?? "internal",
                        data: pending.data,
                        isConfirmed: isConfirmed,
                        question: notice(held)
                    )
                )
            }
            do {
                return .reply(
                    .signature(try key.sign(pending.data.rawBytes, algorithm: algorithm))
                )
            } catch {
                log.error("signature failed: \(error)")
                return .reply(.failure)
            }
        }
    }

    /// Why a key that is bound to destinations may not sign this; nil when it may.
    private func problem(
        _ held: HeldKey,
        _ bindings: ConnectionBindings,
        _ content: SignedContent,
        _ now: AgentMoment
    ) -> String? {
        guard let last = bindings.sessions.last else { return "the connection is not bound" }
        guard case .login(let login) = content else { return "not a login that can be checked" }
        guard login.sessionIdentifier == last.sessionIdentifier else {
            return "another session than the connection is bound to"
        }
        guard
            held.isPermitted(to: bindings, user: login.user, epochSeconds: now.epochSeconds)
        else { return "destination or user not permitted" }
        if let hostKey = login.hostKey {
            guard hostKey == last.hostKey else { return "another host key" }
        } else if bindings.sessions.count > 1 {
            return "a login that does not name its host key"
        }
        return nil
    }

    /// Security keys that may belong to a web site sign only what is clearly for SSH.
    private func webProblem(_ held: HeldKey, _ content: SignedContent) -> String? {
        guard let patterns = options.anySignatureApplications else { return nil }
        let application: [UInt8]
        switch held.publicKey.material {
        case .securityKeyEd25519(_, let name), .securityKeyECDSA(_, let name): application = name
        default: return nil
        }
        if Pattern.listContains(patterns, String(octets: application)) {
            return nil
        }
        if case .unknown = content { return "this may be a login to a web site" }
        return nil
    }

    private func question(_ held: HeldKey, _ content: SignedContent) -> String {
        // A comment comes from whoever added the key: it must not draw lines of its own.
        let name = String(held.comment.map { $0.isNewline ? " " : $0 })
        var text = "Allow use of key \(name)?\nKey fingerprint \(fingerprint(held))."
        if !held.destinations.isEmpty, case .login(let login) = content {
            text += "\npublic key authentication request for user \"\(login.user)\""
            text += " to listed host"
        }
        return text
    }

    private func notice(_ held: HeldKey) -> String {
        "Confirm user presence for key \(held.publicKey.type.shortName) \(fingerprint(held))"
    }

    private func fingerprint(_ held: HeldKey) -> String {
        held.publicKey.fingerprint(options.fingerprintHash)
    }

    /// What the flags of a request ask of an RSA key; others sign in their one way.
    private static func algorithm(for key: PublicKey, flags: UInt32) -> String? {
        guard key.type.plain == .rsa else { return nil }
        // Who sets both gets the first, as from OpenSSH.
        if flags & 2 != 0 { return SignatureAlgorithm.rsaSHA256.name }
        if flags & 4 != 0 { return SignatureAlgorithm.rsaSHA512.name }
        return SignatureAlgorithm.rsaSHA1.name
    }
}
