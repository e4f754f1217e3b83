// SPDX-License-Identifier: Apache-2.0

internal import HawserAgentClient
internal import HawserCrypto
internal import HawserKeys
package import HawserLog
package import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The host's keys: their public halves, and where the private ones are.
///
/// No process that lives on has a private key in its memory: a child reads the files, puts them into
/// a nameless memory file (the vault) and ends; another child signs. An agent may hold the private
/// ones (`HostKeyAgent`).
package final class HostKeys {
    /// One key.
    package struct Entry {
        package var path: String
        /// Where the vault has the private key, as its file has it; nil when the agent holds it.
        var place: Range<Int>?
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
    /// The descriptor of the memory file with the private keys; -1 without any.
    package var vault: Int32 = -1

    package init() {}

    deinit { Descriptor.close(vault) }

    // MARK: Reading

    /// Reads the files that can be used, and says of the others why not; makes a key for the word
    /// `new`.
    package func load(_ paths: [String], certificates: [String], _ log: Log) {
        guard let file = try? MemoryFile.make("sshd", []) else { return }
        vault = file
        let agent = agent
        let found = Fork.answer {
            let reader = HostKeyReader(agent: agent, log)
            reader.load(paths.filter { !HostKeys.isNew($0) })
            if paths.contains(where: HostKeys.isNew) { reader.makeKey() }
            guard Descriptor.writeAll(file, reader.contents) else { return nil }
            return reader.encoding
        }
        do throws(WireError) {
            entries = try HostKeyReader.entries(decoding: found ?? [])
        } catch {
            log.error("Unable to load host keys: \(error)")
        }
        loadCertificates(certificates, log)
    }

    /// In place of a path (`HostKey new`): a key that is made at the start and never written down.
    static let newKey = "new"

    package static func isNew(_ path: String) -> Bool {
        path == newKey || (Files.name(of: path) == newKey && !Files.exists(path))
    }

    /// Reads host certificates (`HostCertificate`), each for one of the keys.
    private func loadCertificates(_ paths: [String], _ log: Log) {
        for path in paths {
            guard let contents = try? Files.read(path, limit: PrivateKeyFile.maximumBytes),
                let line = try? PublicKeyLine.parse(String(octets: contents))
            else {
                let reason = Files.reasonForAbsence(of: path) ?? "invalid format"
                log.error("Could not load host certificate \"\(path)\": \(reason)")
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
            let entry = entries.first(where: { $0.blob == keyBlob || $0.certificate == keyBlob })
        else { return nil }
        guard let place = entry.place else {
            return agent.flatMap {
                HostKeyAgent(path: $0).sign(data, keyBlob: entry.blob, algorithm: algorithm)
            }
        }
        let (vault, provider) = (vault, securityKeyProvider)
        return Fork.answer {
            guard let all = MemoryFile.contents(of: vault), place.upperBound <= all.count,
                let key = try? PrivateKeyFile.parse(Array(all[place]))
            else { return nil }
            // Nobody sits in front of a server: a token that wants a PIN does not sign here.
            return try? key.sign(
                data,
                algorithm: algorithm,
                provider: provider,
                announceTouch: {},
                askPIN: { nil }
            )
        }
    }
}
