// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// Every way in which a key may let its holder in as a user: the user's files, the authorities that
/// the server trusts, and the program that knows keys.
struct KeyAccess {
    private let user: User
    private let settings: ServerSettings
    private let peer: PeerAddress
    private let log: Log
    private let files: AuthorizedKeyFiles

    init(
        _ user: User,
        _ settings: ServerSettings,
        _ peer: PeerAddress,
        hostName: String?,
        _ notes: ClientNotes,
        _ log: Log
    ) {
        self.user = user
        self.settings = settings
        self.peer = peer
        self.log = log
        files = AuthorizedKeyFiles(
            user: user,
            isStrict: settings.isStrict,
            peer: peer,
            hostName: hostName,
            fingerprintHash: settings.fingerprintHash,
            authorityAlgorithms: settings.names("casignaturealgorithms"),
            minimumRSABits: settings.minimumRSABits,
            notes: notes,
            log: log
        )
    }

    /// What lets the key in; nil when nothing does.
    func match(_ key: PublicKey) -> AuthorizedKeysMatch? {
        let revocation = Revocation(
            paths: settings.words("revokedkeys"),
            fingerprintHash: settings.fingerprintHash,
            log: log
        )
        guard !revocation.revokes(key) else { return nil }
        return files.match(key, patterns: keyPaths) ?? matchOfAuthority(key)
            ?? matchOfCommand(key)
    }

    private var keyPaths: [String] {
        let paths = settings.words("authorizedkeysfile")
        guard settings.first("authorizedkeysfile") == nil else { return paths }
        return [".ssh/authorized_keys", ".ssh/authorized_keys2"]
    }

    // MARK: TrustedUserCAKeys

    private func matchOfAuthority(_ key: PublicKey) -> AuthorizedKeysMatch? {
        guard let certificate = key.certificate,
            let path = settings.given("trustedusercakeys"),
            isTrusted(certificate.signatureKey, path)
        else { return nil }
        let hasRules =
            settings.given("authorizedprincipalsfile") != nil
            || settings.given("authorizedprincipalscommand") != nil
        let rule = hasRules ? principalsMatch(key, certificate) : nil
        guard !hasRules || rule != nil else {
            log.error("Certificate does not contain an authorized principal")
            return nil
        }
        if let rule, files.isRefused(rule) { return nil }
        guard let valid = files.valid(key, for: hasRules ? nil : [user.name]) else { return nil }
        let authority = valid.authority
        return files.combined(
            valid,
            rule?.options ?? .ofCertificateAlone,
            text: rule?.optionsText ?? "",
            description: "Accepted certificate ID \"\(certificate.keyID)\" "
                + "(serial \(certificate.serial)) signed by \(authority.type.shortName) CA "
                + "\(authority.fingerprint(settings.fingerprintHash)) via \(path)"
        )
    }

    private func isTrusted(_ authority: PublicKey, _ path: String) -> Bool {
        guard let contents = try? Files.read(path) else {
            log.error("Could not read TrustedUserCAKeys file \(path)")
            return false
        }
        let isListed = contents.split(separator: UInt8(ascii: "\n")).contains { line in
            let text = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard text.first != UInt8(ascii: "#") else { return false }
            return (try? PublicKeyLine.parse(String(octets: text)))?.key
                == authority
        }
        if !isListed {
            log.debug2(
                "CA \(authority.type.shortName) "
                    + "\(authority.fingerprint(settings.fingerprintHash)) is not listed in \(path)"
            )
        }
        return isListed
    }

    /// `AuthorizedPrincipalsFile`, then `AuthorizedPrincipalsCommand`.
    private func principalsMatch(
        _ key: PublicKey,
        _ certificate: Certificate
    ) -> AuthorizedPrincipals.Match? {
        if let pattern = settings.given("authorizedprincipalsfile"),
            let found = files.principals(certificate.principals, pattern: pattern)
        {
            log.debug3("\(found.path):\(found.match.line): matched principal")
            return found.match
        }
        guard let command = settings.given("authorizedprincipalscommand"),
            let output = run("AuthorizedPrincipalsCommand", command, key, defaultArgument: nil)
        else { return nil }
        return AuthorizedPrincipals.match(
            output,
            principals: certificate.principals,
            path: command,
            log: log
        )
    }

    // MARK: AuthorizedKeysCommand

    private func matchOfCommand(_ key: PublicKey) -> AuthorizedKeysMatch? {
        guard let command = settings.given("authorizedkeyscommand"),
            let output = run("AuthorizedKeysCommand", command, key, defaultArgument: user.name)
        else { return nil }
        return files.search(output, command, key)
    }

    private func run(
        _ keyword: String,
        _ command: String,
        _ key: PublicKey,
        defaultArgument: String?
    ) -> [UInt8]? {
        guard let name = settings.given(keyword.lowercased() + "user"),
            let account = User.named(Tokens(["u": user.name]).expand(name) ?? name)
        else {
            log.error("No user for \(keyword) specified, skipping")
            return nil
        }
        let program = AccountProgram(keyword: keyword, command: command, account: account, log: log)
        return program.output(tokens: tokens(for: key), defaultArgument: defaultArgument)
    }

    /// sshd_config(5), TOKENS.
    private func tokens(for key: PublicKey) -> Tokens {
        let hash = settings.fingerprintHash
        var tokens = Tokens([
            "u": user.name, "U": String(user.uid), "h": user.home, "t": key.type.name,
            "k": Base64.encode(key.blob), "f": key.fingerprint(hash),
            "C": peer.connection, "D": "",
        ])
        if let certificate = key.certificate {
            let authority = certificate.signatureKey
            tokens["i"] = certificate.keyID
            tokens["s"] = String(certificate.serial)
            tokens["T"] = authority.type.name
            tokens["F"] = authority.fingerprint(hash)
            tokens["K"] = Base64.encode(authority.blob)
        }
        return tokens
    }
}
