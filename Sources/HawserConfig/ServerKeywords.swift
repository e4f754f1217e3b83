// SPDX-License-Identifier: Apache-2.0

/// A keyword of sshd_config(5): its name, the form of its value, what it is unless someone says, and
/// whether it may stand under `Match`.
struct ServerKeyword: Sendable {
    enum Form: Sendable {
        /// `yes`, `no` and further words, shown as written here.
        case choice([String])
        case number(ClosedRange<Int>)
        /// Shown in seconds.
        case time
        /// The first word.
        case word
        /// The rest of the line.
        case command
        /// All words, one blank between them.
        case words
        /// Each word of the first line a line of its own.
        case wordsApart
        /// Each word a line of its own; lines add up.
        case wordsAddUp
        /// Each line a line of its own; lines add up.
        case linesAddUp
        /// The rest of each line; the first of a name counts (`Subsystem`).
        case named
        /// A comma-separated list of names with `+`, `-` and `^`.
        case algorithms(Family)
        /// `RekeyLimit`: bytes and seconds.
        case rekeyLimit
        /// `MaxStartups`: start, rate, full.
        case maxStartups
        /// An octal number.
        case mask
    }

    enum Family: Sendable { case ciphers, macs, keyExchange, publicKey, certificateAuthority }

    let name: String
    let form: Form
    /// The values that stand when no one says otherwise; none is not shown.
    let defaults: [String]
    let isAllowedInMatch: Bool

    init(_ name: String, _ form: Form, _ defaults: [String] = [], match: Bool = false) {
        self.name = name
        self.form = form
        self.defaults = defaults
        isAllowedInMatch = match
    }

    init(_ name: String, _ form: Form, _ value: String, match: Bool = false) {
        self.init(name, form, [value], match: match)
    }

    static func flag(_ name: String, _ value: String, match: Bool = false) -> ServerKeyword {
        ServerKeyword(name, .choice(["yes", "no"]), value, match: match)
    }
}

/// Every keyword, one row each, in the order in which `sshd -T` shows them.
enum ServerKeywords {
    static let rows: [ServerKeyword] = [
        ServerKeyword("Port", .linesAddUp, "22"),
        ServerKeyword("AddressFamily", .choice(["any", "inet", "inet6"]), "any"),
        ServerKeyword("ListenAddress", .linesAddUp),
        .flag("UsePAM", "no"),
        ServerKeyword("PAMServiceName", .word, "sshd"),
        ServerKeyword("LoginGraceTime", .time, "120"),
        ServerKeyword("X11DisplayOffset", .number(0...65535), "10", match: true),
        ServerKeyword("MaxAuthTries", .number(0...1_000_000), "6", match: true),
        ServerKeyword("MaxSessions", .number(0...1_000_000), "10", match: true),
        ServerKeyword("ClientAliveInterval", .time, "0", match: true),
        ServerKeyword("ClientAliveCountMax", .number(0...1_000_000), "3", match: true),
        ServerKeyword("RequiredRSASize", .number(1024...16384), "1024", match: true),
        ServerKeyword("StreamLocalBindMask", .mask, "0177", match: true),
        ServerKeyword("UnusedConnectionTimeout", .time, "none", match: true),
        ServerKeyword(
            "PermitRootLogin",
            .choice([
                "yes", "no", "without-password", "prohibit-password", "forced-commands-only",
            ]),
            "without-password",
            match: true
        ),
        ServerKeyword("IgnoreRhosts", .choice(["yes", "no", "shosts-only"]), "yes", match: true),
        .flag("IgnoreUserKnownHosts", "no"),
        .flag("HostbasedAuthentication", "no", match: true),
        .flag("HostbasedUsesNameFromPacketOnly", "no", match: true),
        .flag("PubkeyAuthentication", "yes", match: true),
        .flag("KerberosAuthentication", "no", match: true),
        .flag("KerberosOrLocalPasswd", "yes"),
        .flag("KerberosTicketCleanup", "yes"),
        .flag("GSSAPIAuthentication", "no", match: true),
        .flag("GSSAPICleanupCredentials", "yes"),
        .flag("GSSAPIStrictAcceptorCheck", "yes"),
        .flag("PasswordAuthentication", "yes", match: true),
        .flag("KbdInteractiveAuthentication", "yes", match: true),
        .flag("PrintMotd", "yes"),
        .flag("PrintLastLog", "yes"),
        .flag("X11Forwarding", "no", match: true),
        .flag("X11UseLocalhost", "yes", match: true),
        .flag("PermitTTY", "yes", match: true),
        .flag("PermitUserRC", "yes", match: true),
        .flag("StrictModes", "yes"),
        .flag("TCPKeepAlive", "yes"),
        .flag("PermitEmptyPasswords", "no", match: true),
        ServerKeyword("Compression", .choice(["yes", "delayed", "no"]), "yes"),
        ServerKeyword(
            "GatewayPorts",
            .choice(["no", "yes", "clientspecified"]),
            "no",
            match: true
        ),
        .flag("UseDNS", "no"),
        ServerKeyword(
            "AllowTcpForwarding",
            .choice(["yes", "no", "all", "local", "remote"]),
            "yes",
            match: true
        ),
        .flag("AllowAgentForwarding", "yes", match: true),
        .flag("DisableForwarding", "no", match: true),
        ServerKeyword(
            "AllowStreamLocalForwarding",
            .choice(["yes", "no", "all", "local", "remote"]),
            "yes",
            match: true
        ),
        .flag("StreamLocalBindUnlink", "no", match: true),
        ServerKeyword("FingerprintHash", .word, "SHA256"),
        .flag("ExposeAuthInfo", "no", match: true),
        .flag("RefuseConnection", "no", match: true),
        ServerKeyword("PidFile", .word, "/var/run/sshd.pid"),
        ServerKeyword("ModuliFile", .word, "/etc/ssh/moduli"),
        ServerKeyword("XAuthLocation", .word, "/usr/bin/xauth"),
        ServerKeyword("Ciphers", .algorithms(.ciphers)),
        ServerKeyword("MACs", .algorithms(.macs)),
        ServerKeyword("Banner", .word, "none", match: true),
        ServerKeyword("ForceCommand", .command, "none", match: true),
        ServerKeyword("ChrootDirectory", .word, "none", match: true),
        ServerKeyword("TrustedUserCAKeys", .word, "none", match: true),
        ServerKeyword("RevokedKeys", .words, "none", match: true),
        ServerKeyword("SecurityKeyProvider", .word, "internal"),
        ServerKeyword("AuthorizedPrincipalsFile", .word, "none", match: true),
        ServerKeyword("VersionAddendum", .command, "none"),
        ServerKeyword("AuthorizedKeysCommand", .command, "none", match: true),
        ServerKeyword("AuthorizedKeysCommandUser", .word, "none", match: true),
        ServerKeyword("AuthorizedPrincipalsCommand", .command, "none", match: true),
        ServerKeyword("AuthorizedPrincipalsCommandUser", .word, "none", match: true),
        ServerKeyword("HostKeyAgent", .word, "none"),
        ServerKeyword("KexAlgorithms", .algorithms(.keyExchange)),
        ServerKeyword("CASignatureAlgorithms", .algorithms(.certificateAuthority), match: true),
        ServerKeyword("HostbasedAcceptedAlgorithms", .algorithms(.publicKey), match: true),
        ServerKeyword("HostKeyAlgorithms", .algorithms(.publicKey)),
        ServerKeyword("PubkeyAcceptedAlgorithms", .algorithms(.publicKey), match: true),
        ServerKeyword("SshdSessionPath", .word),
        ServerKeyword("SshdAuthPath", .word),
        ServerKeyword("RDomain", .word, "none", match: true),
        ServerKeyword("LogLevel", .word, "INFO", match: true),
        ServerKeyword("SyslogFacility", .word, "AUTH"),
        ServerKeyword(
            "AuthorizedKeysFile",
            .words,
            ".ssh/authorized_keys .ssh/authorized_keys2",
            match: true
        ),
        ServerKeyword("HostKey", .linesAddUp),
        ServerKeyword("HostCertificate", .linesAddUp),
        ServerKeyword("AllowUsers", .wordsAddUp, match: true),
        ServerKeyword("DenyUsers", .wordsAddUp, match: true),
        ServerKeyword("AllowGroups", .wordsAddUp, match: true),
        ServerKeyword("DenyGroups", .wordsAddUp, match: true),
        ServerKeyword("AcceptEnv", .wordsAddUp, match: true),
        ServerKeyword("SetEnv", .wordsApart, match: true),
        ServerKeyword("AuthenticationMethods", .words, "any", match: true),
        ServerKeyword("LogVerbose", .words, match: true),
        ServerKeyword("Subsystem", .named, match: true),
        ServerKeyword("MaxStartups", .maxStartups, "10:30:100"),
        ServerKeyword("PerSourceMaxStartups", .word, "none"),
        ServerKeyword("PerSourceNetBlockSize", .word, "32:128"),
        ServerKeyword("PerSourcePenalties", .words, "no"),
        ServerKeyword("PerSourcePenaltyExemptList", .word, "none"),
        ServerKeyword(
            "PermitTunnel",
            .choice(["no", "yes", "point-to-point", "ethernet"]),
            "no",
            match: true
        ),
        ServerKeyword("IPQoS", .words, "ef cs0", match: true),
        ServerKeyword("RekeyLimit", .rekeyLimit, "0 0", match: true),
        ServerKeyword("ChannelTimeout", .words, "none", match: true),
        ServerKeyword("PermitOpen", .words, "any", match: true),
        ServerKeyword("PermitListen", .words, "any", match: true),
        ServerKeyword("PermitUserEnvironment", .word, "no"),
        ServerKeyword("PubkeyAuthOptions", .words, "none", match: true),
    ]

    static let byName: [String: ServerKeyword] = {
        var result: [String: ServerKeyword] = [:]
        for row in rows { result[row.name.lowercased()] = row }
        for (alias, name) in aliases { result[alias.lowercased()] = result[name.lowercased()] }
        return result
    }()

    private static let aliases = [
        ("HostDSAKey", "HostKey"),
        ("HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms"),
        ("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),
        ("DSAAuthentication", "PubkeyAuthentication"),
        ("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
        ("SkeyAuthentication", "KbdInteractiveAuthentication"),
        ("KeepAlive", "TCPKeepAlive"),
    ]

    /// Accepted with a line in the log.
    static let deprecated: Set<String> = [
        "serverkeybits", "keyregenerationinterval", "rhostsauthentication",
        "rhostsrsaauthentication", "rsaauthentication", "checkmail", "uselogin",
        "verifyreversemapping", "reversemappingcheck", "authorizedkeysfile2",
        "useprivilegeseparation", "kerberostgtpassing", "afstokenpassing",
    ]

    /// Accepted without a word.
    static let ignored: Set<String> = [
        "protocol", "debianbanner", "gssapikeyexchange", "gssapistorecredentialsonrekey",
        "gssapikexalgorithms", "kerberosgetafstoken", "gssapidelegatecredentials",
    ]
}
