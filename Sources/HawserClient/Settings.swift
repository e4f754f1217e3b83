// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
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
    /// `RemoteCommand`, tokens replaced.
    package private(set) var remoteCommand: String?
    /// `-W`: where our standard input and output go.
    package var standardForward: Forward.End?
    /// The identity files of the command line, before those of the files.
    package var namedIdentityFiles: [String] = []
    package let algorithms: ClientAlgorithms
    /// Expanded; nil without multiplexing.
    package var controlPath: String?
    package var terminalType: String

    package init(
        _ options: ClientOptions,
        originalHost: String,
        command: String?,
        localUser: User
    ) throws(ConfigError) {
        self.originalHost = originalHost
        self.command = command
        self.localUser = localUser
        home = localUser.home
        port = options.port ?? 22
        host = HostSpelling.plain(originalHost, options)
        if let name = options.hostName {
            guard let expanded = Tokens(host: originalHost).expand(name) else {
                throw ConfigError(
                    file: "",
                    line: 0,
                    text: "vdollar_percent_expand: unknown key %"
                        + Tokens.firstUnknown(name, "h") + "\r\npercent_expand: failed"
                )
            }
            host = HostSpelling.plain(expanded, options)
        }
        terminalType = Environment.value("TERM") ?? "dumb"
        user = options.user ?? localUser.name

        algorithms = ClientAlgorithms(options)
        self.options = options
        try expandUser()
        if let path = options.controlPath { controlPath = try expandPath(path) }
        if let text = options.remoteCommand { remoteCommand = try expandTokens(text) }
        try checkTokens()
    }

    /// The user's name from a file may hold tokens; one from the command line is taken as it is.
    private mutating func expandUser() throws(ConfigError) {
        guard let setting = options[.user], setting.origin != .commandLine else { return }
        var tokens = tokens
        tokens["r"] = nil
        tokens["C"] = nil
        let name = setting.values.first ?? user
        user = try expand(name, tokens)
        let isFromFile = setting.origin.line > 0
        guard (isFromFile && user == name) || Destination.isSafe(user: user) else {
            throw ConfigError(
                file: "",
                line: 0,
                text: "remote username contains invalid characters"
            )
        }
    }

    package var escapeCharacter: EscapeCharacter {
        options.escapeChar.flatMap(EscapeCharacter.init) ?? .byte(UInt8(ascii: "~"))
    }

    /// `~`, `${VARIABLES}` and `%`-tokens replaced.
    package func expandPath(_ text: String) throws(ConfigError) -> String {
        var path = text
        if path == "~" || path.hasPrefix("~/") {
            path = path == "~" ? home + "/" : home + path.dropFirst()
        } else if path.hasPrefix("~") {
            let name = path.dropFirst().prefix { $0 != "/" }
            guard let user = User.named(String(name)) else {
                throw ConfigError(file: "", line: 0, text: "No such user \(name)")
            }
            path = user.home + path.dropFirst(1 + name.count)
        }
        return try expand(path)
    }

    /// `LocalCommand`, which may name the network interface of a tunnel besides.
    package func expandLocalCommand(
        _ text: String,
        tunnel: String?
    ) throws(ConfigError) -> String {
        var tokens = tokens
        tokens["T"] = tunnel ?? "NONE"
        return try expandTokens(text, tokens)
    }

    /// `%`-tokens replaced, for commands, whose variables are the shell's.
    package func expandTokens(_ text: String) throws(ConfigError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        return try expandTokens(text, tokens)
    }

    private func expandTokens(
        _ text: String,
        _ tokens: Tokens
    ) throws(ConfigError) -> String {
        guard let expanded = tokens.expand(text) else {
            throw Self.unknownToken(text, tokens, "percent_expand")
        }
        return expanded
    }

    /// `${VARIABLES}` and `%`-tokens replaced.
    package func expand(_ text: String) throws(ConfigError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) || text.utf8.contains(UInt8(ascii: "$"))
        else { return text }
        return try expand(text, tokens)
    }

    private func expand(_ text: String, _ tokens: Tokens) throws(ConfigError) -> String {
        guard let withVariables = Tokens.expandVariables(text, Environment.value) else {
            let name = Tokens.firstVariable(text) { Environment.value($0) == nil } ?? ""
            throw ConfigError(
                file: "",
                line: 0,
                text: "vdollar_percent_expand: env var ${\(name)} has no value"
            )
        }
        guard let expanded = tokens.expand(withVariables) else {
            throw Self.unknownToken(withVariables, tokens, "percent_dollar_expand")
        }
        return expanded
    }

    private static func unknownToken(
        _ text: String,
        _ tokens: Tokens,
        _ function: String
    ) -> ConfigError {
        let letter = Tokens.firstUnknown(text, tokens.letters)
        let reason = letter.isEmpty ? "invalid format" : "unknown key %\(letter)"
        return ConfigError(
            file: "",
            line: 0,
            text: "vdollar_percent_expand: \(reason)\r\n\(function): failed"
        )
    }

    /// Expands what is needed only later: a wrong token is told before anything is connected.
    private func checkTokens() throws(ConfigError) {
        _ = try userKnownHostsFiles
        switch options.identityAgent {
        case nil, "SSH_AUTH_SOCK"?, "none"?: break
        case let path? where path.hasPrefix("$") && !path.hasPrefix("${"): break
        case let path?: _ = try expandPath(path)
        }
        if let path = options.forwardAgent, path.contains("/") || path.hasPrefix("${") {
            do throws(ConfigError) {
                _ = try expandPath(path)
            } catch {
                throw told(error, of: path, .forwardAgent)
            }
        }
    }

    /// The mistake in a value, with the line that holds it.
    private func told(
        _ error: ConfigError,
        of value: String,
        _ keyword: ClientKeyword
    ) -> ConfigError {
        guard error.text.hasPrefix("vdollar_percent_expand: env"),
            let origin = options[keyword]?.origin
        else {
            return error
        }
        let place = origin.line > 0 ? origin.file : "command-line"
        var text =
            error.text
            + "\r\n\(place) line \(origin.line): Invalid environment expansion \(value)."
        if origin.line > 0 {
            text += "\r\n\(place): terminating, 1 bad configuration options"
        }
        return ConfigError(file: "", line: 0, text: text)
    }

    /// The tokens of ssh_config(5), TOKENS.
    package var tokens: Tokens {
        let localHost = Resolver.ownHostName
        var tokens = Tokens()
        tokens["C"] = connectionHash(localHost)
        tokens["d"] = home
        tokens["h"] = host
        tokens["i"] = "\(localUser.uid)"
        tokens["j"] = jumpHost
        tokens["k"] = options.hostKeyAlias ?? originalHost
        tokens["L"] = String(localHost.prefix { $0 != "." })
        tokens["l"] = localHost
        tokens["n"] = originalHost
        tokens["p"] = "\(port)"
        tokens["r"] = user
        tokens["u"] = localUser.name
        return tokens
    }

    /// The last of the jump hosts, without user and port.
    private var jumpHost: String { JumpHosts.lastHost(options.proxyJump) }

    /// The host of the last jump when that is where we want to go.
    package var loopingJump: String? {
        guard let jump = options.proxyJump, let last = JumpHosts.hops(jump).last,
            let hop = JumpHosts.destination(last), hop.host == host, hop.port ?? 22 == port,
            hop.user == nil || hop.user == user
        else { return nil }
        return hop.host
    }

    /// `%C`: a hash of `%l%h%p%r%j`.
    private func connectionHash(_ localHost: String) -> String {
        let text = localHost + host + "\(port)" + user + jumpHost
        return ConnectionHash.hex(of: text)
    }

    package var userKnownHostsFiles: [String] {
        get throws(ConfigError) { try userKnownHostsFiles(orNone: nil) }
    }

    /// The same, with a word of `none` where none is to be used.
    func userKnownHostsFiles(orNone none: String?) throws(ConfigError) -> [String] {
        let files = options.userKnownHostsFile ?? ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
        if let none, files == [none] { return files }
        return try expandAll(files)
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
