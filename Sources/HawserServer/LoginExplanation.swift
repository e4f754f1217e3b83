// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// `sshd --explain`: whether a login would be allowed, which line of which file decides, and what
/// would change that. Nobody logs in for it.
struct LoginExplanation {
    /// What is asked about.
    struct Question {
        var criteria: ConnectionCriteria
        var userName: String
        /// A file with a public key or certificate.
        var keyFile: String?
    }

    private let question: Question
    private let settings: ServerSettings
    private let entries: [ServerListing.Entry]
    private var lines: [String] = []
    private(set) var isAllowed = true

    init(_ question: Question, _ configuration: CapturedConfiguration) {
        var question = question
        let user = Accounts.named(question.userName)
        question.criteria.user = question.userName
        question.criteria.groups = user?.groupNames ?? []
        question.criteria.isInvalidUser = user == nil
        self.question = question
        settings = configuration.settings(for: question.criteria)
        entries = configuration.listing(for: question.criteria, []).entries
        consider(user)
    }

    /// The answer, as it is printed.
    var text: String {
        let address = question.criteria.address.map { " from \($0)" } ?? ""
        let verdict =
            isAllowed
            ? "yes: \(question.userName)\(address) could log in"
            : "no: \(question.userName)\(address) could not log in"
        return ([verdict] + lines.map { "  " + $0 }).map { $0 + "\n" }.joined()
    }

    // MARK: The steps of a login, in their order

    private mutating func consider(_ user: User?) {
        if settings.isYes("refuseconnection", default: false) {
            return refuse("RefuseConnection is in force", "refuseconnection", "set it to no")
        }
        guard let user else {
            return refuse("there is no account of this name", nil, "make one, or check the name")
        }
        let address = question.criteria.address ?? "127.0.0.1"
        let check = AccountCheck(
            settings: settings,
            address: address,
            hostName: question.criteria.host
        )
        if let reason = check.refusal(of: user) {
            return refuse(reason, Self.keyword(in: reason), Self.fix(for: reason, user))
        }
        if user.uid != 0, Files.exists("/etc/nologin") {
            return refuse("/etc/nologin keeps everybody but root out", nil, "remove it")
        }
        let methods = AccountCheck.enabledMethods(settings)
        guard !methods.isEmpty else {
            return refuse("no method of authentication is switched on", "pubkeyauthentication", nil)
        }
        let progress = MethodProgress(enabled: methods, lists: settings.authenticationMethods)
        if progress.isHopeless {
            return refuse(
                "AuthenticationMethods asks for a method that is switched off",
                "authenticationmethods",
                "switch it on or take it off the list"
            )
        }
        if let path = question.keyFile {
            considerKey(path, user, progress)
        } else {
            say("methods that could be tried first: \(progress.methods.joined(separator: ", "))")
            if user.uid == 0 { considerRoot(nil) }
        }
    }

    private mutating func considerKey(_ path: String, _ user: User, _ progress: MethodProgress) {
        guard let contents = try? Files.read(path, limit: 1 << 20),
            let key = try? PublicKeyLine.parse(String(octets: contents)).key
        else { return refuse("\(path) holds no public key", nil, "name a .pub file") }
        say("key: \(key.type.shortName) \(key.fingerprint(settings.fingerprintHash))")
        guard progress.allows("publickey") else {
            let isOff = !settings.isYes("pubkeyauthentication", default: true)
            return refuse(
                isOff ? "keys are switched off" : "a key is not among the methods to begin with",
                isOff ? "pubkeyauthentication" : "authenticationmethods",
                nil
            )
        }
        let accepted = AlgorithmDefaults.publicKey(settings).contains { name in
            PublicKeyAlgorithm(name: name)?.keyType == key.type
        }
        guard accepted else {
            return refuse(
                "no algorithm of such a key is accepted",
                "pubkeyacceptedalgorithms",
                "add one of \(Self.algorithms(of: key)) to it"
            )
        }
        if key.type.plain == .rsa, key.bits < settings.minimumRSABits {
            return refuse(
                "the RSA key has \(key.bits) bits, which is too few",
                "requiredrsasize",
                "make a longer key"
            )
        }
        let sink = CollectingSink()
        let access = KeyAccess(
            user,
            settings,
            PeerAddress(
                address: question.criteria.address ?? "127.0.0.1",
                port: 0,
                localAddress: question.criteria.localAddress ?? "127.0.0.1",
                localPort: question.criteria.localPort ?? 22
            ),
            hostName: question.criteria.host,
            ClientNotes(),
            Log(level: .debug2, sink: sink)
        )
        guard let match = access.match(key) else {
            for line in sink.lines { say(line) }
            return refuse(
                "nothing lets this key in",
                "authorizedkeysfile",
                Self.fix(forKey: sink.lines, user)
            )
        }
        say(match.description)
        if let command = match.options.command { say("it may only run: \(command)") }
        if user.uid == 0 { considerRoot(match.options) }
        var progress = progress
        if isAllowed, !progress.complete("publickey") {
            say("after the key, one of these: \(progress.methods.joined(separator: ", "))")
            cite("authenticationmethods")
        }
    }

    private mutating func considerRoot(_ options: AuthorizedKeyOptions?) {
        switch settings.rootLogin {
        case .yes, .withoutPassword: cite("permitrootlogin")
        case .forcedCommandsOnly where options?.command != nil: cite("permitrootlogin")
        case .forcedCommandsOnly:
            refuse(
                "root needs a key with a command",
                "permitrootlogin",
                "put command=\"...\" before the key"
            )
        case .no:
            refuse(
                "root may not log in",
                "permitrootlogin",
                "set it to prohibit-password"
            )
        }
    }

    // MARK: Words

    private mutating func say(_ line: String) { lines.append(line) }

    private mutating func refuse(_ reason: String, _ keyword: String?, _ fix: String?) {
        isAllowed = false
        say("because \(reason)")
        if let keyword { cite(keyword) }
        if let fix { say("fix: \(fix)") }
    }

    /// Where a keyword is said, or that it is a default.
    private mutating func cite(_ keyword: String) {
        for entry in entries where entry.name == keyword {
            let place: String
            if let origin = entry.origin {
                place =
                    "\(origin.file):\(origin.line)"
                    + (origin.block.isEmpty ? "" : " under \(origin.block)")
            } else {
                place = "default"
            }
            say("\(place): \(entry.keyword.row.name) \(entry.value)")
        }
    }

    /// The keyword that a reason of `AccountCheck` is about.
    private static func keyword(in reason: String) -> String? {
        ["DenyUsers", "AllowUsers", "DenyGroups", "AllowGroups"]
            .first { reason.contains($0) }?.lowercased()
    }

    private static func fix(for reason: String, _ user: User) -> String? {
        if reason.contains("listed in AllowUsers") { return "add \(user.name) to AllowUsers" }
        if reason.contains("listed in DenyUsers") { return "take \(user.name) off DenyUsers" }
        if reason.contains("AllowGroups") { return "add one of the user's groups to AllowGroups" }
        if reason.contains("DenyGroups") { return "take the group off DenyGroups" }
        if reason.contains("is locked") { return "passwd -u \(user.name)" }
        if reason.contains("has expired") { return "chage -E -1 \(user.name)" }
        if reason.contains("shell") { return "chsh -s /bin/bash \(user.name)" }
        return nil
    }

    private static func fix(forKey lines: [String], _ user: User) -> String {
        for line in lines {
            if line.contains("bad ownership or modes for file") {
                return "chown \(user.name) and chmod go-w the file"
            }
            if line.contains("bad ownership or modes for directory") {
                return "chown \(user.name) and chmod go-w the directory"
            }
            if line.contains("revoked") { return "use another key, or take it off RevokedKeys" }
            if line.contains("expired") { return "renew the certificate or the expiry-time" }
            if line.contains("permitted host") { return "add the address to from=\"...\"" }
            if line.contains("principal") {
                return "certify the key for \(user.name), or list its principal"
            }
        }
        return "append the key to \(user.home)/.ssh/authorized_keys"
    }

    private static func algorithms(of key: PublicKey) -> String {
        PublicKeyAlgorithm.all.filter { $0.keyType == key.type }.map(\.name)
            .joined(separator: ", ")
    }
}

/// Keeps what is logged.
private final class CollectingSink: LogSink {
    private(set) var lines: [String] = []

    func write(_ level: LogLevel, _ text: String) { lines.append(text) }
}

extension ServerProgram {
    /// Answers `--explain` and returns the exit status: 0 for a login that would be allowed.
    func explain(_ configuration: CapturedConfiguration) -> Int32 {
        var question = LoginExplanation.Question(criteria: ConnectionCriteria(), userName: "")
        for part in options.explanationSpecification {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { return usage(part) }
            let value = pair[1]
            switch pair[0] {
            case "user": question.userName = value
            case "addr": question.criteria.address = value
            case "host": question.criteria.host = value
            case "laddr": question.criteria.localAddress = value
            case "lport": question.criteria.localPort = Int(value)
            case "rdomain": question.criteria.routingDomain = value
            case "key": question.keyFile = value
            default: return usage(part)
            }
        }
        guard !question.userName.isEmpty else { return usage("user is missing") }
        let explanation = LoginExplanation(question, configuration)
        Descriptor.writeAll(1, explanation.text.octets)
        return explanation.isAllowed ? 0 : 1
    }

    private func usage(_ part: String) -> Int32 {
        Descriptor.writeAll(
            2,
            "sshd --explain user=USER[,addr=ADDRESS] [key=FILE]: \(part)\n".octets
        )
        return 2
    }
}
