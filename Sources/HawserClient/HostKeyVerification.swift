// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
internal import HawserCrypto
package import HawserKeys
package import HawserLog
package import HawserSystem
internal import HawserTool
internal import HawserWire

/// Decides about a server's host key as ssh(1) VERIFYING HOST KEYS describes.
package struct HostKeyVerification {
    let settings: ClientSettings
    let log: Log
    /// What the host is called in known_hosts and in certificates.
    let host: String
    /// `host`, or `[host]:port`.
    let name: String
    /// The port is not the usual one: the host may also be known without it.
    let hasUnusualPort: Bool
    /// The server's address, or nil behind a proxy.
    let address: SocketAddress?
    let sources: HostKeySources

    package init(
        _ settings: ClientSettings,
        address: SocketAddress?,
        log: Log
    ) throws(ConfigError) {
        self.settings = settings
        self.log = log
        self.address = address
        if let alias = settings.options.hostKeyAlias {
            host = alias.lowercased()
            name = host
            hasUnusualPort = false
            log.debug("using hostkeyalias: \(alias)")
        } else {
            host = settings.host
            name = KnownHosts.name(host: host, port: settings.port)
            hasUnusualPort = name != host
        }
        sources = try HostKeySources(settings, log: log)
    }

    package enum Verdict: Equatable, Sendable {
        /// `isPlainAndKnown`: the user's own files know this very key, or the user has just said yes,
        /// so that its server may tell of others (`UpdateHostKeys`).
        case accepted(isPlainAndKnown: Bool)
        /// The user wants to go on with a server that may be another: without secrets.
        case acceptedWithoutTrust
        case refused
    }

    /// Whether to go on. Says why when not.
    package func verdict(on key: PublicKey) -> Verdict {
        describe(key)
        guard !isRevokedByFile(key) else { return refused() }
        var record = DNSVerdict.notAsked
        if let dns = settings.options.verifyHostKeyDNS, dns != .no {
            record = verdictOfDNS(key.plain)
            if record == .matches(isSecure: true), dns == .yes {
                return .accepted(isPlainAndKnown: false)
            }
        }
        if settings.options.noHostAuthenticationForLocalhost == true,
            settings.options.hostKeyAlias == nil, address?.isLoopback == true
        {
            log.debug("Forcing accepting of host key for loopback/localhost.")
            return .accepted(isPlainAndKnown: false)
        }
        return verdictOfFiles(key, record)
    }

    private func describe(_ key: PublicKey) {
        guard let certificate = key.certificate else {
            return log.debug("Server host key: \(key.type.name) \(fingerprint(key))")
        }
        let authority = certificate.signatureKey
        log.debug(
            "Server host certificate: \(key.type.name) \(fingerprint(key)), serial "
                + "\(certificate.serial) ID \"\(certificate.keyID.visible)\" CA "
                + "\(authority.type.name) \(fingerprint(authority)) "
                + "valid \(certificate.validity)"
        )
        for principal in certificate.principals {
            log.debug2("Server host certificate hostname: \(principal.visible)")
        }
    }

    func fingerprint(_ key: PublicKey) -> String {
        key.fingerprint(
            settings.options.fingerprintHash.flatMap { Fingerprint.Hash(word: $0) } ?? .sha256
        )
    }

    // MARK: known_hosts

    private var strictness: ClientOptions.StrictHostKeyChecking {
        settings.options.strictHostKeyChecking ?? .ask
    }

    private func verdictOfFiles(_ key: PublicKey, _ record: DNSVerdict) -> Verdict {
        guard let known = sources.knownHosts(for: key, name: name, reason: .hostName) else {
            return .refused
        }
        var verdict = known.verdict(on: key, for: name)
        var withoutPort = false
        if case .unknown = verdict, hasUnusualPort {
            log.debug("checking without port identifier")
            let other = known.verdict(on: key, for: host)
            switch other {
            case .known, .revoked:
                verdict = other
                withoutPort = true
            case .changed, .unknown: break
            }
        }
        switch verdict {
        case .known(let match):
            if key.certificate != nil {
                log.debug("Found CA key in \(match.path):\(match.line)")
                guard isValid(key) else { return retryPlain(key, record) }
            } else {
                log.debug("Host '\(name)' is known and matches the \(key.type.shortName) host key.")
                log.debug("Found key in \(match.path):\(match.line)")
            }
            if withoutPort { log.debug("found matching key w/out port") }
            guard addressAgrees(key, known, match) else { return refused() }
            showPicture(key)
            return .accepted(
                isPlainAndKnown: key.certificate == nil && !withoutPort
                    && sources.userFiles.contains(match.path)
            )
        case .revoked:
            return acceptsRevoked(key) ? .acceptedWithoutTrust : refused()
        case .changed(let match):
            if key.certificate != nil { return retryPlain(key, record) }
            return acceptsChanged(key, match, known)
                ? .acceptedWithoutTrust : refused()
        case .unknown:
            if key.certificate != nil { return retryPlain(key, record) }
            return verdictOnUnknown(key, known, record)
        }
    }

    /// Nobody vouches for the certificate; the key inside it may be known by itself.
    private func retryPlain(_ key: PublicKey, _ record: DNSVerdict) -> Verdict {
        log.debug("No matching CA found. Retry with plain key")
        return verdictOfFiles(key.plain, record)
    }

    private func isValid(_ key: PublicKey) -> Bool {
        do throws(CertificateRefusal) {
            _ = try key.validCertificate(
                of: .host,
                for: [host],
                at: Clock.epochSeconds,
                allowing: settings.algorithms.certificates,
                minimumRSABits: settings.options.requiredRSASize ?? 1024
            )
            return true
        } catch .signature(.algorithmNotAllowed) {
            log.error("Certificate signed with disallowed algorithm")
        } catch .unsupportedOption {
            log.error("Certificate contains unsupported critical options")
        } catch {
            log.error("\(error)")
        }
        return false
    }

    func refused() -> Verdict {
        log.error("Host key verification failed.")
        return .refused
    }

    private func showPicture(_ key: PublicKey) {
        guard settings.options.visualHostKey == true else { return }
        log.info("Host key fingerprint is \(fingerprint(key))\n" + Randomart.picture(of: key))
    }

    // MARK: Unknown

    private func verdictOnUnknown(
        _ key: PublicKey,
        _ known: KnownHosts,
        _ record: DNSVerdict
    ) -> Verdict {
        var isConfirmed = false
        switch strictness {
        case .yes:
            log.error(
                "No \(key.type.shortName) host key is known for \(name) and you have requested strict "
                    + "checking."
            )
            return refused()
        case .no, .acceptNew: break
        case .ask:
            guard settings.options.batchMode != true, asks(key, known, record) else {
                return refused()
            }
            isConfirmed = true
        }
        remember(key, known)
        return .accepted(isPlainAndKnown: isConfirmed)
    }

    private func asks(_ key: PublicKey, _ known: KnownHosts, _ record: DNSVerdict) -> Bool {
        let shown =
            address.map { KnownHosts.name(host: $0.host, port: settings.port) }
            ?? "<no hostip for proxy command>"
        var question = "The authenticity of host '\(name) (\(shown))' can't be established.\n"
        question += "\(key.type.shortName) key fingerprint is \(fingerprint(key)).\n"
        if settings.options.visualHostKey == true { question += Randomart.picture(of: key) + "\n" }
        if settings.options.verifyHostKeyDNS == .ask || settings.options.verifyHostKeyDNS == .yes {
            if case .matches = record {
                question += "Matching host key fingerprint found in DNS.\n"
            } else {
                question += "No matching host key fingerprint found in DNS.\n"
            }
        }
        question += otherNames(key, known)
        question += "Are you sure you want to continue connecting (yes/no/[fingerprint])? "
        while true {
            guard let answer = Prompts.ask(question, .visible) else { return false }
            // The first word counts.
            let words = String(octets: answer.bytes).trimmed.split { $0 == " " || $0 == "\t" }
            let word = words.first.map { String($0) } ?? ""
            if word.isEmpty || word.lowercased() == "no" { return false }
            if word.lowercased() == "yes" || word == fingerprint(key) { return true }
            question = "Please type 'yes', 'no' or the fingerprint: "
        }
    }

    private func otherNames(_ key: PublicKey, _ known: KnownHosts) -> String {
        let others = known.entries(holding: key)
        guard !others.isEmpty else { return "This key is not known by any other names.\n" }
        var text = "This host key is known by the following other names/addresses:\n"
        for match in others.prefix(8) {
            let hosts = match.entry.isHashed ? "[hashed name]" : match.entry.hosts.visible
            text += "    \(match.path):\(match.line): \(hosts)\n"
        }
        if others.count > 8 { text += "    (\(others.count - 8) additional names omitted)\n" }
        return text
    }

    /// A new line in the user's first file.
    private func remember(_ key: PublicKey, _ known: KnownHosts) {
        guard let path = sources.userFiles.first else { return }
        var names = [name]
        if let addressName, case .unknown = known.verdict(on: key, for: addressName) {
            names.append(addressName)
        }
        do throws(SystemError) {
            try HostKeyRecords.append(key, names: names, isHashed: hashesNames, to: path)
            log.info(
                "Warning: Permanently added '\(names.joined(separator: ","))' "
                    + "(\(key.type.shortName)) to the list of known hosts."
            )
        } catch {
            log.info("Failed to add the host to the list of known hosts (\(path)).")
        }
    }

    private var hashesNames: Bool { settings.options.hashKnownHosts == true }

    // MARK: CheckHostIP

    /// The address as known_hosts names it, when it is to be checked too.
    var addressName: String? {
        guard settings.options.checkHostIP == true, settings.options.hostKeyAlias == nil,
            let address, !address.isLoopback, address.host != settings.host
        else { return nil }
        return KnownHosts.name(host: address.host, port: settings.port)
    }

    /// Whether the address does not speak against a host whose key is known.
    private func addressAgrees(
        _ key: PublicKey,
        _ known: KnownHosts,
        _ match: KnownHosts.Match
    ) -> Bool {
        guard let addressName, key.certificate == nil,
            let known = sources.knownHosts(for: key, name: addressName, reason: .address)
        else { return true }
        switch known.verdict(on: key, for: addressName) {
        case .known, .revoked: return true
        case .unknown:
            guard let path = sources.userFiles.first else { return true }
            do throws(SystemError) {
                try HostKeyRecords.append(
                    key,
                    names: [addressName],
                    isHashed: hashesNames,
                    to: path
                )
                log.info(
                    "Warning: Permanently added the \(key.type.shortName) host key for IP address "
                        + "'\(addressName)' to the list of known hosts."
                )
            } catch {
                log.info(
                    "Failed to add the \(key.type.shortName) host key for IP address "
                        + "'\(addressName)' to the list of known hosts (\(path))."
                )
            }
            return true
        case .changed(let other):
            let text =
                "Warning: the \(key.type.shortName) host key for '\(name)' differs from the key for "
                + "the IP address '\(addressName)'\n"
                + "Offending key for IP in \(other.path):\(other.line)\n"
                + "Matching host key in \(match.path):\(match.line)"
            switch strictness {
            case .no, .acceptNew:
                log.info(text)
                return true
            case .yes:
                log.error(text)
                log.error("Exiting, you have requested strict checking.")
                return false
            case .ask:
                guard settings.options.batchMode != true,
                    let answer = Prompts.ask(
                        text + "\nAre you sure you want to continue connecting (yes/no)? ",
                        .visible
                    )
                else { return false }
                return String(octets: answer.bytes).trimmed.lowercased() == "yes"
            }
        }
    }

    // MARK: Changed, revoked

    private func acceptsChanged(
        _ key: PublicKey,
        _ match: KnownHosts.Match,
        _ known: KnownHosts
    ) -> Bool {
        warnAddress(key, known)
        warnChanged(key)
        log.error(
            "Add correct host key in \(sources.userFiles.first ?? "~/.ssh/known_hosts") to get rid of this message."
        )
        log.error("Offending \(match.entry.key.type.shortName) key in \(match.path):\(match.line)")
        log.error("  remove with:")
        log.error("  ssh-keygen -f \"\(match.path)\" -R \"\(name)\"")
        guard strictness == .no else {
            log.error(
                "Host key for \(name) has changed and you have requested strict checking."
            )
            return false
        }
        noteWithoutTrust()
        return true
    }

    private func noteWithoutTrust() {
        let options = settings.options
        for (what, isOn) in [
            ("Password", options.passwordAuthentication),
            ("Keyboard-interactive", options.kbdInteractiveAuthentication),
        ] where isOn != false {
            log.error("\(what) authentication is disabled to avoid man-in-the-middle attacks.")
        }
    }

    func warnChanged(_ key: PublicKey) {
        warn("   WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     ")
        log.error("IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!")
        log.error(
            "Someone could be eavesdropping on you right now (man-in-the-middle attack)!"
        )
        log.error("It is also possible that a host key has just been changed.")
        log.error(
            "The fingerprint for the \(key.type.shortName) key sent by the remote host is\n"
                + "\(fingerprint(key))."
        )
        log.error("Please contact your system administrator.")
    }

    private func warnAddress(_ key: PublicKey, _ known: KnownHosts) {
        guard let addressName else { return }
        let state: String
        var offending: KnownHosts.Match?
        switch known.verdict(on: key, for: addressName) {
        case .known(let match):
            state = "is unchanged."
            offending = match
        case .unknown: state = "is unknown."
        case .revoked: return
        case .changed(let match):
            let ofHost = known.entries(for: name).map(\.entry.key)
            // Both have the same other key: nothing speaks of a wrong address.
            if ofHost.contains(match.entry.key) { return }
            state = "has a different value."
            offending = match
        }
        warn("      WARNING: POSSIBLE DNS SPOOFING DETECTED!          ")
        log.error("The \(key.type.shortName) host key for \(name) has changed,")
        log.error("and the key for the corresponding IP address \(addressName)")
        log.error("\(state) This could either mean that")
        log.error("DNS SPOOFING is happening or the IP address for the host")
        log.error("and its host key have changed at the same time.")
        guard let offending else { return }
        log.error("Offending key for IP in \(offending.path):\(offending.line)")
        log.error("  remove with:")
        log.error("  ssh-keygen -f \"\(offending.path)\" -R \"\(addressName)\"")
    }

    private func warn(_ title: String) {
        let bar = String(repeating: "@", count: 59)
        log.error(bar)
        log.error("@ \(title)@")
        log.error(bar)
    }

    /// A line `@revoked` is a warning to who checks nothing; `RevokedHostKeys` refuses always.
    private func acceptsRevoked(_ key: PublicKey) -> Bool {
        warn("      WARNING: REVOKED HOST KEY DETECTED!               ")
        log.error("The \(key.type.shortName) host key for \(name) is marked as revoked.")
        log.error("This could mean that a stolen key is being used to")
        log.error("impersonate this host.")
        guard strictness == .no else {
            log.error(
                "\(key.type.shortName) host key for \(name) was revoked and you have requested strict "
                    + "checking."
            )
            return false
        }
        noteWithoutTrust()
        return true
    }

    // MARK: Order

    /// The algorithms to offer, those first whose keys are known for the host, so that a known key is
    /// proved. Nil when `KnownHostsCommand` fails, which ends the connection.
    package func ordered(_ algorithms: [String]) -> [String]? {
        guard settings.options.hostKeyAlgorithms == nil else { return algorithms }
        guard let known = sources.knownHosts(ordering: name, host: host) else { return nil }
        let (types, hasAuthority) = known.keyTypes(for: name)
        func isKnown(_ name: String) -> Bool {
            PublicKeyAlgorithm(name: name).map { types.contains($0.keyType.plain) } ?? false
        }
        if let first = algorithms.first, isKnown(first) { return algorithms }
        func isPreferred(_ name: String) -> Bool {
            if isKnown(name) { return true }
            return hasAuthority && PublicKeyAlgorithm(name: name)?.keyType.isCertificate == true
        }
        return algorithms.filter(isPreferred) + algorithms.filter { !isPreferred($0) }
    }
}

extension Certificate {
    /// The time that it is good for, in UTC, as `-v` shows it.
    var validity: String {
        func text(_ seconds: UInt64) -> String { CivilTime.timestamp(of: Int64(clamping: seconds)) }
        return switch (validAfter, validBefore) {
        case (0, .max): "forever"
        case (0, let end): "before \(text(end))"
        case (let start, .max): "after \(text(start))"
        case (let start, let end): "from \(text(start)) to \(text(end))"
        }
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
