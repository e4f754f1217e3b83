// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserCrypto
internal import HawserLog
internal import HawserSystem
internal import HawserTool

/// ssh-agent(1).
struct Program {
    let arguments: Arguments
    /// What `SHELL` says.
    let loginShell: String?

    /// Carries out what was asked for; the exit status.
    func run() -> Int32 {
        if arguments.printsVersion {
            printError(Version.text + "\n")
            return 0
        }
        if arguments.cleansSockets > 0 {
            SocketPlace.removeStale(ofAnyHost: arguments.cleansSockets > 1)
            return 0
        }
        let announcement = Announcement(arguments.shell, loginShell: loginShell)
        if arguments.kills { return kill(announcement) }
        return start(announcement)
    }

    // MARK: -k

    private func kill(_ announcement: Announcement) -> Int32 {
        guard let text = Environment.value("SSH_AGENT_PID") else {
            printError("SSH_AGENT_PID not set, cannot kill agent\n")
            return 1
        }
        var problem: String?
        let pid = Int(text)
        if pid == nil {
            problem = "invalid"
        } else if let pid, pid < 1 {
            problem = "too small"
        } else if let pid, pid > Int(Int32.max) {
            problem = "too large"
        }
        if let problem {
            printError("SSH_AGENT_PID=\"\(text)\", which is not a good PID: \(problem)\n")
            return 1
        }
        do throws(SystemError) {
            try Child.signal(Int32(clamping: pid ?? 0), SignalNumber.terminate)
        } catch {
            printError("kill: \(error.reason)\n")
            return 1
        }
        printOutput(
            announcement.unset("SSH_AUTH_SOCK") + announcement.unset("SSH_AGENT_PID")
                + "echo Agent pid \(pid ?? 0) killed;\n"
        )
        return 0
    }

    // MARK: Start

    private func start(_ announcement: Announcement) -> Int32 {
        let inForeground = arguments.staysInForeground || arguments.debugs
        var place: SocketPlace?
        let listener: Int32
        if let given = handedOverSocket(inForeground) {
            listener = given
        } else {
            do throws(SystemError) {
                let made = try makeSocket()
                place = made.place
                listener = made.listener
            } catch {
                let path = error.object
                let call = error.call == "bind" ? "cannot bind to path" : error.call
                printError("unix_listener: \(call) \(path): \(error.reason)\r\n")
                return 1
            }
        }
        let environment = [("SSH_AUTH_SOCK", place?.path ?? "")]
        if inForeground {
            if place != nil {
                printOutput(
                    environment.map { announcement.set($0.0, $0.1) }.joined()
                        + "echo Agent pid \(Daemon.processID);\n"
                )
            }
            return serve(listener, place, parent: nil, inForeground: true)
        }
        let parent = Daemon.processID
        let child: Int32
        do throws(SystemError) {
            child = try Daemon.forkChild()
        } catch {
            printError("fork: \(error.reason)\n")
            place?.remove()
            return 1
        }
        if child == 0 {
            let watched = arguments.command.isEmpty ? nil : parent
            return serve(listener, place, parent: watched, inForeground: false)
        }
        Descriptor.close(listener)
        let path = place?.path ?? ""
        guard arguments.command.isEmpty else {
            return become(arguments.command, path: path, agent: child)
        }
        printOutput(
            announcement.set("SSH_AUTH_SOCK", path)
                + announcement.set("SSH_AGENT_PID", "\(child)")
                + "echo Agent pid \(child);\n"
        )
        return 0
    }

    /// The command in the place of this process, the agent being its child.
    private func become(_ command: [String], path: String, agent: Int32) -> Int32 {
        Environment.set("SSH_AUTH_SOCK", path)
        Environment.set("SSH_AGENT_PID", "\(agent)")
        let error = Execute.replace(by: command)
        printError("\(command.first ?? ""): \(error.reason)\n")
        return 1
    }

    /// The socket that a service manager has opened, sd_listen_fds(3).
    private func handedOverSocket(_ inForeground: Bool) -> Int32? {
        defer {
            for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { Environment.remove(name) }
        }
        guard inForeground, arguments.socketPath == nil,
            Environment.value("LISTEN_PID") == "\(Daemon.processID)",
            Environment.value("LISTEN_FDS") == "1",
            Files.status(of: Self.firstHandedOver)?.isSocket == true
        else { return nil }
        Descriptor.setCloseOnExec(Self.firstHandedOver)
        return Self.firstHandedOver
    }

    private static let firstHandedOver: Int32 = 3

    private func makeSocket() throws(SystemError) -> (place: SocketPlace, listener: Int32) {
        if let path = arguments.socketPath {
            let place = SocketPlace(path: path)
            return (place, try UnixSocket.listening(at: path))
        }
        if !arguments.usesTemporaryDirectory {
            if !arguments.keepsStaleSockets { SocketPlace.removeStale(ofAnyHost: false) }
            if let place = SocketPlace.home(),
                let listener = try? UnixSocket.listening(at: place.path)
            {
                return (place, listener)
            }
        }
        let place = try SocketPlace.temporary()
        do throws(SystemError) {
            return (place, try UnixSocket.listening(at: place.path))
        } catch {
            place.remove()
            throw error
        }
    }

    // MARK: Serve

    private func serve(
        _ listener: Int32,
        _ place: SocketPlace?,
        parent: Int32?,
        inForeground: Bool
    ) -> Int32 {
        Signals.ignore([SignalNumber.pipe])
        Signals.watch([
            SignalNumber.hangUp, SignalNumber.terminate, SignalNumber.userOne, SignalNumber.child,
        ])
        if inForeground {
            Signals.watch([SignalNumber.interrupt])
        } else {
            Signals.ignore([SignalNumber.interrupt])
            Daemon.startSession()
            Descriptor.useNull([0, 1, 2])
        }
        if parent != nil { Daemon.dieWithParent() }
        SecretProcess.lockMemory()
        let level: LogLevel = arguments.debugs ? .debug3 : inForeground ? .info : .quiet
        let log = Log(level: level, sink: Messages(usesCarriageReturns: false))
        var options = AgentServer.Options()
        options.defaultLifetimeSeconds = arguments.lifetimeSeconds
        options.fingerprintHash = arguments.hash
        options.allowsRemoteProviders = arguments.allowsRemoteProviders
        if let allowed = arguments.allowedProviders { options.allowedProviders = allowed }
        if let applications = arguments.websafeApplications {
            options.anySignatureApplications = applications
        }
        if !arguments.restrictsWebsafe { options.anySignatureApplications = nil }
        let server = AgentServer(
            options: options,
            log: log,
            random: SystemRandom(),
            canonicalPath: { Files.canonical($0) }
        )
        AgentLoop(server: server, listener: listener, parent: parent, log: log).run()
        place?.remove()
        return 2
    }
}
