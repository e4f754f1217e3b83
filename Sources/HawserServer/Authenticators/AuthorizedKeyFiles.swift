// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// Whether a user's files let a key in: authorized_keys (`AuthorizedKeysFile`) and principals
/// (`AuthorizedPrincipalsFile`), under `StrictModes`.
struct AuthorizedKeyFiles {
    let user: User
    let isStrict: Bool
    let peer: PeerAddress
    /// The client's name, when names are looked up.
    let hostName: String?
    let fingerprintHash: Fingerprint.Hash
    /// What authorities may sign with (`CASignatureAlgorithms`).
    let authorityAlgorithms: [String]?
    let minimumRSABits: Int
    let notes: ClientNotes
    let log: Log

    /// The first line of the files that lets the key in.
    func match(_ key: PublicKey, patterns: [String]) -> AuthorizedKeysMatch? {
        for pattern in patterns {
            for path in paths(pattern) {
                log.debug("trying public key file \(path)")
                let read = Identity.reading(as: user) { contents(of: path, "authorized keys") }
                guard let contents = read else { continue }
                if let match = search(contents, path, key) { return match }
            }
        }
        return nil
    }

    /// The principals line of a file that a certificate with these principals may use.
    func principals(
        _ names: [String],
        pattern: String
    ) -> (match: AuthorizedPrincipals.Match, path: String)? {
        for path in paths(pattern) {
            log.debug("trying authorized principals file \(path)")
            let read = Identity.reading(as: user) { contents(of: path, "authorized principals") }
            guard let contents = read else { continue }
            let match = AuthorizedPrincipals.match(
                contents,
                principals: names,
                path: path,
                log: log
            )
            if let match { return (match, path) }
        }
        return nil
    }

    /// Whether the options of a line of principals keep this client out now; why is told.
    func isRefused(_ rule: AuthorizedPrincipals.Match) -> Bool {
        let place = "principals"
        if rule.options.isCertAuthority {
            notes.tell("\(place): cert-authority flag invalid here", log)
        } else if rule.options.principals != nil {
            notes.tell("\(place): principals on non-CA key", log)
        } else if let reason = refusal(of: rule.options, place) {
            if reason != Self.refused { log.info(reason) }
        } else {
            notes.tell(rule.options, at: place, log)
            return false
        }
        tellRefusal("Refused by certificate principals options")
        return true
    }

    private func contents(of path: String, _ what: String) -> [UInt8]? {
        guard Files.exists(path) else {
            log.debug("Could not open user '\(user.name)' \(what) '\(path)'")
            return nil
        }
        if isStrict, let reason = Files.distrust(of: path, owner: user.uid, home: user.home) {
            log.info("Authentication refused: \(reason)")
            notes.keep("Ignored \(what): \(reason)")
            return nil
        }
        return try? Files.read(path)
    }

    func search(
        _ contents: [UInt8],
        _ path: String,
        _ key: PublicKey
    ) -> AuthorizedKeysMatch? {
        let file = AuthorizedKeys(contents: contents)
        var bad = file.errors.filter { if case .badOptions = $0.error { true } else { false } }[...]
        func tellBad(before line: Int) {
            while let (number, error) = bad.first, number < line {
                notes.tell("\(path):\(number): \(error)", log)
                bad.removeFirst()
            }
        }
        for (number, entry) in file.entries(for: key) {
            tellBad(before: number)
            let place = "\(path):\(number)"
            if key.certificate != nil {
                if let match = certificateMatch(key, entry, place) { return match }
                continue
            }
            // Who lists principals means an authority, and not this key itself.
            if entry.options.principals != nil {
                notes.tell("\(place): principals on non-CA key", log)
                tellRefusal(Self.refused)
                continue
            }
            if isRefused(entry.options, place) { continue }
            notes.tell(entry.options, at: place, log)
            let name = "\(key.type.shortName) \(key.fingerprint(fingerprintHash))"
            return AuthorizedKeysMatch(
                options: entry.options,
                optionsText: entry.optionsText,
                certificate: [],
                description: "Accepted key \(name) found at \(place)"
            )
        }
        tellBad(before: .max)
        return nil
    }

    /// A line with `cert-authority` whose key has signed the certificate.
    private func certificateMatch(
        _ key: PublicKey,
        _ entry: AuthorizedKeysLine,
        _ place: String
    ) -> AuthorizedKeysMatch? {
        guard let certificate = key.certificate else { return nil }
        if let listed = entry.options.principals,
            !listed.contains(where: certificate.names)
        {
            log.error("Certificate does not contain an authorized principal")
            return nil
        }
        if isRefused(entry.options, place) { return nil }
        notes.tell(entry.options, at: place, log)
        guard let valid = valid(key, for: entry.options.principals ?? [user.name]) else {
            return nil
        }
        let authority = valid.authority
        return combined(
            valid,
            at: place,
            entry.options,
            text: entry.optionsText,
            description: "Accepted certificate ID \"\(certificate.keyID)\" "
                + "(serial \(certificate.serial)) signed by CA \(authority.type.shortName) "
                + "\(authority.fingerprint(fingerprintHash)) found at \(place)"
        )
    }

    /// The certificate, if it is good now for one of these names.
    func valid(_ key: PublicKey, for names: [String]?) -> ValidCertificate? {
        do throws(CertificateRefusal) {
            return try key.validCertificate(
                of: .user,
                for: names,
                at: Clock.epochSeconds,
                allowing: authorityAlgorithms,
                minimumRSABits: minimumRSABits
            )
        } catch {
            log.error("\(error)")
            switch error {
            case .unsupportedOption, .malformedOption, .repeatedOption:
                tellRefusal("Invalid certificate options")
            default: notes.keep("\(error)")
            }
            return nil
        }
    }

    /// What a line and a certificate's own options allow together; nil when they refuse.
    func combined(
        _ valid: ValidCertificate,
        at place: String = "cert",
        _ options: AuthorizedKeyOptions,
        text: String,
        description: String
    ) -> AuthorizedKeysMatch? {
        guard let ofCertificate = valid.options else { return nil }
        for name in ofCertificate.unknownExtensions {
            log.info("Certificate extension \"\(name)\" is not supported")
        }
        if let networks = ofCertificate.sourceAddresses,
            AddressPatterns.verdict(networks, peer.address) != true
                || networks.contains(where: NumericAddress.isInconsistent)
        {
            log.info(
                "\(place): Authentication tried for \(user.name) with valid certificate but not "
                    + "from a permitted source address (\(peer.address))."
            )
            notes.keep(
                "\(place): Your address '\(peer.address)' is not permitted to use this certificate "
                    + "for login."
            )
            tellRefusal("Refused by certificate options")
            return nil
        }
        do throws(CertificateRefusal) {
            notes.tell(
                try AuthorizedKeyOptions.ofCertificateAlone.limited(by: ofCertificate),
                at: place,
                log
            )
            return AuthorizedKeysMatch(
                options: try options.limited(by: ofCertificate),
                optionsText: text,
                certificate: valid.key.blob,
                description: description
            )
        } catch {
            log.error("\(error)")
            return nil
        }
    }

    /// Whether a line's options keep this client out now; why is told.
    private func isRefused(_ options: AuthorizedKeyOptions, _ place: String) -> Bool {
        guard let reason = refusal(of: options, place) else { return false }
        log.info(reason)
        if reason != Self.refused { log.error(Self.refused) }
        notes.keep(Self.refused)
        return true
    }

    private static let refused = "Refused by key options"

    private func tellRefusal(_ text: String) {
        log.error(text)
        notes.keep(text)
    }

    /// Why a line's options keep this client out now, as a line of the log.
    func refusal(of options: AuthorizedKeyOptions, _ place: String) -> String? {
        if let expiry = options.expiryTime, isOver(expiry) {
            notes.tell("\(place): entry expired at \(expiry.text)", log)
            return Self.refused
        }
        guard let from = options.from else { return nil }
        let isListed = AddressPatterns.contains(from, host: hostName, address: peer.address)
        guard isListed != true else { return nil }
        let host = hostName ?? peer.address
        notes.keep("\(place): Your host '\(host)' is not permitted to use this key for login.")
        return "\(place): Authentication tried for \(user.name) with correct key but not from a "
            + "permitted host (host=\(host), ip=\(peer.address), required=\(from))."
    }

    private func isOver(_ time: TimeSpecification) -> Bool {
        let end =
            time.isUTC
            ? time.secondsAsUTC
            : CivilTime.seconds(
                year: time.year,
                month: time.month,
                day: time.day,
                hour: time.hour,
                minute: time.minute,
                second: time.second
            )
        return Int64(clamping: Clock.epochSeconds) >= end
    }

    /// The files that a pattern means: its tokens replaced, relative to the user's home, wildcards
    /// looked up with the user's rights.
    private func paths(_ pattern: String) -> [String] {
        var path = ""
        var isToken = false
        for character in pattern {
            if isToken {
                switch character {
                case "h": path += user.home
                case "u": path += user.name
                case "U": path += String(user.uid)
                case "%": path += "%"
                default: path += "%" + String(character)
                }
                isToken = false
            } else if character == "%" {
                isToken = true
            } else {
                path.append(character)
            }
        }
        if !path.hasPrefix("/") { path = user.home + "/" + path }
        guard pattern.contains(where: { "*?[".contains($0) }) else { return [path] }
        return Identity.reading(as: user) { Files.matches(path) }
    }
}

extension TimeSpecification {
    /// `YYYY-MM-DDTHH:MM:SS`
    fileprivate var text: String {
        func padded(_ number: Int, _ count: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        let date = [padded(year, 4), padded(month, 2), padded(day, 2)].joined(separator: "-")
        let time = [hour, minute, second].map { padded($0, 2) }.joined(separator: ":")
        return date + "T" + time
    }
}

/// What lets a key in.
struct AuthorizedKeysMatch {
    /// Everything that holds for the session, a certificate's options included.
    let options: AuthorizedKeyOptions
    /// The line's options as written, for the user's process.
    let optionsText: String
    /// The certificate, which has its own; empty for a plain key.
    let certificate: [UInt8]
    /// For the log.
    let description: String
}
