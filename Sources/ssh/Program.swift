// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserConfig
import HawserLog
import HawserSystem
import HawserTool
import HawserWire

/// ssh(1), from its arguments to its exit status.
struct Program {
    let name: String

    func run(_ words: [String]) -> Int32 {
        do throws(CommandLineExit) {
            let line = try CommandLine.parse(words)
            if line.controlCommand == "list" { return list(asJSON: line.usesJSON) }
            guard let destination = line.destination else {
                throw CommandLineExit(text: CommandLine.usage, status: 255)
            }
            if line.options.sessionType == .subsystem, line.command.isEmpty {
                throw CommandLineExit(
                    text: "You must specify a subsystem to invoke.\n" + CommandLine.usage,
                    status: 255
                )
            }
            return try run(line, destination, words)
        } catch {
            if error.isOutput { printOutput(error.text) } else { printError(error.text) }
            return error.status
        }
    }

    private func run(
        _ line: CommandLineOptions,
        _ destination: Destination,
        _ words: [String]
    ) throws(CommandLineExit) -> Int32 {
        guard let localUser = User.numbered(Daemon.realUser) else {
            throw fail("No user exists for uid \(Daemon.realUser)")
        }
        let early = try earlyLog(line)
        let (options, notes) = try configured(line, destination, localUser, early)
        let log = try makeLog(line, options, early)
        let settings = try finished(options, line, destination, localUser)
        if let hop = settings.loopingJump { throw fail("jumphost loop via \(hop)") }
        if line.printsConfiguration { return try show(settings, line) }
        if line.printsKeys {
            printOutput(settings.keysToTry(log).map { $0.visible + "\n" }.joined())
            return 0
        }
        for note in notes { log.error(note) }
        if let command = line.controlCommand {
            return try control(command, settings, log)
        }
        if settings.lacksTerminal {
            log.info("Pseudo-terminal will not be allocated because stdin is not a terminal.")
        }
        guard let path = settings.controlPath else {
            return connect(settings, nil, try forwarding(settings), log, words)
        }
        return start(path, settings, try forwarding(settings), log, words)
    }

    /// By a master, as one, or alone.
    private func start(
        _ path: String,
        _ settings: ClientSettings,
        _ forwarding: ForwardingSettings,
        _ log: Log,
        _ words: [String],
        attempt: Int = 0,
        since start: UInt64 = Clock.nanoseconds
    ) -> Int32 {
        // A master that we made ourselves may go away as well, but not for ever.
        let share =
            attempt < 3
            ? share(path, settings, log, since: start) : .connect(alone(settings), nil)
        switch share {
        case .done(let status): return status
        case .connect(let own, let lock):
            defer { lock?.release() }
            return connect(own, lock, forwarding, log, words) {
                // The master that we made was gone before it served us.
                self.start(
                    path,
                    settings,
                    forwarding,
                    log,
                    words,
                    attempt: attempt + 1,
                    since: start
                )
            }
        }
    }

    // MARK: Configuration

    private func configured(
        _ line: CommandLineOptions,
        _ destination: Destination,
        _ localUser: User,
        _ log: Log?
    ) throws(CommandLineExit) -> (ClientOptions, notes: [String]) {
        var options = line.options
        if line.masterCount > 0 {
            options.controlMaster = line.masterCount > 1 ? .ask : .yes
        }
        var configuration = Configuration(line, destination, localUser, log)
        let result = try configuration.read(options)
        return (result, configuration.notes + line.notes)
    }

    /// Says, where a connection is made, which keywords do nothing.
    private func warn(_ options: ClientOptions, _ log: Log) {
        let names = options.withoutEffect.map(\.row.name)
        guard !names.isEmpty else { return }
        log.info("Warning: without effect in this version: \(names.joined(separator: ", "))")
    }

    /// `-G`.
    private func show(
        _ settings: ClientSettings,
        _ line: CommandLineOptions
    ) throws(CommandLineExit) -> Int32 {
        do throws(ConfigError) {
            let listing = try settings.listing
            guard line.explains else {
                printOutput(listing.text)
                return 0
            }
            let explanation = Explanation(listing)
            printOutput(line.usesJSON ? explanation.json : explanation.text)
        } catch { throw fail(error.text) }
        return 0
    }

    /// What is told before the configuration has been read; nil where the command line asks for
    /// nothing.
    private func earlyLog(_ line: CommandLineOptions) throws(CommandLineExit) -> Log? {
        guard line.verbosity > 0 else { return nil }
        let log = try makePlainLog(line, line.options)
        log.info(Version.text)
        return log
    }

    /// The log from there on: the one before, but for what only the configuration says.
    private func makeLog(
        _ line: CommandLineOptions,
        _ options: ClientOptions,
        _ early: Log?
    ) throws(CommandLineExit) -> Log {
        var log: Log
        // With `-y` that is the facility.
        if let early, !line.usesSyslog {
            log = early
        } else {
            log = try makePlainLog(line, options)
        }
        if let lists = options.logVerbose {
            log.overrides = LogOverrides(program: "ssh", process: Daemon.processID) { place in
                lists.contains { Patterns.verdict(list: $0, place) == true }
            }
        }
        return log
    }

    private func makePlainLog(
        _ line: CommandLineOptions,
        _ options: ClientOptions
    ) throws(CommandLineExit) -> Log {
        var level = options.logLevel.flatMap(LogLevel.init(keyword:)) ?? .info
        if line.verbosity > 0 {
            level = line.verbosity == 1 ? .debug1 : line.verbosity == 2 ? .debug2 : .debug3
        }
        if line.isQuiet { level = .quiet }
        if line.usesSyslog {
            let facility = Syslog.facility(options.syslogFacility ?? "USER") ?? 1 << 3
            return Log(level: level, sink: SystemLog(program: name, facility: facility))
        }
        guard let file = line.logFile else { return Log(level: level, sink: Messages()) }
        do throws(SystemError) {
            // APPEND CREAT WRONLY
            let fd = try Descriptor.open(file, 0o2000 | 0o100 | 1, mode: 0o600)
            return Log(
                level: level,
                sink: Messages(descriptor: fd, usesCarriageReturns: true)
            )
        } catch {
            throw CommandLineExit(
                text: "Couldn't open logfile \(file): \(error.reason)\r\n",
                status: 1
            )
        }
    }

    private func finished(
        _ options: ClientOptions,
        _ line: CommandLineOptions,
        _ destination: Destination,
        _ localUser: User
    ) throws(CommandLineExit) -> ClientSettings {
        do throws(ConfigError) {
            var settings = try ClientSettings(
                options,
                originalHost: destination.host,
                command: line.command.isEmpty ? nil : line.command.joined(separator: " "),
                localUser: localUser
            )
            settings.standardForward = line.standardForward
            settings.namedIdentityFiles = line.options.identityFiles
            if settings.command != nil, settings.remoteCommand != nil {
                throw ConfigError(
                    file: "",
                    line: 0,
                    text: "Cannot execute command-line and remote command."
                )
            }
            let hasNoSession = options.sessionType == ClientOptions.SessionType.none
            if options.forkAfterAuthentication == true, settings.command == nil,
                options.remoteCommand == nil, !hasNoSession
            {
                throw ConfigError(
                    file: "",
                    line: 0,
                    text: "Cannot fork into background without a command to execute."
                )
            }
            return settings
        } catch { throw fail(error.text) }
    }

    private func fail(_ text: String) -> CommandLineExit {
        CommandLineExit(text: text + "\r\n", status: 255)
    }

    private func forwarding(
        _ settings: ClientSettings
    ) throws(CommandLineExit) -> ForwardingSettings {
        do throws(ConfigError) {
            return try ForwardingSettings(settings)
        } catch { throw fail(error.text) }
    }

    // MARK: Multiplexing

    private func control(
        _ command: String,
        _ settings: ClientSettings,
        _ log: Log
    ) throws(CommandLineExit) -> Int32 {
        guard let path = settings.controlPath else {
            throw fail("No ControlPath specified for \"-O\" command")
        }
        var reason: SystemError?
        guard
            let client = ControlClient.connect(
                path,
                log: log,
                failure: { reason = $0 }
            )
        else {
            throw fail("Control socket connect(\(path)): \(reason?.reason ?? "unknown")")
        }
        let outcome: ControlClient.Outcome
        switch command {
        case "check": outcome = client.check()
        case "exit": outcome = client.terminate(onlyStop: false)
        case "stop": outcome = client.terminate(onlyStop: true)
        case "conninfo": outcome = client.show("connection")
        case "channels": outcome = client.show("channels")
        case "proxy": return proxied(client, settings, log)
        case "forward": outcome = client.forward(settings, cancels: false)
        case "cancel": outcome = client.forward(settings, cancels: true)
        default: outcome = client.control(command)
        }
        if command == "exit" || command == "stop" { stopSiblings(path, command, log) }
        if case .done(let status) = outcome { return status }
        return 255
    }

    /// Masters that were opened beside the one at `path` for want of room end with it.
    private func stopSiblings(_ path: String, _ command: String, _ log: Log) {
        for number in 1...8 {
            let place = "\(path).\(number)"
            guard let client = ControlClient.connect(place, log: log, failure: { _ in }) else {
                break
            }
            _ = client.terminate(onlyStop: command == "stop", isQuiet: true)
        }
    }

    /// A session over a master's connection, whose protocol we speak ourselves.
    private func proxied(
        _ client: ControlClient,
        _ settings: ClientSettings,
        _ log: Log
    ) -> Int32 {
        guard let dialed = client.startProxy() else { return 255 }
        do {
            let loop = try ClientLoop(
                settings,
                dialed,
                forwarding: try ForwardingSettings(settings),
                identification: Version.identification,
                isBare: true,
                log: log
            )
            try loop.startForwards()
            try loop.openOwnSession()
            return try loop.run()
        } catch let error as ClientFailure {
            if let text = error.text { log.fatal(text) }
        } catch {
            log.fatal("\(error)")
        }
        return 255
    }

    /// A session over a master, if there is one.
    func ride(_ path: String, _ settings: ClientSettings, _ log: Log) -> ControlClient.Outcome {
        guard
            let client = ControlClient.connect(
                path,
                log: log,
                failure: { log.debug("Control socket \"\(path)\" does not serve: \($0.reason)") }
            )
        else { return .absent }
        log.debug("auto-mux: Trying existing master at '\(path)'")
        if let target = settings.standardForward {
            return client.runStandardForward(to: target, settings)
        }
        if settings.options.sessionType == ClientOptions.SessionType.none {
            return client.runWithoutSession(settings)
        }
        return client.runSession(settings)
    }

    // MARK: Connection

    private func connect(
        _ settings: ClientSettings,
        _ lock: MasterLock?,
        _ forwarding: ForwardingSettings,
        _ log: Log,
        _ words: [String],
        mayGuess: Bool = true,
        again: () -> Int32 = { 255 }
    ) -> Int32 {
        do {
            let dialer = Dialer(
                settings,
                log: log,
                program: name,
                inheritedArguments: inherited(words)
            )
            let agentForwarding = try AgentForwarding(settings, log: log)
            let dialed = try dialer.dial()
            // A command of ProxyCommand need not see by itself that nobody speaks to it any more.
            var helper = dialed.helper
            defer { if let helper { Child.kill(helper, 1) } }
            let loop = try ClientLoop(
                settings,
                dialed,
                forwarding: forwarding,
                identification: try settings.identification(Version.identification),
                mayGuess: mayGuess,
                log: log
            )
            loop.agentForwarding = agentForwarding
            loop.mayOpenEarly = mayOpenEarly(settings, forwarding)
            try loop.authenticate()
            defer { loop.removeSockets() }
            try loop.startForwards()
            try loop.startTunnel()
            try localCommand(settings, tunnel: loop.tunnelInterface, log)
            loop.updateTypeOfService()
            let isBackground = settings.options.forkAfterAuthentication == true
            if isBackground || settings.options.controlMaster ?? .no != .no {
                try loop.waitForForwards()
            }
            startMaster(loop, settings, lock, log)
            if !isBackground, let outcome = try persist(loop, settings, log, again) {
                // It belongs to the master now.
                helper = nil
                return outcome
            }
            if !loop.isPersistentMaster, !loop.hasOwnSession {
                try loop.openOwnSession(isBackground: isBackground)
            }
            if isBackground { try background() }
            return try loop.run()
        } catch let error as DialError {
            log.fatal(error.text)
        } catch let error as ClientFailure where error.isWrongGuess {
            return connect(settings, lock, forwarding, log, words, mayGuess: false, again: again)
        } catch let error as ClientFailure {
            if let text = error.text { log.fatal(text) }
        } catch let error as ConfigError {
            log.fatal(error.text)
        } catch {
            log.fatal("\(error)")
        }
        return 255
    }

    /// Whether the session is the first and only thing that is done once the user is in.
    private func mayOpenEarly(_ settings: ClientSettings, _ forwarding: ForwardingSettings) -> Bool
    {
        let options = settings.options
        return forwarding.forwards.isEmpty && settings.standardForward == nil
            && options.sessionType != ClientOptions.SessionType.none
            && options.forkAfterAuthentication != true && options.controlMaster ?? .no == .no
            && options.tunnel ?? .no == .no && options.forwardX11 != true
            && (options.permitLocalCommand != true || options.localCommand == nil)
    }

    /// Options that the jump hosts of -J get as well.
    private func inherited(_ words: [String]) -> [String] {
        var result: [String] = []
        var parser = CommandLineParser(words, CommandLine.letters)
        while let step = parser.next() {
            switch step {
            case .option("F", let file): result += ["-F", file]
            case .flag("v"): result.append("-v")
            default: break
            }
        }
        return result
    }

    private func localCommand(
        _ settings: ClientSettings,
        tunnel: String?,
        _ log: Log
    ) throws {
        guard settings.options.permitLocalCommand == true,
            let command = settings.options.localCommand
        else { return }
        let expanded = try settings.expandLocalCommand(command, tunnel: tunnel)
        log.debug("Executing local command: '\(expanded)'")
        var spawn = Spawn.shell(Environment.value("SHELL") ?? "/bin/sh", command: expanded)
        spawn.descriptors = [(0, 0), (1, 1), (2, 2)]
        _ = Child.wait(try spawn.start())
    }

    /// With `ControlPersist`, the master goes on in a process of its own and this one rides it, so
    /// that nobody waits for the master. Nil in the master's process, and where nothing persists.
    private func persist(
        _ loop: ClientLoop,
        _ settings: ClientSettings,
        _ log: Log,
        _ again: () -> Int32
    ) throws(SystemError) -> Int32? {
        guard loop.master != nil, let path = settings.controlPath,
            let persistence = settings.options.controlPersist, persistence != .no
        else { return nil }
        if settings.options.sessionType == ClientOptions.SessionType.none,
            settings.standardForward == nil
        {
            try background()
            loop.isPersistentMaster = true
            return nil
        }
        let child = try Daemon.forkChild()
        if child == 0 {
            Daemon.startSession()
            Descriptor.useNull([0, 1, 2])
            try loop.continueAfterFork()
            loop.isPersistentMaster = true
            return nil
        }
        loop.abandon()
        var own = settings
        // The forwards of the configuration are the master's.
        own.options.clearAllForwardings = true
        guard case .done(let status) = ride(path, own, log) else { return again() }
        return status
    }

    private func background() throws(SystemError) {
        try Daemon.detach()
        Descriptor.useNull([0, 1, 2])
    }
}
