// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// A key that may identify the user: in a file, or in the agent.
struct Identity {
    var publicKey: PublicKey
    /// The file it comes from, or its comment in the agent.
    var name: String
    var file: String?
    var isInAgent: Bool
    /// Loaded already, because it needs no passphrase.
    var privateKey: PrivateKey?
}

/// The user's keys in the order in which they are tried (ssh_config(5), IdentityFile).
final class Identities {
    private let settings: ClientSettings
    private let log: Log
    private let agent: Agent?
    private var waiting: [Identity] = []

    init(_ settings: ClientSettings, log: Log) {
        self.settings = settings
        self.log = log
        agent = Self.agentPath(settings).flatMap(Agent.init)
        collect()
    }

    private static func agentPath(_ settings: ClientSettings) -> String? {
        switch settings.options.identityAgent {
        case nil, "SSH_AUTH_SOCK"?: Environment.value("SSH_AUTH_SOCK")
        case "none"?: nil
        case let path? where path.hasPrefix("$"): Environment.value(String(path.dropFirst()))
        case let path?: try? settings.expandPath(path)
        }
    }

    private func collect() {
        let named = settings.options.identityFiles
        let files =
            named.isEmpty
            ? ["id_rsa", "id_ecdsa", "id_ed25519", "id_mldsa44_ed25519"].map { "~/.ssh/\($0)" }
            : named
        var fromFiles: [Identity] = []
        for file in files where file.lowercased() != "none" {
            guard let path = try? settings.expandPath(file),
                let identity = identity(path, isNamed: !named.isEmpty)
            else { continue }
            if !fromFiles.contains(where: { $0.publicKey == identity.publicKey }) {
                fromFiles.append(identity)
            }
        }
        let inAgent = (agent?.identities ?? []).compactMap { entry -> Identity? in
            guard let key = try? PublicKey(blob: entry.keyBlob) else { return nil }
            return Identity(publicKey: key, name: entry.comment, isInAgent: true)
        }
        // Named files that the agent holds first, then its others, then the files.
        for entry in inAgent {
            if let index = fromFiles.firstIndex(where: { $0.publicKey == entry.publicKey }) {
                fromFiles[index].isInAgent = true
            }
        }
        waiting = fromFiles.filter(\.isInAgent)
        if settings.options.identitiesOnly != true {
            waiting += inAgent.filter { entry in
                !fromFiles.contains { $0.publicKey == entry.publicKey }
            }
        }
        waiting += fromFiles.filter { !$0.isInAgent }
        for identity in waiting {
            log.debug(
                "Will attempt key: \(identity.name) \(identity.publicKey.type.shortName) "
                    + "\(identity.publicKey.fingerprint())\(identity.isInAgent ? " agent" : "")"
            )
        }
    }

    private func identity(_ path: String, isNamed: Bool) -> Identity? {
        if let text = try? Files.read(path + ".pub", limit: 1 << 20),
            let line = try? PublicKeyLine.parse(
                String(decoding: text.prefix { $0 != 10 }, as: UTF8.self)
            )
        {
            return Identity(publicKey: line.key, name: path, file: path, isInAgent: false)
        }
        guard let contents = contents(path) else { return nil }
        if let key = try? PrivateKeyFile.parse(contents, passphrase: nil) {
            return Identity(
                publicKey: key.publicKey,
                name: path,
                file: path,
                isInAgent: false,
                privateKey: key
            )
        }
        guard let key = try? PrivateKeyFile.publicKey(in: contents) else {
            if isNamed { log.error("Load key \"\(path)\": error in libcrypto") }
            return nil
        }
        return Identity(publicKey: key, name: path, file: path, isInAgent: false)
    }

    /// A private key file that only its owner can read, or nil, said why.
    private func contents(_ path: String) -> [UInt8]? {
        guard let status = Files.status(path) else { return nil }
        if status.uid == Daemon.realUser, status.mode & 0o077 != 0 {
            let bar = String(repeating: "@", count: 59)
            let digits = String(status.mode & 0o777, radix: 8)
            let mode = "0" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
            log.error(bar)
            log.error("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
            log.error(bar)
            log.error("Permissions \(mode) for '\(path)' are too open.")
            log.error("It is required that your private key files are NOT accessible by others.")
            log.error("This private key will be ignored.")
            log.error("Load key \"\(path)\": bad permissions")
            return nil
        }
        return try? Files.read(path, limit: PrivateKeyFile.maximumBytes)
    }

    /// The next key to try.
    func next() -> Identity? { waiting.isEmpty ? nil : waiting.removeFirst() }

    /// A signature blob by the identity's key, asking for a passphrase where there must be one.
    func sign(_ data: [UInt8], with identity: Identity, algorithm: String) -> [UInt8]? {
        if identity.isInAgent, let agent {
            if let signature = agent.sign(
                data,
                keyBlob: identity.publicKey.blob,
                algorithm: algorithm
            ) {
                return signature
            }
            log.error(
                "sign_and_send_pubkey: signing failed for \(identity.publicKey.type.shortName) \"\(identity.name)\" from agent: agent refused operation"
            )
            return nil
        }
        guard let key = identity.privateKey ?? load(identity) else { return nil }
        return try? key.sign(data.rawBytes, algorithm: algorithm)
    }

    private func load(_ identity: Identity) -> PrivateKey? {
        guard let path = identity.file, let contents = contents(path) else { return nil }
        do throws(KeyError) {
            return try PrivateKeyFile.parse(contents, passphrase: nil)
        } catch .needsPassphrase {
            return unlock(contents, path)
        } catch {
            log.error("Load key \"\(path)\": \(error)")
            return nil
        }
    }

    private func unlock(_ contents: [UInt8], _ path: String) -> PrivateKey? {
        guard settings.options.batchMode != true else { return nil }
        for _ in 0..<(settings.options.numberOfPasswordPrompts ?? 3) {
            guard let passphrase = Prompts.ask("Enter passphrase for key '\(path)': "),
                !passphrase.isEmpty
            else {
                log.debug2("no passphrase given, try next key")
                return nil
            }
            do throws(KeyError) {
                return try PrivateKeyFile.parse(contents, passphrase: passphrase)
            } catch .wrongPassphrase {
                log.debug2("bad passphrase given, try again...")
            } catch {
                log.error("Load key \"\(path)\": \(error)")
                return nil
            }
        }
        return nil
    }
}
