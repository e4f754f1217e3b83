// SPDX-License-Identifier: Apache-2.0

internal import HawserAgentClient
internal import HawserCrypto
internal import HawserKeys
package import HawserLog
package import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The host's keys: their public halves, and the files' contents from which a private one is read
/// only when it has to sign. An agent may hold the private ones (`HostKeyAgent`).
package final class HostKeys {
    /// One key file.
    package struct Entry {
        package var path: String
        /// The private key as its file has it; empty when the agent holds it.
        package var contents: [UInt8]
        /// The key as it is sent.
        package var blob: [UInt8] { publicKey.blob }
        /// The certificate for it; empty without one.
        package var certificate: [UInt8] = []
        var publicKey: PublicKey
    }

    package private(set) var entries: [Entry] = []
    /// The path of the agent's socket.
    package var agent: String?
    /// The middleware for keys in FIDO tokens (`SecurityKeyProvider`).
    package var securityKeyProvider = "internal"
    private var opened: [Int: PrivateKey] = [:]

    package init() {}

    // MARK: Reading

    /// Reads the files that can be used, and says of the others why not.
    package func load(_ paths: [String], _ log: Log) {
        for path in paths where !load(path, log) {
            log.error("Unable to load host key: \(path)")
        }
    }

    private func load(_ path: String, _ log: Log) -> Bool {
        if agent != nil, let key = publicHalf(path) {
            // A file without the private half: the agent has that.
            if let contents = try? Files.read(path, limit: PrivateKeyFile.maximumBytes),
                PrivateKeyFile.isPrivateKey(contents)
            {
                if add(path: path, contents: contents, .none) { return true }
            }
            log.debug("will rely on agent for hostkey \(path)")
            entries.append(Entry(path: path, contents: [], publicKey: key))
            return true
        }
        guard let contents = read(path, log) else { return false }
        return add(path: path, contents: contents, log)
    }

    /// The public key of a file, or of the file with `.pub` behind its name.
    private func publicHalf(_ path: String) -> PublicKey? {
        for name in [path, path + ".pub"] {
            guard let contents = try? Files.read(name, limit: PrivateKeyFile.maximumBytes) else {
                continue
            }
            if let key = try? PublicKeyLine.parse(String(decoding: contents, as: UTF8.self)).key {
                return key
            }
        }
        return nil
    }

    private func read(_ path: String, _ log: Log) -> [UInt8]? {
        guard let status = Files.status(path) else {
            log.debug("Could not open \(path)")
            return nil
        }
        if status.uid == Daemon.realUser, status.mode & 0o077 != 0 {
            log.error("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@")
            log.error("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
            log.error("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@")
            let mode = String(status.mode & 0o777, radix: 8)
            let padded = String(repeating: "0", count: max(0, 4 - mode.count)) + mode
            log.error("Permissions \(padded) for '\(path)' are too open.")
            log.error("It is required that your private key files are NOT accessible by others.")
            log.error("This private key will be ignored.")
            log.error("Unable to load host key \"\(path)\": bad permissions")
            return nil
        }
        do throws(SystemError) {
            return try Files.read(path, limit: PrivateKeyFile.maximumBytes)
        } catch {
            log.error("Unable to load host key \"\(path)\": \(error.reason)")
            return nil
        }
    }

    /// Adds a key whose file has been read; false when it is none.
    @discardableResult
    package func add(path: String, contents: [UInt8], _ log: Log) -> Bool {
        do throws(KeyError) {
            let key: PublicKey
            if let found = try PrivateKeyFile.publicKey(in: contents),
                try !PrivateKeyFile.isEncrypted(contents)
            {
                key = found
            } else {
                let whole = try PrivateKeyFile.parse(contents)
                opened[entries.count] = whole
                key = whole.publicKey
            }
            entries.append(Entry(path: path, contents: contents, publicKey: key))
            return true
        } catch {
            log.error("Unable to load host key \"\(path)\": \(error)")
            return false
        }
    }

    /// In place of a path (`HostKey new`): a key that is made at the start and never written down.
    private static let newKey = "new"

    package static func isNew(_ path: String) -> Bool {
        path == newKey || (Files.name(of: path) == newKey && !Files.exists(path))
    }

    /// Makes an Ed25519 key for as long as the server runs.
    package func makeKey(_ log: Log) {
        let random = SystemRandom()
        guard let key = try? PrivateKey.generate(.ed25519, random: random),
            let contents = try? PrivateKeyFile.serialize(key, random: random)
        else { return }
        add(path: Self.newKey, contents: contents.exposed, log)
        log.info("New host key: \(key.publicKey.text)")
    }

    /// Adds what another process of ours has read.
    package func add(path: String, contents: [UInt8], blob: [UInt8], certificate: [UInt8]) {
        guard let key = try? PublicKey(blob: blob) else { return }
        entries.append(
            Entry(path: path, contents: contents, certificate: certificate, publicKey: key)
        )
    }

    /// Reads host certificates (`HostCertificate`), each for one of the keys.
    package func loadCertificates(_ paths: [String], _ log: Log) {
        for path in paths {
            guard let contents = try? Files.read(path, limit: PrivateKeyFile.maximumBytes),
                let line = try? PublicKeyLine.parse(String(decoding: contents, as: UTF8.self))
            else {
                log.error("Could not load host certificate \"\(path)\"")
                continue
            }
            guard line.key.certificate != nil else {
                log.error("Certificate file is not a certificate: \(path)")
                continue
            }
            guard let index = entries.firstIndex(where: { $0.publicKey == line.key.plain }) else {
                log.error("No matching private key for certificate: \(path)")
                continue
            }
            entries[index].certificate = line.key.blob
            log.debug("host certificate: \(path) matches key \(entries[index].path)")
        }
    }

    // MARK: Offering

    /// What can be offered to a client, with the algorithms of `allowed` that each key serves.
    package func offers(allowed: [String]) -> [HostKeyOffer] {
        entries.flatMap { entry -> [HostKeyOffer] in
            [
                Self.offer(entry.blob, entry.publicKey.type, allowed),
                entry.certificate.isEmpty
                    ? nil
                    : Self.offer(entry.certificate, entry.publicKey.type.certificate, allowed),
            ].compactMap { $0 }
        }
    }

    private static func offer(
        _ blob: [UInt8],
        _ type: KeyType,
        _ allowed: [String]
    ) -> HostKeyOffer? {
        let algorithms = allowed.filter { PublicKeyAlgorithm(name: $0)?.keyType == type }
        return algorithms.isEmpty ? nil : HostKeyOffer(blob: blob, algorithms: algorithms)
    }

    /// The plain keys, whether they are offered or not, with how each can sign a proof of
    /// possession.
    package var provable: [HostKeyOffer] {
        entries.map { entry in
            let algorithms = entry.publicKey.type.signatureAlgorithms.map(\.name)
            return HostKeyOffer(blob: entry.blob, algorithms: algorithms)
        }
    }

    /// Whether this is one of the host's keys or certificates.
    package func has(blob: [UInt8]) -> Bool {
        entries.contains { $0.blob == blob || $0.certificate == blob }
    }

    // MARK: Signing

    /// The signature blob of the key with this public half; nil when there is none or it cannot.
    package func sign(_ data: [UInt8], keyBlob: [UInt8], algorithm: String) -> [UInt8]? {
        guard
            let index = entries.firstIndex(where: {
                $0.blob == keyBlob || $0.certificate == keyBlob
            })
        else { return nil }
        if entries[index].contents.isEmpty {
            return agent.flatMap {
                HostKeyAgent(path: $0).sign(
                    data,
                    keyBlob: entries[index].blob,
                    algorithm: algorithm
                )
            }
        }
        if opened[index] == nil {
            opened[index] = try? PrivateKeyFile.parse(entries[index].contents)
        }
        // Nobody sits in front of a server: a token that wants a PIN does not sign here.
        return try? opened[index]?.sign(
            data,
            algorithm: algorithm,
            provider: securityKeyProvider,
            announceTouch: {},
            askPIN: { nil }
        )
    }
}
