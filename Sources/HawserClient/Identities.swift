// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
package import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// The user's keys in the order in which they are tried (ssh_config(5), IdentityFile): certificates
/// of `CertificateFile`, keys named in the configuration that the agent holds, its other keys, and
/// the keys that are only in files.
final class Identities {
    private let settings: ClientSettings
    private let log: Log
    private let agent: AgentConnection?
    private let tokens: TokenIdentities?
    private var all: [Identity] = []
    private var position = 0
    /// Private keys that have been opened, by file.
    private var opened: [String: PrivateKey] = [:]

    init(_ settings: ClientSettings, binding: AgentBinding?, log: Log) {
        self.settings = settings
        self.log = log
        tokens = settings.options.pkcs11Provider.flatMap { library in
            TokenIdentities(
                library: library,
                mayAsk: settings.options.batchMode != true,
                log: log
            )
        }
        agent = Self.agentPath(settings).flatMap { try? AgentConnection(path: $0) }
        if let agent, let binding {
            do throws(AgentConnection.Failure) {
                guard let request = binding.request(isForwarding: false) else { throw .refused }
                try agent.carryOut(request)
                log.debug("get_agent_identities: bound agent to hostkey")
            } catch {
                log.debug("get_agent_identities: ssh_agent_bind_hostkey: \(error)")
            }
        }
        collect()
        for identity in all { log.debug("Will attempt key: \(identity.description)") }
    }

    static func agentPath(_ settings: ClientSettings) -> String? {
        switch settings.options.identityAgent {
        case nil, "SSH_AUTH_SOCK"?: Environment.value("SSH_AUTH_SOCK")
        case "none"?: nil
        case let path? where path.hasPrefix("$") && !path.hasPrefix("${"):
            Environment.value(String(path.dropFirst()))
        case let path?: try? settings.expandPath(path)
        }
    }

    /// The first key, when none has been tried yet.
    var first: Identity? { position == 0 ? all.first : nil }

    /// The next key to try.
    func next() -> Identity? {
        guard position < all.count else { return nil }
        defer { position += 1 }
        return all[position]
    }

    /// Begins anew: another factor may want a key that did not serve for the last one.
    func restart() { position = 0 }

    // MARK: Order

    private func collect() {
        let certificates = certificatesFromFiles()
        var files =
            (tokens?.identities ?? []) + keysFromFiles(hasCertificates: !certificates.isEmpty)
        var explicit: [Identity] = []
        var others: [Identity] = []
        for entry in agentKeys() {
            guard let key = entry.publicKey else { continue }
            if let index = files.firstIndex(where: { $0.publicKey?.blob == key.blob }) {
                var identity = files.remove(at: index)
                identity.isInAgent = true
                explicit.append(identity)
            } else if settings.options.identitiesOnly != true {
                others.append(entry)
            }
        }
        all = certificates + explicit + others + files
        all.removeAll { identity in
            guard let key = identity.publicKey, let reason = unfitness(of: key) else {
                return false
            }
            log.debug("Skipping \(key.type.name) key \(identity.name) - \(reason)")
            return true
        }
    }

    private func unfitness(of key: PublicKey) -> String? {
        let isAccepted = settings.algorithms.publicKey.contains {
            PublicKeyAlgorithm(name: $0)?.keyType == key.type
        }
        if !isAccepted { return "corresponding algo not in PubkeyAcceptedAlgorithms" }
        if key.type.plain == .rsa, key.bits < settings.options.requiredRSASize ?? 1024 {
            return "too small"
        }
        return nil
    }

    private func certificatesFromFiles() -> [Identity] {
        var result: [Identity] = []
        for name in settings.options.certificateFiles where name.lowercased() != "none" {
            guard let path = expanded(name) else { continue }
            guard let key = IdentityFile.publicKey(at: path), key.type.isCertificate else {
                log.debug("certificate file \(path) type -1")
                continue
            }
            log.debug("certificate file \(path) type \(key.type.shortName)")
            if result.contains(where: { $0.publicKey?.blob == key.blob }) { continue }
            result.append(
                Identity(publicKey: key, name: path, isBareCertificate: true, isExplicit: true)
            )
        }
        return result
    }

    private func keysFromFiles(hasCertificates: Bool) -> [Identity] {
        let named = settings.options.identityFiles
        let names = named.isEmpty ? Self.defaultFiles.map { "~/.ssh/\($0)" } : named
        var result: [Identity] = []
        func add(_ key: PublicKey?, _ path: String) {
            if let key, result.contains(where: { $0.publicKey?.blob == key.blob }) { return }
            result.append(
                Identity(publicKey: key, name: path, file: path, isExplicit: !named.isEmpty)
            )
        }
        for name in names where name.lowercased() != "none" {
            guard let path = expanded(name) else { continue }
            let file = IdentityFile(path: path, log: log)
            switch file.content(isNamed: !named.isEmpty) {
            case .key(let key):
                log.debug("identity file \(path) type \(key.type.shortName)")
                add(key, path)
            case .locked:
                log.debug("identity file \(path) type -1")
                add(nil, path)
            case .nothing: log.debug("identity file \(path) type -1")
            }
            guard !hasCertificates else { continue }
            let certificate = file.certificate
            log.debug("identity file \(path)-cert type \(certificate?.type.shortName ?? "-1")")
            if let certificate { add(certificate, path) }
        }
        return result
    }

    private func expanded(_ name: String) -> String? {
        do throws(ConfigError) {
            return try settings.expandPath(name)
        } catch {
            log.error(error.text)
            return nil
        }
    }

    private func agentKeys() -> [Identity] {
        guard let agent else { return [] }
        let entries = (try? agent.identities()) ?? []
        log.debug("get_agent_identities: agent returned \(entries.count) keys")
        return entries.compactMap { entry in
            guard let key = try? PublicKey(blob: entry.keyBlob) else { return nil }
            return Identity(publicKey: key, name: entry.comment.visible, isInAgent: true)
        }
    }

    private static let defaultFiles = [
        "id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_mldsa44_ed25519",
    ]

    // MARK: Signatures

    /// Opens an identity whose public key is not known, asking for the passphrase.
    func revealed(_ identity: Identity) -> Identity? {
        guard let file = identity.file, let key = privateKey(in: file) else { return nil }
        var identity = identity
        identity.publicKey = key.publicKey.plain
        return unfitness(of: key.publicKey.plain) == nil ? identity : nil
    }

    /// A signature blob by the identity's key, asking for a passphrase where there must be one.
    func sign(_ data: [UInt8], with identity: Identity, algorithm: String) -> [UInt8]? {
        guard let publicKey = identity.publicKey else { return nil }
        if identity.isInAgent { return agentSignature(data, identity, algorithm) }
        if identity.isInToken { return tokenSignature(data, identity, algorithm) }
        if identity.isBareCertificate {
            let plain = publicKey.plain
            guard
                let holder = all.first(where: {
                    !$0.isBareCertificate && $0.publicKey?.plain == plain
                })
            else {
                log.debug("no separate private key for certificate \"\(identity.name)\"")
                return nil
            }
            return sign(data, with: holder, algorithm: algorithm)
        }
        guard let file = identity.file, let key = privateKey(in: file) else { return nil }
        guard key.publicKey.plain == publicKey.plain else {
            log.error("private key \(file) contents do not match public")
            return nil
        }
        do throws(KeyError) {
            return try key.sign(
                data,
                algorithm: algorithm,
                provider: securityKeyProvider,
                log: log,
                announceTouch: { announceTouch(key.publicKey) },
                askPIN: { askPIN(key.publicKey) }
            )
        } catch {
            log.error(
                "sign_and_send_pubkey: signing failed for \(publicKey.type.shortName) "
                    + "\"\(identity.name)\": \(error)"
            )
            return nil
        }
    }

    /// Whether a signature costs nobody anything: the key is in a file without a passphrase.
    func signsSilently(_ identity: Identity) -> Bool {
        guard let file = identity.file, !identity.isInAgent, !identity.isInToken,
            !identity.isBareCertificate, identity.publicKey?.type.isSecurityKey == false,
            settings.options.addKeysToAgent.map({ $0.mode == .no }) ?? true
        else { return false }
        if opened[file] != nil { return true }
        guard let key = IdentityFile(path: file, log: log).openedSilently else { return false }
        opened[file] = key
        return true
    }

    /// Whether there is anything to sign with, as far as that can be told beforehand.
    func canSign(_ identity: Identity) -> Bool {
        guard identity.isBareCertificate, let plain = identity.publicKey?.plain else { return true }
        return all.contains { !$0.isBareCertificate && $0.publicKey?.plain == plain }
    }

    private func tokenSignature(
        _ data: [UInt8],
        _ identity: Identity,
        _ algorithm: String
    ) -> [UInt8]? {
        guard let tokens, let key = identity.publicKey else { return nil }
        do throws(AgentConnection.Failure) {
            return try tokens.sign(data, with: key, algorithm: algorithm)
        } catch {
            log.error(
                "sign_and_send_pubkey: signing failed for \(key.type.plain.shortName) "
                    + "\"\(identity.name)\" from token: \(error)"
            )
            return nil
        }
    }

    // MARK: Security keys

    /// `SecurityKeyProvider`; a value that begins with `$` names a variable of the environment.
    private var securityKeyProvider: String {
        let value = settings.options.securityKeyProvider ?? "internal"
        guard value.hasPrefix("$") else { return value }
        return Environment.value(String(value.dropFirst())) ?? "internal"
    }

    private func announceTouch(_ key: PublicKey) {
        log.info("Confirm user presence for key \(key.plain.type.shortName) \(key.fingerprint())")
    }

    private func askPIN(_ key: PublicKey) -> SecretBytes? {
        guard settings.options.batchMode != true else { return nil }
        return Prompts.ask("Enter PIN for \(key.plain.type.shortName) key \(key.fingerprint()): ")
    }

    private func agentSignature(
        _ data: [UInt8],
        _ identity: Identity,
        _ algorithm: String
    ) -> [UInt8]? {
        guard let agent, let key = identity.publicKey else { return nil }
        do throws(AgentConnection.Failure) {
            return try agent.sign(data, keyBlob: key.blob, algorithm: algorithm)
        } catch {
            log.error(
                "sign_and_send_pubkey: signing failed for \(key.type.plain.shortName) "
                    + "\"\(identity.name)\" from agent: \(error)"
            )
            return nil
        }
    }

    private func privateKey(in file: String) -> PrivateKey? {
        if let key = opened[file] { return key }
        let prompts =
            settings.options.batchMode == true ? 0 : settings.options.numberOfPasswordPrompts ?? 3
        guard let result = IdentityFile(path: file, log: log).open(prompts: prompts) else {
            return nil
        }
        opened[file] = result.key
        addToAgent(result.key, file)
        return result.key
    }

    // MARK: AddKeysToAgent

    private func addToAgent(_ key: PrivateKey, _ file: String) {
        guard let agent, let wish = settings.options.addKeysToAgent, wish.mode != .no else {
            return
        }
        // The name of the file says more than nothing.
        let named = key.commentBytes.isEmpty ? key.commented(file.octets) : key
        if wish.mode == .ask {
            let question = "Add key \(file) (\(named.comment.visible)) to agent?"
            guard Permission.isGiven(question) else {
                return log.debug("user denied adding this key")
            }
        }
        var constraints = KeyConstraints()
        constraints.confirms = wish.mode == .confirm
        if key.type.isSecurityKey { constraints.securityKeyProvider = securityKeyProvider }
        constraints.lifetimeSeconds = wish.seconds.flatMap { $0 == 0 ? nil : UInt32(exactly: $0) }
        do throws(AgentConnection.Failure) {
            try agent.carryOut(.add(named, constraints))
            log.debug("identity added to agent: \(file)")
        } catch {
            log.debug("could not add identity to agent: \(file) (\(error))")
        }
    }
}

extension ClientSettings {
    /// The public keys that a login would try, in their order, one line each: where it comes from, its
    /// type, its fingerprint, and how it was found (`ssh -Z`).
    package func keysToTry(_ log: Log) -> [String] {
        let identities = Identities(self, binding: nil, log: log)
        var lines: [String] = []
        while let identity = identities.next() {
            if identity.publicKey != nil { lines.append(identity.description) }
        }
        return lines
    }
}
