// SPDX-License-Identifier: Apache-2.0

/// The keywords of sshd_config(5), in the order in which `sshd -T` shows them. The number of a case
/// is the place of its row.
package enum ServerKeyword: UInt8, CaseIterable, Sendable {
    case port
    case addressFamily
    case listenAddress
    case usePAM
    case pamServiceName
    case loginGraceTime
    case x11DisplayOffset
    case maxAuthTries
    case maxSessions
    case clientAliveInterval
    case clientAliveCountMax
    case requiredRSASize
    case streamLocalBindMask
    case unusedConnectionTimeout
    case permitRootLogin
    case ignoreRhosts
    case ignoreUserKnownHosts
    case hostbasedAuthentication
    case hostbasedUsesNameFromPacketOnly
    case pubkeyAuthentication
    case kerberosAuthentication
    case kerberosOrLocalPasswd
    case kerberosTicketCleanup
    case gssapiAuthentication
    case gssapiCleanupCredentials
    case gssapiDelegateCredentials
    case gssapiStrictAcceptorCheck
    case passwordAuthentication
    case kbdInteractiveAuthentication
    case printMotd
    case printLastLog
    case x11Forwarding
    case x11UseLocalhost
    case permitTTY
    case permitUserRC
    case strictModes
    case tcpKeepAlive
    case permitEmptyPasswords
    case compression
    case gatewayPorts
    case useDNS
    case allowTcpForwarding
    case allowAgentForwarding
    case disableForwarding
    case allowStreamLocalForwarding
    case streamLocalBindUnlink
    case fingerprintHash
    case exposeAuthInfo
    case refuseConnection
    case pidFile
    case moduliFile
    case xauthLocation
    case ciphers
    case macs
    case banner
    case forceCommand
    case chrootDirectory
    case trustedUserCAKeys
    case revokedKeys
    case securityKeyProvider
    case authorizedPrincipalsFile
    case versionAddendum
    case authorizedKeysCommand
    case authorizedKeysCommandUser
    case authorizedPrincipalsCommand
    case authorizedPrincipalsCommandUser
    case hostKeyAgent
    case kexAlgorithms
    case caSignatureAlgorithms
    case hostbasedAcceptedAlgorithms
    case hostKeyAlgorithms
    case pubkeyAcceptedAlgorithms
    case sshdSessionPath
    case sshdAuthPath
    case perSourcePenaltyExemptList
    case rDomain
    case logLevel
    case syslogFacility
    case authorizedKeysFile
    case hostKey
    case hostCertificate
    case allowUsers
    case denyUsers
    case allowGroups
    case denyGroups
    case acceptEnv
    case setEnv
    case authenticationMethods
    case logVerbose
    case channelTimeout
    case subsystem
    case maxStartups
    case perSourceMaxStartups
    case perSourceNetBlockSize
    case permitTunnel
    case ipQoS
    case rekeyLimit
    case permitOpen
    case permitListen
    case permitUserEnvironment
    case pubkeyAuthOptions
    case perSourcePenalties
    case eventLog

    package var row: KeywordRow { Self.rows[Int(rawValue)] }

    /// Every keyword, one row each.
    package static let rows: [KeywordRow] = [
        KeywordRow("Port", .serverPort, "22", merge: .append),
        KeywordRow("AddressFamily", .choice("any inet inet6"), "any"),
        KeywordRow("ListenAddress", .listenAddress, merge: .append),
        KeywordRow("UsePAM", .flag, "no"),
        KeywordRow("PAMServiceName", .word(missing: "missing argument."), "sshd"),
        KeywordRow("LoginGraceTime", .time(none: "0"), "120"),
        KeywordRow("X11DisplayOffset", .number, "10", inMatch: true),
        KeywordRow("MaxAuthTries", .number, "6", inMatch: true),
        KeywordRow("MaxSessions", .number, "10", inMatch: true),
        KeywordRow("ClientAliveInterval", .time(none: "0"), "0", inMatch: true),
        KeywordRow("ClientAliveCountMax", .number, "3", inMatch: true),
        KeywordRow("RequiredRSASize", .number, "1024", inMatch: true),
        KeywordRow("StreamLocalBindMask", .mask, "0177", merge: .last, inMatch: true),
        KeywordRow("UnusedConnectionTimeout", .time(none: "none"), "none", inMatch: true),
        KeywordRow(
            "PermitRootLogin",
            .choice(
                "without-password:prohibit-password prohibit-password forced-commands-only yes no"
            ),
            "prohibit-password",
            inMatch: true
        ),
        KeywordRow(
            "IgnoreRhosts",
            .choice("yes no shosts-only"),
            "yes",
            inMatch: true
        ),
        KeywordRow("IgnoreUserKnownHosts", .flag, "no"),
        KeywordRow("HostbasedAuthentication", .flag, "no", inMatch: true),
        KeywordRow("HostbasedUsesNameFromPacketOnly", .flag, "no", inMatch: true),
        KeywordRow("PubkeyAuthentication", .flag, "yes", inMatch: true),
        KeywordRow("KerberosAuthentication", .flag, "no", inMatch: true),
        KeywordRow("KerberosOrLocalPasswd", .flag, "yes"),
        KeywordRow("KerberosTicketCleanup", .flag, "yes"),
        KeywordRow("GSSAPIAuthentication", .flag, "no", inMatch: true),
        KeywordRow("GSSAPICleanupCredentials", .flag, "yes"),
        KeywordRow("GSSAPIDelegateCredentials", .flag, "yes"),
        KeywordRow("GSSAPIStrictAcceptorCheck", .flag, "yes"),
        KeywordRow("PasswordAuthentication", .flag, "yes", inMatch: true),
        KeywordRow("KbdInteractiveAuthentication", .flag, "yes", inMatch: true),
        KeywordRow("PrintMotd", .flag, "yes"),
        KeywordRow("PrintLastLog", .flag, "yes"),
        KeywordRow("X11Forwarding", .flag, "no", inMatch: true),
        KeywordRow("X11UseLocalhost", .flag, "yes", inMatch: true),
        KeywordRow("PermitTTY", .flag, "yes", inMatch: true),
        KeywordRow("PermitUserRC", .flag, "yes", inMatch: true),
        KeywordRow("StrictModes", .flag, "yes"),
        KeywordRow("TCPKeepAlive", .flag, "yes"),
        KeywordRow("PermitEmptyPasswords", .flag, "no", inMatch: true),
        KeywordRow("Compression", .choice("yes delayed:yes no"), "yes"),
        KeywordRow(
            "GatewayPorts",
            .choice("clientspecified yes no"),
            "no",
            inMatch: true
        ),
        KeywordRow("UseDNS", .flag, "no"),
        KeywordRow(
            "AllowTcpForwarding",
            .choice("yes all:yes no remote local"),
            "yes",
            inMatch: true
        ),
        KeywordRow("AllowAgentForwarding", .flag, "yes", inMatch: true),
        KeywordRow("DisableForwarding", .flag, "no", inMatch: true),
        KeywordRow(
            "AllowStreamLocalForwarding",
            .choice("yes all:yes no remote local"),
            "yes",
            inMatch: true
        ),
        KeywordRow("StreamLocalBindUnlink", .flag, "no", inMatch: true),
        KeywordRow("FingerprintHash", .fingerprintHash, "SHA256", merge: .last),
        KeywordRow("ExposeAuthInfo", .flag, "no", inMatch: true),
        KeywordRow("RefuseConnection", .flag, "no", inMatch: true),
        KeywordRow("PidFile", .file, "/var/run/sshd.pid"),
        KeywordRow("ModuliFile", .file, "/etc/ssh/moduli"),
        KeywordRow("XAuthLocation", .file, "/usr/bin/xauth"),
        KeywordRow("Ciphers", .algorithms(.ciphers)),
        KeywordRow("MACs", .algorithms(.macs)),
        KeywordRow("Banner", .file, "none", inMatch: true),
        KeywordRow("ForceCommand", .command, "none", inMatch: true),
        KeywordRow(
            "ChrootDirectory",
            .word(missing: "ChrootDirectory missing argument."),
            "none",
            inMatch: true
        ),
        KeywordRow("TrustedUserCAKeys", .file, "none", inMatch: true),
        KeywordRow("RevokedKeys", .files, "none", inMatch: true),
        KeywordRow(
            "SecurityKeyProvider",
            .word(missing: "SecurityKeyProvider missing argument."),
            "internal"
        ),
        KeywordRow(
            "AuthorizedPrincipalsFile",
            .principalsFile,
            "none",
            inMatch: true
        ),
        KeywordRow("VersionAddendum", .command, "none"),
        KeywordRow("AuthorizedKeysCommand", .program, "none", inMatch: true),
        KeywordRow(
            "AuthorizedKeysCommandUser",
            .word(missing: "missing AuthorizedKeysCommandUser argument."),
            "none",
            inMatch: true
        ),
        KeywordRow("AuthorizedPrincipalsCommand", .program, "none", inMatch: true),
        KeywordRow(
            "AuthorizedPrincipalsCommandUser",
            .word(missing: "missing AuthorizedPrincipalsCommandUser argument."),
            "none",
            inMatch: true
        ),
        KeywordRow("HostKeyAgent", .hostKeyAgent, "none"),
        KeywordRow("KexAlgorithms", .algorithms(.keyExchange)),
        KeywordRow("CASignatureAlgorithms", .algorithms(.certificateAuthority), inMatch: true),
        KeywordRow("HostbasedAcceptedAlgorithms", .algorithms(.publicKey), inMatch: true),
        KeywordRow("HostKeyAlgorithms", .algorithms(.publicKey)),
        KeywordRow("PubkeyAcceptedAlgorithms", .algorithms(.publicKey), inMatch: true),
        KeywordRow("SshdSessionPath", .file),
        KeywordRow("SshdAuthPath", .file),
        KeywordRow("PerSourcePenaltyExemptList", .penaltyExemptions, "none"),
        KeywordRow("RDomain", .routingDomain, "none", inMatch: true),
        KeywordRow("LogLevel", .logLevel, "INFO", inMatch: true),
        KeywordRow("SyslogFacility", .logFacility, "AUTH"),
        KeywordRow(
            "AuthorizedKeysFile",
            .keyFiles,
            ".ssh/authorized_keys .ssh/authorized_keys2",
            inMatch: true
        ),
        KeywordRow("HostKey", .file, merge: .append),
        KeywordRow("HostCertificate", .file, merge: .append),
        KeywordRow("AllowUsers", .userPatterns, merge: .append, inMatch: true),
        KeywordRow("DenyUsers", .userPatterns, merge: .append, inMatch: true),
        KeywordRow("AllowGroups", .groupPatterns, merge: .append, inMatch: true),
        KeywordRow("DenyGroups", .groupPatterns, merge: .append, inMatch: true),
        KeywordRow("AcceptEnv", .acceptEnvironment, merge: .append, inMatch: true),
        KeywordRow("SetEnv", .setEnvironment, inMatch: true),
        KeywordRow("AuthenticationMethods", .authenticationMethods, "any", inMatch: true),
        KeywordRow("LogVerbose", .serverWords, inMatch: true),
        KeywordRow("ChannelTimeout", .channelTimeout, "none", inMatch: true),
        KeywordRow("Subsystem", .subsystem, merge: .named, inMatch: true),
        KeywordRow("MaxStartups", .maxStartups, "10:30:100"),
        KeywordRow("PerSourceMaxStartups", .numberOrNone, "none"),
        KeywordRow("PerSourceNetBlockSize", .netBlockSize, "32:128"),
        KeywordRow("PermitTunnel", .permitTunnel, "no", inMatch: true),
        KeywordRow("IPQoS", .ipQoS, "ef cs0", inMatch: true),
        KeywordRow("RekeyLimit", .rekeyLimit, "0 0", inMatch: true),
        KeywordRow("PermitOpen", .permitOpen, "any", inMatch: true),
        KeywordRow("PermitListen", .permitListen, "any", inMatch: true),
        KeywordRow("PermitUserEnvironment", .permitUserEnvironment, "no"),
        KeywordRow("PubkeyAuthOptions", .pubkeyAuthOptions, "none", inMatch: true),
        KeywordRow(
            "PerSourcePenalties",
            .penalties,
            "crash:90 authfail:5 noauth:1 invaliduser:5 grace-exceeded:10 refuseconnection:10 max:600 min:15 max-sources4:65536 max-sources6:65536 overflow:permissive overflow6:permissive"
        ),
        // Hawser's own.
        KeywordRow("EventLog", .eventLog),
    ]

    /// Other names of keywords.
    static let aliases: [(alias: String, keyword: ServerKeyword)] = [
        ("HostDSAKey", .hostKey),
        ("HostbasedAcceptedKeyTypes", .hostbasedAcceptedAlgorithms),
        ("PubkeyAcceptedKeyTypes", .pubkeyAcceptedAlgorithms),
        ("DSAAuthentication", .pubkeyAuthentication),
        ("ChallengeResponseAuthentication", .kbdInteractiveAuthentication),
        ("SkeyAuthentication", .kbdInteractiveAuthentication),
        ("KeepAlive", .tcpKeepAlive),
    ]

    /// Accepted with a line in the log.
    static let deprecated = [
        "ServerKeyBits", "KeyRegenerationInterval", "RhostsAuthentication",
        "RhostsRSAAuthentication", "RSAAuthentication", "CheckMail", "UseLogin",
        "VerifyReverseMapping", "ReverseMappingCheck", "AuthorizedKeysFile2",
        "UsePrivilegeSeparation", "KerberosTgtPassing", "AFSTokenPassing",
        "PAMAuthenticationViaKbdInt",
    ]

    /// Keywords that may have no argument but a comment; such a line says nothing.
    static let lists: [ServerKeyword] = [
        .acceptEnv, .authorizedKeysFile, .setEnv, .logVerbose, .channelTimeout,
    ]

    /// Accepted without a word: what OpenSSH 10.5 ignores, and the keywords that Debian adds.
    static let ignored = [
        "Protocol", "DebianBanner", "GSSAPIKeyExchange", "GSSAPIStoreCredentialsOnRekey",
        "GSSAPIKexAlgorithms",
    ]

    /// Accepted with a complaint: what a server without the Andrew file system cannot do.
    static let unsupported = ["KerberosGetAFSToken"]
}

extension ServerKeyword {
    /// What a word at the start of a line is.
    enum Meaning {
        case keyword(ServerKeyword)
        case match, include
        case ignored, deprecated, unsupported
    }

    /// Nil for a word that is no keyword. Letters' case does not matter.
    static func meaning(of word: ArraySlice<UInt8>) -> Meaning? {
        if let index = KeywordRow.index(of: word, in: rows),
            let keyword = ServerKeyword(rawValue: UInt8(index))
        {
            return .keyword(keyword)
        }
        if KeywordRow.isSame("match", word) { return .match }
        if KeywordRow.isSame("include", word) { return .include }
        if let alias = aliases.first(where: { KeywordRow.isSame($0.alias, word) }) {
            return .keyword(alias.keyword)
        }
        if ignored.contains(where: { KeywordRow.isSame($0, word) }) { return .ignored }
        if deprecated.contains(where: { KeywordRow.isSame($0, word) }) { return .deprecated }
        if unsupported.contains(where: { KeywordRow.isSame($0, word) }) { return .unsupported }
        return nil
    }
}
