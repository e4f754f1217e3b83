// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// Starting what a session runs: shell, command or subsystem (RFC 4254 §6.5).
extension SessionProcess {
    /// Runs a command, or the login shell when there is none. False when that cannot be.
    func run(_ command: [UInt8]?, _ session: Session) -> Bool {
        guard !session.hasStarted else { return false }
        session.hasStarted = true
        session.typeName = command == nil ? "session:shell" : "session:command"
        var command = command
        var original = command.map { String(octets: $0) }
        var what = command == nil ? "shell" : "command"
        if let forced = settings.forceCommand {
            what = "forced-command (config) '\(forced)'"
            (command, session.isForced) = (forced.octets, true)
            session.isForcedByConfiguration = true
        } else if let forced = keyOptions.command {
            what = "forced-command (key-option) '\(forced)'"
            (command, session.isForced) = (forced.octets, true)
        } else {
            original = nil
        }
        return begin(command, original, what, session)
    }

    func runSubsystem(_ name: String, _ session: Session) -> Bool {
        guard !session.hasStarted else { return false }
        guard let command = settings.subsystem(name) else {
            log.error(
                "subsystem request for \(name) by user \(user.name) failed, subsystem not found"
            )
            return false
        }
        session.hasStarted = true
        session.isSubsystem = true
        session.typeName = "session:subsystem:\(name)"
        log.debug("subsystem: exec() \(command)")
        if let forced = settings.forceCommand ?? keyOptions.command {
            session.isForced = true
            session.isForcedByConfiguration = settings.forceCommand != nil
            let origin = session.isForcedByConfiguration ? "config" : "key-option"
            let what = "forced-command (\(origin)) '\(forced)'"
            return begin(forced.octets, command, what, session)
        }
        return begin(command.octets, nil, "subsystem '\(name)'", session)
    }

    private func begin(
        _ command: [UInt8]?,
        _ original: String?,
        _ what: String,
        _ session: Session
    ) -> Bool {
        let place = session.terminal.map { " on \($0.path.dropFirst(5))" } ?? ""
        log.verbose(
            "Starting session: \(what)\(place) for \(user.name) from \(start.peer.description) "
                + "id \(session.number)"
        )
        session.originalCommand = original
        ask(
            .report(
                .sessionStarted(
                    id: session.number,
                    kind: session.typeName,
                    command: command.map { String(octets: $0) } ?? ""
                )
            )
        )
        session.idleLimit = idleLimits.limit(session.typeName)
        let program: Session.Program = command.map { .command($0) } ?? .shell
        if refusalText == nil, runStartupFile(before: program, session) { return true }
        return start(program, session)
    }

    func startWaitingProgram(_ session: Session) {
        guard let program = session.waitingProgram else { return }
        session.waitingProgram = nil
        start(program, session)
    }

    // MARK: ~/.ssh/rc

    /// Starts `~/.ssh/rc`, `/etc/ssh/sshrc` or, for a display, xauth(1), one of them in this order
    /// (sshd(8), SSHRC); true when the program has to wait for its end.
    private func runStartupFile(before program: Session.Program, _ session: Session) -> Bool {
        let own = user.home + "/.ssh/rc"
        var file: LoginShell?
        var input = ""
        if let cookie = session.display?.cookie {
            input = "\(cookie.authenticationProtocol) \(cookie.authenticationCookie)\n"
        }
        if !session.isSubsystem, !session.isForcedByConfiguration,
            settings.isYes("permituserrc", default: true), keyOptions.permitsUserRC,
            Files.exists(own)
        {
            file = .startupFile(own, home: user.home, shell: user.loginShell)
        } else if Files.exists("/etc/ssh/sshrc") {
            file = .startupFile("/etc/ssh/sshrc", home: user.home, shell: user.loginShell)
        } else if let display = session.display {
            file = LoginShell(path: xauthPath, arguments: [xauthPath, "-q", "-"])
            input = display.xauthCommands
        }
        guard let file, let null = try? Descriptor.open("/dev/null", 2),
            let pipe = try? Descriptor.pipe()
        else { return false }
        defer { for descriptor in [null, pipe.read, pipe.write] { Descriptor.close(descriptor) } }
        var spawn = Spawn(file.path, file.arguments)
        spawn.environment = environment(of: session).strings
        spawn.directory = workingDirectory
        // What it prints is the session's, but for files, whose protocol it would spoil.
        if session.terminal == nil, !session.isSubsystem, internalSFTP(program, session) == nil {
            _ = begin(session) { () throws(SystemError) in try preparePipes(session) }
        }
        spawn.descriptors = [
            (child: 0, ours: pipe.read),
            (child: 1, ours: session.terminal?.slave ?? session.prepared?.output ?? null),
            (child: 2, ours: session.terminal?.slave ?? session.prepared?.errors ?? null),
        ]
        guard let pid = try? spawn.start() else { return false }
        // It is short, so that the pipe takes it whether it is read or not.
        Descriptor.setNonblocking(pipe.write)
        _ = Descriptor.write(pipe.write, input.octets.rawBytes)
        session.startupFile = pid
        session.waitingProgram = program
        return true
    }

    // MARK: The program

    @discardableResult
    func start(_ program: Session.Program, _ session: Session) -> Bool {
        if let text = refusalText {
            return startRefusal(text, session)
        }
        if let words = internalSFTP(program, session), !start.mustChangePassword {
            guard session.isSubsystem else {
                return startRefusal(
                    "This service allows sftp connections only.\n",
                    session,
                    descriptor: 1,
                    status: 1
                )
            }
            return begin(session) { () throws(SystemError) in
                try startInternalSFTP(words, session)
            }
        }
        var shell: LoginShell
        switch program {
        case .shell:
            shell = .interactive(shell: user.loginShell)
            if session.terminal != nil { greet(session) }
        case .command(let command):
            shell = .command(command, shell: user.loginShell)
        }
        if start.mustChangePassword {
            guard let terminal = session.terminal else {
                return startRefusal(
                    "WARNING: Your password has expired.\n"
                        + "Password change required but no TTY available.\n",
                    session,
                    status: 1
                )
            }
            write(
                "WARNING: Your password has expired.\n"
                    + "You must change your password now and login again!\n",
                to: terminal.slave
            )
            shell = LoginShell(path: "/usr/bin/passwd", arguments: ["passwd"])
        }
        return spawn(shell, session)
    }

    /// Why nobody but root may work now: /etc/nologin.
    private var refusalText: String? {
        if start.isRefused { return start.messages }
        guard user.uid != 0, Files.exists("/etc/nologin") else { return nil }
        let text = (try? Files.read("/etc/nologin", limit: 65536)) ?? []
        return String(octets: text)
    }

    /// A program that says why there is none, at its standard error output unless said otherwise.
    private func startRefusal(
        _ text: String,
        _ session: Session,
        descriptor: Int = 2,
        status: Int = 254
    ) -> Bool {
        let script = "printf %s \"$1\" >&\(descriptor); exit \(status)"
        return spawn(
            LoginShell(path: "/bin/sh", arguments: ["sh", "-c", script, "sh", text]),
            session
        )
    }

    private func spawn(_ shell: LoginShell, _ session: Session) -> Bool {
        var shell = shell
        if userEnvironment.isTooLong {
            log.error("Too many lines in environment file \(environmentFile)")
            shell = LoginShell(path: "/bin/sh", arguments: ["sh", "-c", "exit 255"])
        }
        var spawn = Spawn(shell.path, shell.arguments)
        spawn.environment = environment(of: session).strings
        spawn.directory = workingDirectory
        spawn.startsSession = true
        return begin(session) { () throws(SystemError) in
            if let terminal = session.terminal {
                write(complaints, to: terminal.slave)
                try startOnTerminal(&spawn, terminal, session)
            } else {
                try startOnPipes(&spawn, session)
            }
        }
    }

    /// Starts what a session runs and joins it with the channel.
    private func begin(_ session: Session, _ start: () throws(SystemError) -> Void) -> Bool {
        do throws(SystemError) {
            try start()
            if let pipe = session.pipe {
                own(pipe.descriptors, .channel(session.channel))
                pipe.refresh(&connection)
                if let limit = session.idleLimit {
                    idleLimits.check(by: Clock.nanoseconds &+ limit)
                }
            }
            session.pipe?.takeEarly(session.earlyInput, &connection)
            session.earlyInput = []
            if session.hasEarlyEnd { session.pipe?.takeEnd(&connection) }
            return true
        } catch {
            log.error("do_exec: \(error)")
            session.ending = .exited(1)
            return false
        }
    }

    private func startOnTerminal(
        _ spawn: inout Spawn,
        _ terminal: Session.TerminalState,
        _ session: Session
    ) throws(SystemError) {
        spawn.terminal = terminal.path
        session.child = try spawn.start()
        Descriptor.close(terminal.slave)
        session.terminal?.slave = -1
        session.pipe = ChannelPipe(
            channel: session.channel,
            writer: terminal.master,
            reader: terminal.master,
            isSocket: false,
            watch: watch
        )
    }

    private func startOnPipes(_ spawn: inout Spawn, _ session: Session) throws(SystemError) {
        if session.prepared == nil { try preparePipes(session) }
        guard let ends = session.prepared else { return }
        session.prepared = nil
        spawn.descriptors = [
            (child: 0, ours: ends.input), (child: 1, ours: ends.output),
            (child: 2, ours: ends.errors),
        ]
        // Short, so that the pipe takes it before anyone reads.
        write(complaints, to: ends.errors)
        let events = try offerFileEvents(&spawn, session)
        defer { Descriptor.close(events) }
        session.child = try spawn.start()
    }

    /// Makes the pipes of a session, and joins our ends with the channel.
    private func preparePipes(_ session: Session) throws(SystemError) {
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        let errors = try Descriptor.pipe()
        session.prepared = Session.ProgramEnds(
            input: input.read,
            output: output.write,
            errors: errors.write
        )
        session.pipe = ChannelPipe(
            channel: session.channel,
            writer: input.write,
            reader: output.read,
            errors: errors.read,
            isSocket: false,
            watch: watch
        )
    }

    var workingDirectory: String {
        Files.status(user.home)?.isDirectory == true ? user.home : "/"
    }

    /// What the user is told before the program runs: what is wrong with their files.
    private var complaints: String {
        var lines: [String] = []
        if settings.chrootDirectory == nil, Files.status(user.home)?.isDirectory != true {
            let reason = Files.reasonForAbsence(of: user.home) ?? SystemError.reason(20)  // ENOTDIR
            lines.append("Could not chdir to home directory \(user.home): \(reason)")
        }
        lines += userEnvironment.badLines.prefix(20).map { "Bad line \($0) in \(environmentFile)" }
        return lines.map { $0 + "\n" }.joined()
    }

    // MARK: Surroundings

    func environment(of session: Session) -> LoginEnvironment {
        var sources = LoginEnvironment.Sources(
            userName: user.name,
            isRoot: user.uid == 0,
            home: user.home,
            shell: user.loginShell,
            peer: start.peer,
            timeZone: Environment.value("TZ"),
            setsMail: !settings.usesPAM
        )
        sources.accepted = session.environment
        sources.fromPAM = start.environment.map { ($0.name, $0.value) }
        sources.fromConfiguration = settings.setEnvironment
        sources.originalCommand = session.originalCommand
        if let terminal = session.terminal { sources.terminal = (terminal.path, terminal.term) }
        sources.agentSocket = agentSocket
        sources.display = session.display?.name
        if settings.isYes("exposeauthinfo", default: false) {
            sources.authenticationInfoFile = authenticationInfoFile
        }
        sources.fromUser = userEnvironment.variables
        return LoginEnvironment(sources)
    }

    /// `environment=` of the key and `~/.ssh/environment`, as far as `PermitUserEnvironment` goes.
    private var userEnvironment: UserEnvironment {
        let permission = settings.first("permituserenvironment") ?? "no"
        guard permission != "no" else { return UserEnvironment() }
        // Of several of one name the first counts.
        let ofKey = keyOptions.environment.reversed().map { (name: $0.name, value: $0.value) }
        let file = (try? Files.read(environmentFile, limit: 1 << 20)) ?? []
        var found = UserEnvironment(fileContents: String(octets: file))
        found.variables = ofKey + found.variables
        guard permission != "yes" else { return found }
        found.variables = found.variables.filter { Pattern.listContains(permission, $0.name) }
        return found
    }

    private var environmentFile: String { user.home + "/.ssh/environment" }

    /// Message of the day and last login, for a login shell on a terminal.
    private func greet(_ session: Session) {
        guard let terminal = session.terminal else { return }
        if !start.messages.isEmpty { write(start.messages, to: terminal.slave) }
        guard !Files.exists(user.home + "/.hushlogin") else { return }
        if settings.isYes("printlastlog", default: true), let last = start.lastLogin {
            let time = CivilTime.text(of: last.time)
            write(LoginDay.lastLogin(time: time, host: last.host), to: terminal.slave)
        }
        if settings.isYes("printmotd", default: true),
            let motd = try? Files.read("/etc/motd", limit: 1 << 20)
        {
            write(String(octets: motd), to: terminal.slave)
        }
    }

    private func write(_ text: String, to descriptor: Int32) {
        Descriptor.writeAll(descriptor, text.octets)
    }

    /// The file that `SSH_USER_AUTH` names: made once, removed at the end.
    private var authenticationInfoFile: String? {
        if let exposedFile { return exposedFile }
        let name = "/tmp/sshauth.\(Hexadecimal.encode(SystemRandom().bytes(8)))"
        guard
            (try? Files.create(name, with: start.authenticationInfo.octets, mode: 0o600))
                != nil
        else { return nil }
        exposedFile = name
        return name
    }
}
