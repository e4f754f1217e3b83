// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Learns the further host keys of a server whose key is known, and forgets those that it has no
/// more (`UpdateHostKeys`; PROTOCOL §2.5).
///
/// The server tells its keys; new ones it must prove before they are written down.
final class HostKeyUpdate {
    private let settings: ClientSettings
    private let verification: HostKeyVerification
    private let log: Log
    private let mode: ClientOptions.Ask
    private var isOver = false
    /// The keys to be proved, in the order of the request.
    private var awaited: [PublicKey]?
    private var retained: [PublicKey] = []
    private var obsolete: [KnownHosts.Match] = []
    /// Gives the terminal back for as long as the user is asked.
    var lendingTerminal: (() -> Bool) -> Bool = { $0() }

    init(_ settings: ClientSettings, _ verification: HostKeyVerification, log: Log) {
        self.settings = settings
        self.verification = verification
        self.log = log
        let options = settings.options
        let isSafeByDefault =
            options.userKnownHostsFile == nil && options.verifyHostKeyDNS ?? .no == .no
        let wanted = options.updateHostKeys ?? (isSafeByDefault ? .yes : .no)
        mode = wanted == .ask && !Self.mayAsk(settings, log) ? .no : wanted
    }

    /// Nobody is asked in front of a program's session, only in front of a shell's.
    private static func mayAsk(_ settings: ClientSettings, _ log: Log) -> Bool {
        let options = settings.options
        let persists =
            settings.controlPath != nil && options.controlMaster ?? .no != .no
            && options.controlPersist ?? .no != .no
        return settings.command == nil && options.remoteCommand == nil
            && options.sessionType ?? .default == .default && settings.standardForward == nil
            && options.requestTTY != .no && options.forkAfterAuthentication != true
            && options.batchMode != true && !persists && log.level >= .info
    }

    /// New keys would be learned without a question.
    var isWanted: Bool { mode == .yes }

    /// `hostkeys-00@openssh.com`, from a server whose own key was known to the user's files. Returns
    /// the request for proofs, if there are new keys.
    func receive(
        keyBlobs: [[UInt8]],
        on connection: inout ClientConnection
    ) -> GlobalRequestID? {
        guard mode != .no, !isOver else { return nil }
        isOver = true
        guard keyBlobs.count <= Self.maximumKeys else {
            log.debug("client_input_hostkeys: too many hostkeys in a message")
            return nil
        }
        var keys: [PublicKey] = []
        for blob in keyBlobs {
            // What is of no kind that we know is passed over.
            guard let key = try? PublicKey(blob: blob), key.certificate == nil, isAllowed(key)
            else { continue }
            log.debug3(
                "client_input_hostkeys: received \(key.type.shortName) key \(verification.fingerprint(key))"
            )
            guard !keys.contains(key) else {
                log.error("client_input_hostkeys: received duplicated host key")
                return nil
            }
            keys.append(key)
        }
        guard !keys.isEmpty else {
            log.debug("client_input_hostkeys: server sent no hostkeys")
            return nil
        }
        return compare(keys, on: &connection)
    }

    private func isAllowed(_ key: PublicKey) -> Bool {
        let isAllowed = settings.algorithms.proposal.hostKey.contains {
            PublicKeyAlgorithm(name: $0)?.keyType == key.type
        }
        if !isAllowed {
            log.debug3(
                "client_input_hostkeys: \(key.type.name) key not permitted by HostkeyAlgorithms"
            )
        }
        return isAllowed
    }

    private var names: [String] {
        [verification.name] + (verification.addressName.map { [$0] } ?? [])
    }

    private func compare(
        _ keys: [PublicKey],
        on connection: inout ClientConnection
    ) -> GlobalRequestID? {
        let known = KnownHosts(
            files: verification.sources.userFiles.compactMap { path in
                log.debug(
                    "client_input_hostkeys: searching \(path) for \(verification.name) / "
                        + "\(verification.addressName ?? "(none)")"
                )
                return (try? Files.read(path)).map { KnownHostsFile(path: path, contents: $0) }
            }
        )
        let matches = known.entries(for: verification.name)
        guard matches.allSatisfy({ $0.entry.marker == .none && $0.entry.isSimple }) else {
            log.debug(
                "client_input_hostkeys: CA/revocation marker, manual host list or wildcard host "
                    + "pattern found, skipping UserKnownHostsFile update"
            )
            return nil
        }
        let new = keys.filter { key in !matches.contains { $0.entry.key == key } }
        retained = keys.filter { key in matches.contains { $0.entry.key == key } }
        obsolete = matches.filter { !keys.contains($0.entry.key) }
        let isKnownElsewhere = new.contains { key in
            known.entries(holding: key).contains { !$0.entry.matches(verification.name) }
        }
        log.debug3(
            "client_input_hostkeys: \(keys.count) server keys: \(new.count) new, "
                + "\(retained.count) retained, 0 incomplete match. \(obsolete.count) to remove"
        )
        if isKnownElsewhere {
            log.debug(
                "client_input_hostkeys: host key found matching a different name/address, skipping "
                    + "UserKnownHostsFile update"
            )
            return nil
        }
        let isKeptElsewhere = obsolete.contains { match in
            known.entries(holding: match.entry.key).contains {
                !$0.entry.matches(verification.name)
            }
        }
        if isKeptElsewhere {
            log.debug(
                "client_input_hostkeys: key(s) for \(verification.name) exist under other names; "
                    + "skipping UserKnownHostsFile update"
            )
            return nil
        }
        if !new.isEmpty {
            let id = connection.requestGlobal(.proveHostKeys(new.map(\.blob)), wantReply: true)
            awaited = new
            return id
        }
        if !obsolete.isEmpty {
            update([])
        } else {
            log.debug("client_input_hostkeys: no new or deprecated keys from server")
        }
        return nil
    }

    var isAwaitingProofs: Bool { awaited != nil }

    /// The answer to our request for proofs; nil when the server has none.
    func receive(proofs: [UInt8]?, sessionIdentifier: [UInt8]) {
        guard let keys = awaited else { return }
        awaited = nil
        guard let proofs else {
            return log.error("Server failed to confirm ownership of private host keys")
        }
        guard let signatures = try? GlobalRequest.signatures(in: proofs),
            signatures.count == keys.count
        else {
            return log.error("client_global_hostkeys_prove_confirm: malformed proofs")
        }
        for (key, signature) in zip(keys, signatures) {
            let signed = GlobalRequest.signedProof(
                ofHostKey: key.blob,
                sessionIdentifier: sessionIdentifier
            )
            do throws(KeyError) {
                try key.verify(
                    signature: signature,
                    over: signed.rawBytes,
                    minimumRSABits: settings.options.requiredRSASize ?? 1024,
                    requiringUserPresence: false
                )
            } catch {
                log.error(
                    "server gave bad signature for \(key.type.shortName) key: \(error)"
                )
                return
            }
        }
        update(keys)
    }

    // MARK: Writing

    private func update(_ learned: [PublicKey]) {
        if mode == .ask {
            log.info("The server has updated its host keys.")
            log.info("These changes were verified by the server's existing trusted key.")
        }
        for key in learned {
            announce("Learned new hostkey: \(key.type.shortName) \(verification.fingerprint(key))")
        }
        for match in obsolete {
            let key = match.entry.key
            announce(
                "Deprecating obsolete hostkey: \(key.type.shortName) \(verification.fingerprint(key))"
            )
        }
        if mode == .ask, !lendingTerminal(isConfirmed) { return }
        let gone = obsolete.map(\.entry.key)
        for (index, path) in verification.sources.userFiles.enumerated() {
            do throws(SystemError) {
                try rewrite(path, removing: gone, adding: index == 0 ? learned : [])
            } catch {
                log.error("hostfile_replace_entries failed for \(path): \(error.reason)")
            }
        }
    }

    private func announce(_ text: String) {
        if mode == .ask { log.info(text) } else { log.verbose(text) }
    }

    private func isConfirmed() -> Bool {
        for _ in 0..<3 {
            guard let answer = Prompts.ask("Accept updated hostkeys? (yes/no): ", .visible) else {
                return false
            }
            let word = String(octets: answer.bytes).trimmed.lowercased()
            if word == "yes" { return true }
            if word == "no" { return false }
            log.error("Please enter \"yes\" or \"no\"")
        }
        return false
    }

    /// Replaces a file by one without the lines of `gone` for this host and with lines for `learned`.
    private func rewrite(
        _ path: String,
        removing gone: [PublicKey],
        adding learned: [PublicKey]
    ) throws(SystemError) {
        guard path != "/dev/null" else { return }
        // A link stays, and its target is replaced.
        let target = Files.canonical(path) ?? path
        let contents = Files.exists(target) ? try Files.read(target) : []
        var lines: [[UInt8]] = []
        var isChanged = false
        for line in KnownHostsFile(path: path, contents: contents).lines {
            if let entry = line.entry, gone.contains(entry.key),
                names.contains(where: { entry.matches($0) })
            {
                log.verbose(
                    "\(path):\(line.number): Removed \(entry.key.type.shortName) key for host "
                        + verification.name
                )
                isChanged = true
                if let rest = entry.withoutNames(names) { lines.append(rest.octets) }
            } else {
                lines.append(line.bytes)
            }
        }
        for key in learned {
            log.verbose(
                "Adding new key for \(verification.name) to \(path): \(key.type.name) "
                    + verification.fingerprint(key)
            )
            isChanged = true
            let texts = HostKeyRecords.lines(
                key,
                names: names,
                isHashed: settings.options.hashKnownHosts == true
            )
            lines += texts.map { $0.octets }
        }
        guard isChanged else { return }
        let mode = Files.status(target)?.mode ?? 0o600
        try Files.replace(target, with: Array(lines.map { $0 + [10] }.joined()), mode: mode)
    }

    /// Host keys in one message.
    private static let maximumKeys = 128
}

extension KnownHostsLine.Entry {
    /// Names one by one, without patterns: what a program may rewrite.
    var isSimple: Bool { isHashed || !hosts.contains { $0 == "*" || $0 == "?" || $0 == "!" } }

    /// The line for the other hosts of this one; nil when there are none.
    func withoutNames(_ names: [String]) -> String? {
        guard !isHashed else { return nil }
        let others = hosts.split(separator: ",").map(String.init).filter {
            !names.contains($0.lowercased())
        }
        guard !others.isEmpty else { return nil }
        return KnownHostsFile.line(names: others, key: key, marker: marker, comment: comment)
    }
}
