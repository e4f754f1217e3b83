// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserCrypto
package import HawserKeys
package import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Decides about a server's host key as ssh(1) VERIFYING HOST KEYS describes.
package struct HostKeyVerification {
    package var host: String
    package var port: UInt16
    /// The server's address, or "UNKNOWN" behind a proxy.
    package var address: String
    package var strictness: ClientOptions.StrictHostKeyChecking
    package var userFiles: [String]
    package var globalFiles: [String]
    package var hashesNames = false
    package var showsPicture = false
    package var isBatch = false
    /// `NoHostAuthenticationForLocalhost`, and the server is on this machine.
    package var trustsLoopback = false
    package var log: Log

    package init(
        host: String,
        port: UInt16,
        address: String,
        strictness: ClientOptions.StrictHostKeyChecking,
        userFiles: [String],
        globalFiles: [String],
        log: Log
    ) {
        self.host = host
        self.port = port
        self.address = address
        self.strictness = strictness
        self.userFiles = userFiles
        self.globalFiles = globalFiles
        self.log = log
    }

    private var name: String { KnownHosts.name(host: host, port: port) }

    private var known: KnownHosts {
        KnownHosts(
            files: (userFiles + globalFiles).compactMap { path in
                (try? Files.read(path)).map { KnownHostsFile(path: path, contents: $0) }
            }
        )
    }

    /// The key types that the files hold for this host, to be asked for first.
    package var knownTypes: [KeyType] { known.keyTypes(for: name).types }

    package enum Verdict: Sendable {
        case accepted
        /// The user wants to go on with a server that may be another: without secrets.
        case acceptedWithoutTrust
        case refused
    }

    /// Whether to go on. Says why when not.
    package func verdict(on key: PublicKey) -> Verdict {
        if trustsLoopback {
            log.debug("Forcing accepting of host key for loopback/localhost.")
            return .accepted
        }
        let known = known
        switch known.verdict(on: key, for: name) {
        case .known(let match):
            log.debug("Host '\(name)' is known and matches the \(key.type.shortName) host key.")
            log.debug("Found key in \(match.path):\(match.line)")
            if showsPicture {
                log.info(
                    "Host key fingerprint is \(key.fingerprint())\n" + Randomart.picture(of: key)
                )
            }
            return .accepted
        case .revoked(let match):
            warnRevoked(key, match)
            return .refused
        case .changed(let match):
            return acceptsChanged(key, match) ? .acceptedWithoutTrust : .refused
        case .unknown:
            return acceptsUnknown(key, known) ? .accepted : .refused
        }
    }

    // MARK: Unknown

    private func acceptsUnknown(_ key: PublicKey, _ known: KnownHosts) -> Bool {
        switch strictness {
        case .yes:
            log.error(
                "No \(key.type.shortName) host key is known for \(name) and you have requested strict "
                    + "checking."
            )
            log.error("Host key verification failed.")
            return false
        case .no, .acceptNew: break
        case .ask:
            guard !isBatch, asks(key, known) else {
                log.error("Host key verification failed.")
                return false
            }
        }
        remember(key)
        return true
    }

    private func asks(_ key: PublicKey, _ known: KnownHosts) -> Bool {
        let fingerprint = key.fingerprint()
        let shown =
            "\(name) (\(address == "UNKNOWN" ? "<no hostip for proxy command>" : addressName))"
        var question = "The authenticity of host '\(shown)' can't be established.\n"
        question += "\(key.type.shortName) key fingerprint is \(fingerprint).\n"
        if showsPicture { question += Randomart.picture(of: key) + "\n" }
        let others = known.entries(holding: key)
        if others.isEmpty {
            question += "This key is not known by any other names.\n"
        } else {
            question += "This host key is known by the following other names/addresses:\n"
            for match in others.prefix(8) {
                let text = match.entry.isHashed ? "[hashed name]" : match.entry.hosts
                question += "    \(match.path):\(match.line): \(text)\n"
            }
        }
        question += "Are you sure you want to continue connecting (yes/no/[fingerprint])? "
        while true {
            guard let answer = Prompts.ask(question, .visible) else { return false }
            let word = String(lossy: answer.bytes).trimmed
            if word.isEmpty || word.lowercased() == "no" { return false }
            if word.lowercased() == "yes" || word == fingerprint { return true }
            question = "Please type 'yes', 'no' or the fingerprint: "
        }
    }

    private var addressName: String { KnownHosts.name(host: address, port: port) }

    private func remember(_ key: PublicKey) {
        guard let path = userFiles.first, path != "/dev/null" else { return }
        let folder = Files.parent(of: path)
        if !Files.exists(folder) { try? Files.makeDirectory(folder, mode: 0o700) }
        let stored = hashesNames ? HashedHostName(name, salt: SystemRandom().bytes(20)).text : name
        let line = KnownHostsFile.line(names: [stored], key: key) + "\n"
        do throws(SystemError) {
            try Files.append(path, Array(line.utf8), mode: 0o600)
            log.info(
                "Warning: Permanently added '\(name)' (\(key.type.shortName)) to the list of known hosts."
            )
        } catch {
            log.info("Failed to add the host to the list of known hosts (\(path)).")
        }
    }

    // MARK: Changed, revoked

    private func acceptsChanged(_ key: PublicKey, _ match: KnownHosts.Match) -> Bool {
        let bar = String(repeating: "@", count: 59)
        log.error(bar)
        log.error("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @")
        log.error(bar)
        log.error("IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!")
        log.error(
            "Someone could be eavesdropping on you right now (man-in-the-middle attack)!"
        )
        log.error("It is also possible that a host key has just been changed.")
        log.error(
            "The fingerprint for the \(key.type.shortName) key sent by the remote host is\n"
                + "\(key.fingerprint())."
        )
        log.error("Please contact your system administrator.")
        log.error(
            "Add correct host key in \(userFiles.first ?? "~/.ssh/known_hosts") to get rid of this "
                + "message."
        )
        log.error("Offending \(match.entry.key.type.shortName) key in \(match.path):\(match.line)")
        log.error("  remove with:")
        log.error("  ssh-keygen -f \"\(match.path)\" -R \"\(name)\"")
        guard strictness == .no else {
            log.error(
                "Host key for \(name) has changed and you have requested strict checking."
            )
            log.error("Host key verification failed.")
            return false
        }
        log.error(
            "Password authentication is disabled to avoid man-in-the-middle attacks."
        )
        log.error(
            "Keyboard-interactive authentication is disabled to avoid man-in-the-middle attacks."
        )
        return true
    }

    private func warnRevoked(_ key: PublicKey, _ match: KnownHosts.Match) {
        let bar = String(repeating: "@", count: 59)
        log.error(bar)
        log.error("@       WARNING: REVOKED HOST KEY DETECTED!               @")
        log.error(bar)
        log.error("The \(key.type.shortName) host key for \(name) is marked as revoked.")
        log.error("This could mean that a stolen key is being used to")
        log.error("impersonate this host.")
        log.error(
            "\(key.type.shortName) host key for \(name) was revoked and you have requested strict "
                + "checking."
        )
        log.error("Host key verification failed.")
    }
}

extension String {
    /// Without blanks at its ends.
    var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.drop(while: \.isWhitespace))
    }
}
