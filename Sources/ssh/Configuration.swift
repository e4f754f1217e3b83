// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserConfig
import HawserLog
import HawserSystem
import HawserTool
import HawserWire

/// Reads what the files say, after what the command line said.
struct Configuration {
    let line: CommandLineOptions
    let localUser: User
    private let home: String
    private(set) var subject: ClientConfigSubject
    /// What deserves a word although it is no mistake.
    private(set) var notes: [String] = []
    /// Is told what is read, where the command line wants to know.
    private let log: Log?

    init(
        _ line: CommandLineOptions,
        _ destination: Destination,
        _ localUser: User,
        _ log: Log?
    ) {
        self.line = line
        self.log = log
        self.localUser = localUser
        home = localUser.home
        subject = ClientConfigSubject(
            originalHost: destination.host,
            localUser: localUser.name,
            home: home,
            command: line.command.isEmpty ? nil : line.command.joined(separator: " "),
            version: Version.compatible,
            userID: localUser.uid,
            localHost: { Resolver.ownHostName },
            connectionHash: ConnectionHash.hex(of:)
        )
    }

    /// Every option in force, files read a second time where a block asks for it or the host has
    /// got another name.
    mutating func read(_ options: ClientOptions) throws(CommandLineExit) -> ClientOptions {
        var (options, wantsFinalPass) = try readFiles(options)
        if wantsFinalPass { log?.debug("configuration requests final Match pass") }
        if options.canonicalizeHostname ?? .no != .no { wantsFinalPass = true }
        guard wantsFinalPass else { return options }
        var host = subject.originalHost
        if let name = options.hostName { host = Tokens(host: host).expand(name) ?? name }
        do throws(ConfigError) {
            host = try HostCanonicalization(options).canonicalName(of: host)
        } catch { throw CommandLineExit(text: "ssh: \(error.text)\r\n", status: 255) }
        options.hostName = host.split(separator: "%", omittingEmptySubsequences: false)
            .joined(separator: "%%")
        subject.finalHost = host
        subject.isFinal = true
        options.prepareForFinalReading()
        log?.debug("re-parsing configuration")
        return try readFiles(options).options
    }

    private mutating func readFiles(
        _ options: ClientOptions
    ) throws(CommandLineExit) -> (options: ClientOptions, wantsFinalPass: Bool) {
        var reader = ClientConfigReader(
            options,
            for: subject,
            from: SystemConfigSource(localUser),
            context: .client
        )
        if let log {
            reader.trace = { detail, text in
                switch detail {
                case 1: log.debug(text)
                case 2: log.debug2(text)
                default: log.debug3(text)
                }
            }
        }
        if let file = line.configFile {
            if file.lowercased() != "none", !reader.read(file: file, isUserFile: true) {
                let reason =
                    Files.reasonForAbsence(of: file) ?? Files.obstacle(to: file)
                    ?? SystemError.reason(21)  // EISDIR
                throw CommandLineExit(
                    text: "Can't open user config file \(file): \(reason)\r\n",
                    status: 255
                )
            }
        } else {
            let own = "\(home)/.ssh/config"
            if let objection = SystemConfigSource(localUser).objection(to: own) {
                throw CommandLineExit(text: objection + "\r\n", status: 255)
            }
            _ = reader.read(file: own, isUserFile: true)
            _ = reader.read(file: "/etc/ssh/ssh_config", isUserFile: false)
        }
        guard reader.errors.isEmpty else {
            throw CommandLineExit(
                text: reader.errors.map { $0.description.visible + "\r\n" }.joined(),
                status: 255
            )
        }
        if let refusal = reader.refusal {
            throw CommandLineExit(text: "\(refusal)\r\n", status: 255)
        }
        if notes.isEmpty { notes = reader.notes }
        return (reader.options, reader.wantsFinalPass)
    }
}

/// Files and commands of the machine, for reading a configuration.
struct SystemConfigSource: ConfigSource {
    private let user: User

    init(_ user: User) {
        self.user = user
    }

    func contents(of path: String) -> [UInt8]? { try? Files.read(path) }

    func obstacle(to path: String) -> String? { Files.obstacle(to: path) }

    func paths(matching pattern: String) -> [String] {
        Files.matches(pattern, expandingTilde: true)
    }

    func objection(to path: String) -> String? {
        guard let status = Files.status(path),
            status.mode & 0o022 != 0 || (status.uid != 0 && status.uid != user.uid)
        else { return nil }
        return "Bad owner or permissions on \(path)"
    }

    func variable(_ name: String) -> String? { Environment.value(name) }

    func hasAddress(within networks: [String]) -> Bool {
        Interfaces.addresses.contains { AddressPatterns.verdict(networks, $0.host) == true }
    }

    func succeeds(_ command: String) -> Bool {
        let shell = Environment.value("SHELL") ?? user.loginShell
        var spawn = Spawn.shell(shell, command: command)
        guard let null = try? Descriptor.open("/dev/null", 2) else { return false }
        defer { Descriptor.close(null) }
        spawn.descriptors = [(0, null), (1, null), (2, 2)]
        guard let pid = try? spawn.start() else { return false }
        return Child.wait(pid) == .exited(0)
    }
}
