// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
package import HawserProtocol
package import HawserSystem

/// What a client does, everything decided: options with their defaults, names expanded.
package struct ClientSettings {
    package var options: ClientOptions
    /// The host as the command line names it.
    package var originalHost: String
    /// The host to connect to.
    package var host: String
    package var port: UInt16
    package var user: String
    package var localUser: User
    package var home: String
    /// The remote command, words joined with blanks; nil for a shell.
    package var command: String?
    /// `-W`: where our standard input and output go.
    package var standardForward: Forward.End?
    package var proposal: Proposal
    package var publicKeyAlgorithms: [String]
    /// Expanded; nil without multiplexing.
    package var controlPath: String?
    /// Whether the command line or the files said which key exchanges to use.
    package var terminalType: String

    package init(
        _ options: ClientOptions,
        originalHost: String,
        command: String?,
        localUser: User
    ) throws(ConfigError) {
        var options = options
        self.originalHost = originalHost
        self.command = command
        self.localUser = localUser
        home = Environment.value("HOME") ?? localUser.home
        user = options.user ?? localUser.name
        port = options.port ?? 22
        host = originalHost.lowercased()
        if let name = options.hostName {
            guard let expanded = Tokens(["h": originalHost]).expand(name) else {
                throw ConfigError(file: "", line: 0, text: "Invalid Hostname \"\(name)\"")
            }
            host = expanded.lowercased()
        }
        terminalType = Environment.value("TERM") ?? "dumb"
        if options.remoteCommand == "none" { options.remoteCommand = nil }

        func list(
            _ text: String?,
            _ family: Algorithms.Family,
            _ what: String
        ) throws(ConfigError) -> [String] {
            guard let text else { return family.offered }
            guard
                let names = Syntax.algorithms(text, defaults: family.offered, known: family.all)
            else { throw ConfigError(file: "", line: 0, text: "Bad \(what) '\(text)'.") }
            return names
        }
        let keyExchange = try list(options.kexAlgorithms, Algorithms.keyExchange, "KexAlgorithms")
        let ciphers = try list(options.ciphers, Algorithms.ciphers, "SSH2 cipher spec")
        let macs = try list(options.macs, Algorithms.macs, "SSH2 MAC spec")
        let hostKeys = try list(
            options.hostKeyAlgorithms,
            Algorithms.publicKey,
            "HostKeyAlgorithms"
        )
        publicKeyAlgorithms = try list(
            options.pubkeyAcceptedAlgorithms,
            Algorithms.publicKey,
            "PubkeyAcceptedAlgorithms"
        )
        proposal = Proposal(
            keyExchange: keyExchange,
            hostKey: hostKeys,
            ciphers: ciphers,
            macs: macs,
            compression: options.compression == true
                ? ["zlib@openssh.com", "none"] : ["none", "zlib@openssh.com"]
        )
        self.options = options
        if let path = options.controlPath, path.lowercased() != "none" {
            controlPath = try expandPath(path)
        }
    }

    package var escapeCharacter: EscapeCharacter {
        options.escapeChar.flatMap(EscapeCharacter.init) ?? .byte(UInt8(ascii: "~"))
    }

    /// `~`, `${VARIABLES}` and `%`-tokens replaced.
    package func expandPath(_ text: String) throws(ConfigError) -> String {
        var path = text
        if path == "~" || path.hasPrefix("~/") { path = home + path.dropFirst() }
        guard let withVariables = Tokens.expandVariables(path, Environment.value),
            let expanded = tokens.expand(withVariables)
        else {
            throw ConfigError(file: "", line: 0, text: "unknown token or variable in \"\(text)\"")
        }
        return expanded
    }

    /// The tokens of ssh_config(5), TOKENS.
    package var tokens: Tokens {
        let localHost = Resolver.ownHostName
        return Tokens([
            "C": connectionHash(localHost),
            "d": home,
            "h": host,
            "i": "\(localUser.uid)",
            "j": options.proxyJump ?? "",
            "k": options.hostKeyAlias ?? originalHost,
            "L": String(localHost.prefix { $0 != "." }),
            "l": localHost,
            "n": originalHost,
            "p": "\(port)",
            "r": user,
            "u": localUser.name,
        ])
    }

    /// `%C`: a hash of `%l%h%p%r%j`.
    private func connectionHash(_ localHost: String) -> String {
        let text = localHost + host + "\(port)" + user + (options.proxyJump ?? "")
        return ConnectionHash.hex(of: text)
    }

    package var userKnownHostsFiles: [String] {
        get throws(ConfigError) {
            try expandAll(
                options.userKnownHostsFile ?? ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
            )
        }
    }

    package var globalKnownHostsFiles: [String] {
        get throws(ConfigError) {
            try expandAll(
                options.globalKnownHostsFile
                    ?? ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
            )
        }
    }

    private func expandAll(_ paths: [String]) throws(ConfigError) -> [String] {
        var result: [String] = []
        for path in paths where path.lowercased() != "none" { result.append(try expandPath(path)) }
        return result
    }

    /// Whether the session gets a terminal.
    package var wantsTerminal: Bool {
        options.requestTTY == .force || (asksForTerminal && hasTerminal)
    }

    /// A terminal is asked for, and there is none to be shown.
    package var lacksTerminal: Bool {
        options.requestTTY != .force && asksForTerminal && !hasTerminal
    }

    private var hasTerminal: Bool { options.stdinNull != true && Descriptor.isTerminal(0) }

    private var asksForTerminal: Bool {
        guard options.sessionType != ClientOptions.SessionType.none else { return false }
        return switch options.requestTTY ?? .auto {
        case .no: false
        case .force, .yes: true
        case .auto:
            command == nil && options.remoteCommand == nil && options.sessionType != .subsystem
        }
    }
}
