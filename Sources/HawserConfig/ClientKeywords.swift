// SPDX-License-Identifier: Apache-2.0

/// A keyword of ssh_config(5): its name, what it may also be called, and how its arguments are read.
struct ClientKeyword: Sendable {
    let name: String
    let apply: @Sendable (inout ClientOptions, ConfigLine) -> String?

    init(_ name: String, _ apply: @escaping @Sendable (inout ClientOptions, ConfigLine) -> String?)
    {
        self.name = name
        self.apply = apply
    }

    /// One argument, kept as it is.
    static func text(
        _ name: String,
        _ field: any WritableKeyPath<ClientOptions, String?> & Sendable,
        none: String? = nil
    ) -> ClientKeyword {
        ClientKeyword(name) { options, line in
            guard let value = line.arguments.first else { return "missing argument." }
            if options[keyPath: field] == nil { options[keyPath: field] = value }
            return nil
        }
    }

    /// The rest of the line, as a command.
    static func command(
        _ name: String,
        _ field: any WritableKeyPath<ClientOptions, String?> & Sendable
    ) -> ClientKeyword {
        ClientKeyword(name) { options, line in
            guard !line.rest.isEmpty else { return "missing argument." }
            if options[keyPath: field] == nil { options[keyPath: field] = line.rest }
            return nil
        }
    }

    /// A value that `read` understands, the first one counting.
    static func value<Value>(
        _ name: String,
        _ field: any WritableKeyPath<ClientOptions, Value?> & Sendable,
        _ read: @escaping @Sendable (String) -> Value?
    ) -> ClientKeyword {
        ClientKeyword(name) { options, line in
            guard let word = line.arguments.first else { return "missing argument." }
            guard let value = read(word) else { return "unsupported option \"\(word)\"." }
            if options[keyPath: field] == nil { options[keyPath: field] = value }
            return nil
        }
    }

    /// Arguments that add up over lines.
    static func list(
        _ name: String,
        _ field: any WritableKeyPath<ClientOptions, [String]> & Sendable
    ) -> ClientKeyword {
        ClientKeyword(name) { options, line in
            guard !line.arguments.isEmpty else { return "missing argument." }
            options[keyPath: field] += line.arguments
            return nil
        }
    }

    /// All arguments of the first line.
    static func firstLine(
        _ name: String,
        _ field: any WritableKeyPath<ClientOptions, [String]?> & Sendable
    ) -> ClientKeyword {
        ClientKeyword(name) { options, line in
            guard !line.arguments.isEmpty else { return "missing argument." }
            if options[keyPath: field] == nil { options[keyPath: field] = line.arguments }
            return nil
        }
    }

    /// Read, and without effect in this version.
    static func later(_ name: String) -> ClientKeyword {
        ClientKeyword(name) { options, line in
            guard !line.arguments.isEmpty else { return "missing argument." }
            options.withoutEffect.append((name, line.arguments))
            return nil
        }
    }
}

/// Every keyword, one row each.
enum ClientKeywords {
    static func row(named name: String) -> ClientKeyword? { byName[name.lowercased()] }

    static let byName: [String: ClientKeyword] = {
        var result: [String: ClientKeyword] = [:]
        for row in rows { result[row.name.lowercased()] = row }
        for (alias, name) in aliases { result[alias.lowercased()] = result[name.lowercased()] }
        for name in ignored { result[name.lowercased()] = ClientKeyword(name) { _, _ in nil } }
        return result
    }()

    private static let aliases = [
        ("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
        ("SkeyAuthentication", "KbdInteractiveAuthentication"),
        ("TISAuthentication", "KbdInteractiveAuthentication"),
        ("DSAAuthentication", "PubkeyAuthentication"),
        ("IdentityFile2", "IdentityFile"),
        ("KeepAlive", "TCPKeepAlive"),
        ("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),
        ("HostbasedKeyTypes", "HostbasedAcceptedAlgorithms"),
        ("SmartcardDevice", "PKCS11Provider"),
    ]

    /// Accepted without a word, as OpenSSH 10.5 does.
    private static let ignored = [
        "Protocol", "Cipher", "FallBackToRsh", "GlobalKnownHostsFile2", "RhostsAuthentication",
        "UserKnownHostsFile2", "UseRoaming", "UseRsh", "UsePrivilegedPort",
        "RSAAuthentication", "RhostsRSAAuthentication", "CompressionLevel",
        "GSSAPIKeyExchange", "GSSAPIClientIdentity", "GSSAPIServerIdentity",
        "GSSAPIRenewalForcesRekey", "GSSAPITrustDns", "GSSAPIKexAlgorithms",
    ]

    private static let rows: [ClientKeyword] =
        [
            .value("AddressFamily", \.addressFamily) {
                ClientOptions.AddressFamily(rawValue: $0.lowercased())
            },
            .value("BatchMode", \.batchMode, Syntax.flag),
            .text("BindAddress", \.bindAddress),
            .text("BindInterface", \.bindInterface),
            .list("CertificateFile", \.certificateFiles),
            .value("CheckHostIP", \.checkHostIP, Syntax.flag),
            .text("Ciphers", \.ciphers),
            .value("Compression", \.compression, Syntax.flag),
            .value("ConnectionAttempts", \.connectionAttempts) {
                Int($0).flatMap { $0 > 0 ? $0 : nil }
            },
            .value("ConnectTimeout", \.connectTimeout) { $0 == "none" ? 0 : Syntax.seconds($0) },
            .value("ControlMaster", \.controlMaster) { word in
                Syntax.flag(word).map { $0 ? .yes : .no }
                    ?? ClientOptions.ControlMaster(rawValue: word.lowercased())
            },
            .text("ControlPath", \.controlPath),
            .value("ControlPersist", \.controlPersist) { word in
                if let flag = Syntax.flag(word) { return flag ? .forever : .no }
                guard let seconds = Syntax.seconds(word) else { return nil }
                return seconds == 0 ? .forever : .seconds(seconds)
            },
            .text("EscapeChar", \.escapeChar),
            .text("FingerprintHash", \.fingerprintHash),
            .value("ForkAfterAuthentication", \.forkAfterAuthentication, Syntax.flag),
            .firstLine("GlobalKnownHostsFile", \.globalKnownHostsFile),
            .value("HashKnownHosts", \.hashKnownHosts, Syntax.flag),
            .text("HostKeyAlgorithms", \.hostKeyAlgorithms),
            .text("HostKeyAlias", \.hostKeyAlias),
            .text("Hostname", \.hostName),
            .value("IdentitiesOnly", \.identitiesOnly, Syntax.flag),
            .text("IdentityAgent", \.identityAgent),
            .list("IdentityFile", \.identityFiles),
            .value(
                "KbdInteractiveAuthentication",
                \.kbdInteractiveAuthentication,
                Syntax.flag
            ),
            .text("KexAlgorithms", \.kexAlgorithms),
            .command("LocalCommand", \.localCommand),
            .text("LogLevel", \.logLevel),
            .text("MACs", \.macs),
            .value(
                "NoHostAuthenticationForLocalhost",
                \.noHostAuthenticationForLocalhost,
                Syntax.flag
            ),
            .value("NumberOfPasswordPrompts", \.numberOfPasswordPrompts) { Int($0) },
            .value("PasswordAuthentication", \.passwordAuthentication, Syntax.flag),
            .value("PermitLocalCommand", \.permitLocalCommand, Syntax.flag),
            .value("Port", \.port, Syntax.port),
            .text("PreferredAuthentications", \.preferredAuthentications),
            ClientKeyword("ProxyCommand") { options, line in
                guard !line.rest.isEmpty else { return "missing argument." }
                if options.proxyCommand == nil, options.proxyJump == nil {
                    options.proxyCommand = line.rest
                }
                return nil
            },
            ClientKeyword("ProxyJump") { options, line in
                guard let value = line.arguments.first else { return "missing argument." }
                if options.proxyCommand == nil, options.proxyJump == nil {
                    options.proxyJump = value
                }
                return nil
            },
            .text("PubkeyAcceptedAlgorithms", \.pubkeyAcceptedAlgorithms),
            .value("PubkeyAuthentication", \.pubkeyAuthentication) { word in
                Syntax.flag(word).map { $0 ? .yes : .no }
                    ?? ClientOptions.PubkeyAuthentication(rawValue: word.lowercased())
            },
            ClientKeyword("RekeyLimit") { options, line in
                guard let first = line.arguments.first else { return "missing argument." }
                guard let bytes = first == "default" ? 0 : Syntax.bytes(first),
                    bytes == 0 || bytes >= 16
                else { return "RekeyLimit too small or invalid: \"\(first)\"." }
                var seconds = 0
                if line.arguments.count > 1, line.arguments[1] != "none" {
                    guard let value = Syntax.seconds(line.arguments[1]) else {
                        return "invalid time value."
                    }
                    seconds = value
                }
                if options.rekeyLimit == nil { options.rekeyLimit = (bytes, seconds) }
                return nil
            },
            .command("RemoteCommand", \.remoteCommand),
            .value("RequestTTY", \.requestTTY) { word in
                Syntax.flag(word).map { $0 ? .yes : .no }
                    ?? ClientOptions.RequestTTY(rawValue: word.lowercased())
            },
            .value("RequiredRSASize", \.requiredRSASize) { Int($0) },
            ClientKeyword("SendEnv") { options, line in
                guard !line.arguments.isEmpty else { return "missing argument." }
                for pattern in line.arguments {
                    if pattern.hasPrefix("-") {
                        let removed = pattern.dropFirst()
                        options.sendEnv.removeAll { Patterns.matches(removed, $0) }
                    } else {
                        options.sendEnv.append(pattern)
                    }
                }
                return nil
            },
            .value("ServerAliveCountMax", \.serverAliveCountMax) { Int($0) },
            .value("ServerAliveInterval", \.serverAliveInterval, Syntax.seconds),
            .value("SessionType", \.sessionType) {
                ClientOptions.SessionType(rawValue: $0.lowercased())
            },
            .firstLine("SetEnv", \.setEnv),
            .value("StdinNull", \.stdinNull, Syntax.flag),
            .value("StrictHostKeyChecking", \.strictHostKeyChecking) { word in
                Syntax.flag(word).map { $0 ? .yes : .no }
                    ?? (word.lowercased() == "off" ? .no : nil)
                    ?? ClientOptions.StrictHostKeyChecking(rawValue: word.lowercased())
            },
            .value("TCPKeepAlive", \.tcpKeepAlive, Syntax.flag),
            .text("User", \.user),
            .firstLine("UserKnownHostsFile", \.userKnownHostsFile),
            .value("VisualHostKey", \.visualHostKey, Syntax.flag),
        ]
        + authentication
        + [
            "CanonicalDomains", "CanonicalizeFallbackLocal",
            "CanonicalizeHostname",
            "CanonicalizeMaxDots", "CanonicalizePermittedCNAMEs", "ChannelTimeout",
            "ClearAllForwardings", "DynamicForward", "EnableEscapeCommandline",
            "ExitOnForwardFailure", "ForwardAgent", "ForwardX11",
            "ForwardX11Timeout", "ForwardX11Trusted", "GatewayPorts", "GSSAPIAuthentication",
            "GSSAPIDelegateCredentials", "IgnoreUnknown", "IPQoS", "LocalForward",
            "LogVerbose", "PermitRemoteOpen", "RefuseConnection", "RemoteForward",
            "StreamLocalBindMask", "StreamLocalBindUnlink", "SyslogFacility",
            "Tag", "Tunnel", "TunnelDevice", "VersionAddendum",
            "WarnWeakCrypto", "XAuthLocation",
        ].map(ClientKeyword.later)
}
