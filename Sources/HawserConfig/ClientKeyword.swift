// SPDX-License-Identifier: Apache-2.0

/// The keywords of ssh_config(5), in the order in which `ssh -G` shows them. The number of a case is
/// the place of its row.
package enum ClientKeyword: UInt8, CaseIterable, Sendable {
    case user
    case hostName
    case port
    case addressFamily
    case batchMode
    case canonicalizeFallbackLocal
    case canonicalizeHostname
    case checkHostIP
    case compression
    case controlMaster
    case enableSSHKeysign
    case clearAllForwardings
    case exitOnForwardFailure
    case fingerprintHash
    case forwardX11
    case forwardX11Trusted
    case gatewayPorts
    case gssapiAuthentication
    case gssapiDelegateCredentials
    case hashKnownHosts
    case hostbasedAuthentication
    case identitiesOnly
    case kbdInteractiveAuthentication
    case noHostAuthenticationForLocalhost
    case passwordAuthentication
    case permitLocalCommand
    case proxyUseFdpass
    case pubkeyAuthentication
    case requestTTY
    case sessionType
    case stdinNull
    case forkAfterAuthentication
    case streamLocalBindUnlink
    case strictHostKeyChecking
    case tcpKeepAlive
    case tunnel
    case verifyHostKeyDNS
    case visualHostKey
    case updateHostKeys
    case enableEscapeCommandline
    case warnWeakCrypto
    case canonicalizeMaxDots
    case connectionAttempts
    case forwardX11Timeout
    case numberOfPasswordPrompts
    case serverAliveCountMax
    case serverAliveInterval
    case requiredRSASize
    case obscureKeystrokeTiming
    case bindAddress
    case bindInterface
    case ciphers
    case controlPath
    case hostKeyAlgorithms
    case hostKeyAlias
    case hostbasedAcceptedAlgorithms
    case identityAgent
    case ignoreUnknown
    case kbdInteractiveDevices
    case kexAlgorithms
    case caSignatureAlgorithms
    case localCommand
    case remoteCommand
    case logLevel
    case macs
    case pkcs11Provider
    case securityKeyProvider
    case preferredAuthentications
    case pubkeyAcceptedAlgorithms
    case xauthLocation
    case knownHostsCommand
    case tag
    case versionAddendum
    case dynamicForward
    case localForward
    case remoteForward
    case identityFile
    case canonicalDomains
    case certificateFile
    case globalKnownHostsFile
    case userKnownHostsFile
    case revokedHostKeys
    case sendEnv
    case setEnv
    case logVerbose
    case channelTimeout
    case permitRemoteOpen
    case addKeysToAgent
    case forwardAgent
    case connectTimeout
    case tunnelDevice
    case canonicalizePermittedCNAMEs
    case controlPersist
    case escapeChar
    case ipQoS
    case rekeyLimit
    case streamLocalBindMask
    case syslogFacility
    case proxyCommand
    case proxyJump
    case refuseConnection
    case controlOverflow
    case controlReuse
    case guessKeyExchange

    package var row: KeywordRow { Self.rows[Int(rawValue)] }

    /// Every keyword, one row each.
    package static let rows: [KeywordRow] = [
        KeywordRow("User", .text(noneIsNothing: false)),
        KeywordRow("Hostname", .text(noneIsNothing: false)),
        KeywordRow("Port", .port, "22"),
        KeywordRow("AddressFamily", .choice("any inet inet6"), "any"),
        KeywordRow("BatchMode", .flag, "no"),
        KeywordRow("CanonicalizeFallbackLocal", .flag, "yes"),
        KeywordRow("CanonicalizeHostname", .choice("yes:true true no:false false always"), "false"),
        KeywordRow("CheckHostIP", .flag, "no"),
        KeywordRow("Compression", .choice("yes no"), "no"),
        KeywordRow(
            "ControlMaster",
            .choice("yes:true true no:false false auto ask autoask"),
            "false"
        ),
        KeywordRow("EnableSSHKeysign", .flag, "no"),
        KeywordRow("ClearAllForwardings", .flag, "no"),
        KeywordRow("ExitOnForwardFailure", .flag, "no"),
        KeywordRow("FingerprintHash", .fingerprintHash, "SHA256"),
        KeywordRow("ForwardX11", .flag, "no"),
        KeywordRow("ForwardX11Trusted", .flag, "no"),
        KeywordRow("GatewayPorts", .flag, "no"),
        KeywordRow("GSSAPIAuthentication", .flag, "no"),
        KeywordRow("GSSAPIDelegateCredentials", .flag, "no"),
        KeywordRow("HashKnownHosts", .flag, "no"),
        KeywordRow("HostbasedAuthentication", .flag, "no"),
        KeywordRow("IdentitiesOnly", .flag, "no"),
        KeywordRow("KbdInteractiveAuthentication", .flag, "yes"),
        KeywordRow("NoHostAuthenticationForLocalhost", .flag, "no"),
        KeywordRow("PasswordAuthentication", .flag, "yes"),
        KeywordRow("PermitLocalCommand", .flag, "no"),
        KeywordRow("ProxyUseFdpass", .flag, "no"),
        KeywordRow(
            "PubkeyAuthentication",
            .choice("yes:true true no:false false unbound host-bound"),
            "true"
        ),
        KeywordRow("RequestTTY", .choice("yes:true true no:false false force auto"), "auto"),
        KeywordRow("SessionType", .choice("none subsystem default"), "default"),
        KeywordRow("StdinNull", .flag, "no"),
        KeywordRow("ForkAfterAuthentication", .flag, "no"),
        KeywordRow("StreamLocalBindUnlink", .flag, "no"),
        KeywordRow(
            "StrictHostKeyChecking",
            .choice("yes:true true no:false off:false false ask accept-new"),
            "ask"
        ),
        KeywordRow("TCPKeepAlive", .flag, "yes"),
        KeywordRow(
            "Tunnel",
            .choice(
                "ethernet point-to-point yes:point-to-point true:point-to-point no:false false"
            ),
            "false"
        ),
        KeywordRow(
            "VerifyHostKeyDNS",
            .choice("yes:true true no:false false ask"),
            "false"
        ),
        KeywordRow("VisualHostKey", .flag, "no"),
        KeywordRow(
            "UpdateHostKeys",
            .choice("yes:true true no:false false ask"),
            "true"
        ),
        KeywordRow("EnableEscapeCommandline", .flag, "no"),
        KeywordRow("WarnWeakCrypto", .choice("yes true:yes no false:no no-pq-kex"), "yes"),
        KeywordRow("CanonicalizeMaxDots", .number, "1"),
        KeywordRow("ConnectionAttempts", .number, "1"),
        KeywordRow("ForwardX11Timeout", .time(none: "0"), "1200"),
        KeywordRow("NumberOfPasswordPrompts", .number, "3"),
        KeywordRow("ServerAliveCountMax", .number, "3"),
        KeywordRow("ServerAliveInterval", .time(none: "0"), "0"),
        KeywordRow("RequiredRSASize", .number, "1024"),
        KeywordRow("ObscureKeystrokeTiming", .keystrokeTiming, "yes"),
        KeywordRow("BindAddress", .text(noneIsNothing: false)),
        KeywordRow("BindInterface", .text(noneIsNothing: false)),
        KeywordRow("Ciphers", .algorithms(.ciphers)),
        KeywordRow("ControlPath", .text(noneIsNothing: true)),
        KeywordRow("HostKeyAlgorithms", .algorithms(.publicKey)),
        KeywordRow("HostKeyAlias", .lowercase),
        KeywordRow("HostbasedAcceptedAlgorithms", .algorithms(.publicKey)),
        KeywordRow("IdentityAgent", .text(noneIsNothing: false)),
        KeywordRow("IgnoreUnknown", .text(noneIsNothing: false)),
        KeywordRow("KbdInteractiveDevices", .text(noneIsNothing: false)),
        KeywordRow("KexAlgorithms", .algorithms(.keyExchange)),
        KeywordRow("CASignatureAlgorithms", .algorithms(.certificateAuthority)),
        KeywordRow("LocalCommand", .command),
        KeywordRow("RemoteCommand", .command),
        KeywordRow("LogLevel", .logLevel, "INFO"),
        KeywordRow("MACs", .algorithms(.macs)),
        KeywordRow("PKCS11Provider", .text(noneIsNothing: true)),
        KeywordRow("SecurityKeyProvider", .text(noneIsNothing: true), "internal"),
        KeywordRow("PreferredAuthentications", .text(noneIsNothing: false)),
        KeywordRow("PubkeyAcceptedAlgorithms", .algorithms(.publicKey)),
        KeywordRow("XAuthLocation", .text(noneIsNothing: false), "/usr/bin/xauth"),
        KeywordRow("KnownHostsCommand", .command),
        KeywordRow("Tag", .text(noneIsNothing: true)),
        KeywordRow("VersionAddendum", .command),
        KeywordRow("DynamicForward", .forward(.dynamic), merge: .append),
        KeywordRow("LocalForward", .forward(.local), merge: .append),
        KeywordRow("RemoteForward", .forward(.remote), merge: .append),
        KeywordRow("IdentityFile", .text(noneIsNothing: false), merge: .append),
        KeywordRow("CanonicalDomains", .canonicalDomains, "none"),
        KeywordRow("CertificateFile", .text(noneIsNothing: false), merge: .append),
        KeywordRow(
            "GlobalKnownHostsFile",
            .words(limit: 32),
            "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
        ),
        KeywordRow(
            "UserKnownHostsFile",
            .words(limit: 32),
            "~/.ssh/known_hosts ~/.ssh/known_hosts2"
        ),
        KeywordRow("RevokedHostKeys", .words(limit: 32), "none"),
        KeywordRow("SendEnv", .sendEnvironment, merge: .append),
        KeywordRow("SetEnv", .setEnvironment),
        KeywordRow("LogVerbose", .words(limit: 1000), "none"),
        KeywordRow("ChannelTimeout", .channelTimeout, "none"),
        KeywordRow("PermitRemoteOpen", .permitRemoteOpen, "any"),
        KeywordRow("AddKeysToAgent", .addKeysToAgent, "false"),
        KeywordRow("ForwardAgent", .forwardAgent, "no"),
        KeywordRow("ConnectTimeout", .time(none: "none"), "none"),
        KeywordRow("TunnelDevice", .tunnelDevice, "any:any"),
        KeywordRow("CanonicalizePermittedCNAMEs", .permittedCNAMEs, "none"),
        KeywordRow("ControlPersist", .controlPersist, "no"),
        KeywordRow("EscapeChar", .escapeCharacter, "~"),
        KeywordRow("IPQoS", .ipQoS, "ef cs0"),
        KeywordRow("RekeyLimit", .rekeyLimit, "0 0"),
        KeywordRow("StreamLocalBindMask", .mask, "0177", merge: .last),
        KeywordRow("SyslogFacility", .logFacility, "USER"),
        KeywordRow("ProxyCommand", .command),
        KeywordRow("ProxyJump", .proxyJump),
        KeywordRow("RefuseConnection", .refuseConnection),
        // Ours; not shown where nobody says otherwise, so that OpenSSH can read what -G shows.
        KeywordRow("ControlOverflow", .choice("pool queue direct")),
        KeywordRow("ControlReuse", .choice("same-identity any")),
        KeywordRow("GuessKeyExchange", .flag),
    ]

    /// Other names of keywords.
    static let aliases: [(alias: String, keyword: ClientKeyword)] = [
        ("ChallengeResponseAuthentication", .kbdInteractiveAuthentication),
        ("SkeyAuthentication", .kbdInteractiveAuthentication),
        ("TISAuthentication", .kbdInteractiveAuthentication),
        ("DSAAuthentication", .pubkeyAuthentication),
        ("IdentityFile2", .identityFile),
        ("KeepAlive", .tcpKeepAlive),
        ("HostbasedKeyTypes", .hostbasedAcceptedAlgorithms),
        ("PubkeyAcceptedKeyTypes", .pubkeyAcceptedAlgorithms),
        ("SmartcardDevice", .pkcs11Provider),
        // Debian's.
        ("ProtocolKeepAlives", .serverAliveInterval),
        ("SetupTimeOut", .serverAliveInterval),
    ]

    /// Keywords that may have no argument but a comment; such a line says nothing.
    static let lists: [ClientKeyword] = [
        .canonicalDomains, .canonicalizePermittedCNAMEs, .globalKnownHostsFile, .userKnownHostsFile,
        .setEnv, .logVerbose, .channelTimeout,
    ]

    /// Accepted without effect, as OpenSSH 10.5 does, and the keywords that Debian adds.
    static let ignored = [
        "Protocol", "Cipher", "FallBackToRsh", "GlobalKnownHostsFile2", "RhostsAuthentication",
        "UserKnownHostsFile2", "UseRoaming", "UseRsh", "UsePrivilegedPort",
        "GSSAPIKeyExchange", "GSSAPIClientIdentity", "GSSAPIServerIdentity",
        "GSSAPIRenewalForcesRekey", "GSSAPITrustDns", "GSSAPIKexAlgorithms",
    ]

    /// Accepted with a complaint.
    static let unsupported = [
        "AFSTokenPassing", "KerberosAuthentication", "KerberosTgtPassing", "RSAAuthentication",
        "RhostsRSAAuthentication", "CompressionLevel",
    ]
}

extension ClientKeyword {
    /// What a word at the start of a line is.
    enum Meaning {
        case keyword(ClientKeyword)
        case host, match, include
        case ignored, unsupported
    }

    /// Nil for a word that is no keyword. Letters' case does not matter.
    static func meaning(of word: ArraySlice<UInt8>) -> Meaning? {
        if let index = KeywordRow.index(of: word, in: rows),
            let keyword = ClientKeyword(rawValue: UInt8(index))
        {
            return .keyword(keyword)
        }
        if KeywordRow.isSame("host", word) { return .host }
        if KeywordRow.isSame("match", word) { return .match }
        if KeywordRow.isSame("include", word) { return .include }
        if let alias = aliases.first(where: { KeywordRow.isSame($0.alias, word) }) {
            return .keyword(alias.keyword)
        }
        if ignored.contains(where: { KeywordRow.isSame($0, word) }) { return .ignored }
        if unsupported.contains(where: { KeywordRow.isSame($0, word) }) { return .unsupported }
        return nil
    }
}
