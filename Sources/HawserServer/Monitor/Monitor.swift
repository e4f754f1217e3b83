// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// The privileged process of one connection. It never reads a byte of the client: it holds the host
/// keys, decides who gets in, and does for the user's process what only root can do.
package final class Monitor {
    let start: MonitorStart
    var settings: ServerSettings
    var log: Log
    var phase = MonitorPhase.keyExchange
    /// The network process has told of a client that speaks SSH.
    private var hasIdentified = false
    /// The process that speaks with the client now.
    var socket: MessageSocket
    private var child: Int32 = 0
    /// Nanoseconds; until someone is logged in.
    var deadline: UInt64?
    var hasTimedOut = false
    /// The first hash that was signed, to which the client's signatures are bound.
    var sessionIdentifier: [UInt8] = []
    var login: LoginState?
    var terminals: [UInt32: LoginTerminal] = [:]
    private var descriptorSocket: Int32 = -1
    /// Something was done here that may have brought others' secrets into this process' memory:
    /// PAM's modules read /etc/shadow and files of their own, Kerberos reads the host's keytab.
    var holdsOthersSecrets = false
    private var moduli: Moduli?
    let hostKeyOffers: [HostKeyOffer]
    /// The client's name, as far as names are looked up.
    var hostName: String?

    /// A terminal that a session has, to be given back.
    struct LoginTerminal {
        var path: String
        var record: LoginRecords.Login
    }

    /// The library, opened by the first who needs it; nil where there is none.
    lazy var kerberos = KerberosLibrary()

    /// Why the user may not log in at all.
    var refusedUser: String?
    /// How it ended, for the listener.
    var ending = MonitorEnding.noAuthentication
    private let beginning = Clock.nanoseconds
    private var bytes: (received: UInt64, sent: UInt64) = (0, 0)

    /// Serves one connection to its end and returns the exit status.
    package static func run(_ start: MonitorStart) -> Int32 {
        let monitor = Monitor(start)
        let status = monitor.serve()
        monitor.cleanUp()
        start.events.write(
            .disconnected(
                user: monitor.ending == .loggedIn ? monitor.login?.name : nil,
                seconds: Int(clamping: (Clock.nanoseconds - monitor.beginning) / 1_000_000_000),
                bytesIn: monitor.bytes.received,
                bytesOut: monitor.bytes.sent
            )
        )
        // Only a listener understands it.
        return start.startupPipe == nil ? status : monitor.ending.rawValue
    }

    private init(_ start: MonitorStart) {
        self.start = start
        settings = start.configuration(ConnectionCriteria(peer: start.peer))
        log = start.log
        socket = MessageSocket(-1, limitBytes: MonitorLimits.requestBytes)
        start.hostKeys.securityKeyProvider = settings.given("securitykeyprovider") ?? "internal"
        hostKeyOffers = start.hostKeys.offers(allowed: AlgorithmDefaults.hostKey(settings))
        if settings.isYes("usedns", default: false),
            let address = Socket.peer(of: start.input)?.unmapped, !address.isUnix
        {
            hostName = PeerName.resolve(address, log)
            settings = start.configuration(
                ConnectionCriteria(peer: start.peer, host: hostName)
            )
        }
        if settings.loginGraceSeconds > 0 {
            deadline = Clock.nanoseconds + UInt64(settings.loginGraceSeconds) * 1_000_000_000
            // Should a module hang, this process must not stay for ever.
            Identity.endAfter(seconds: UInt32(clamping: settings.loginGraceSeconds + 30))
        }
    }

    private func serve() -> Int32 {
        ProcessTitle.set("sshd: [accepted]")
        log.verbose(
            "Connection from \(start.peer.description) on \(start.peer.localAddress) "
                + "port \(start.peer.localPort) rdomain \"\(start.peer.routingDomain)\""
        )
        start.events.write(.connected(address: start.peer.address, port: start.peer.port))
        if start.peer != .unknown,
            !HostAccess.permits(service: "sshd", host: hostName, address: start.peer.address)
        {
            log.info(
                "refused connect from \(hostName ?? start.peer.address) (\(start.peer.address))"
            )
            return 255
        }
        if settings.isYes("refuseconnection", default: false) {
            log.info("Refused connection from \(start.peer.description): RefuseConnection")
            ending = .refusedConnection
            return 255
        }
        setTypeOfService()
        guard beginKeyExchange(), let state = serveLogin(), let login else {
            if hasTimedOut {
                log.fatal("Timeout before authentication for \(start.peer.description)")
                ending = .graceExceeded
                Child.kill(child, 9)
            }
            // Whatever it waits for, it learns that nobody answers any more.
            Descriptor.close(socket.descriptor)
            noteEnding(child > 0 ? Child.wait(child) : nil)
            return 255
        }
        _ = Child.wait(child)
        ending = .loggedIn
        start.events.write(.loggedIn(user: login.name))
        Identity.endAfter(seconds: 0)
        deadline = nil
        if let pipe = start.startupPipe { Descriptor.close(pipe) }
        return serveSession(login, state)
    }

    /// What a client did that was not logged in.
    private func noteEnding(_ end: ChildEnd?) {
        if case .signaled? = end, !hasTimedOut {
            ending = .crash
        } else if ending == .noAuthentication, let login {
            if !login.isValid {
                ending = .invalidUser
            } else if login.failures > 0 {
                ending = .authenticationFailed
            }
        }
    }

    /// `IPQoS`: before there is a session, as for one with a terminal.
    private func setTypeOfService() {
        guard let value = TypeOfService(settings.first("ipqos")).interactive else { return }
        Socket.setTypeOfService(start.input, value)
    }

    // MARK: Before the login

    private func beginKeyExchange() -> Bool {
        var confinement: NetworkStart.Confinement?
        if Identity.isPrivileged {
            let account = User.named("sshd") ?? User.named("nobody")
            guard let account else {
                log.fatal("Privilege separation user sshd does not exist")
                return false
            }
            confinement = NetworkStart.Confinement(
                directory: PrivilegeSeparation.directory,
                uid: account.uid,
                gid: account.gid
            )
        }
        guard startNetworkProcess() else { return false }
        let begin = NetworkStart(
            identification: identification,
            proposal: AlgorithmDefaults.proposal(settings, hostKeys: hostKeyOffers),
            rekeyLimit: settings.rekeyLimit,
            hostKeys: hostKeyOffers,
            signatureAlgorithms: AlgorithmDefaults.signature(
                settings,
                mayVary: start.algorithmsVary
            ),
            logLevel: log.level,
            logVerbose: settings.words("logverbose"),
            peer: start.peer,
            offersCompression: settings.first("compression") != "no",
            confinement: confinement
        )
        socket.send(MonitorAnswer.start(begin).encoding)
        return true
    }

    private var identification: String {
        let addendum = settings.given("versionaddendum").map { " " + $0 } ?? ""
        return Version.identification + addendum
    }

    /// Serves the network process until it hands over the connection of someone logged in.
    private func serveLogin() -> [UInt8]? {
        while let request = nextRequest() {
            switch request {
            case .user(let name, _):
                beginLogin(name)
                if settings.isYes("refuseconnection", default: false) {
                    log.info(
                        "Refused connection from \(start.peer.description): RefuseConnection"
                    )
                    ending = .refusedConnection
                    return nil
                }
            case .authenticate(let method):
                guard authenticate(method) else { return nil }
            case .handOver(let state):
                return state
            case .ended:
                return nil
            default:
                break
            }
        }
        return nil
    }

    /// The next request that needs a decision; log lines, signatures and groups are answered here.
    /// Nil when the other process has gone, the time is over or it asked what it may not.
    func nextRequest() -> MonitorRequest? {
        while true {
            guard let message = socket.waitForNext(deadline: deadline) else {
                if let deadline, Clock.nanoseconds >= deadline, !socket.hasEnded {
                    hasTimedOut = true
                }
                return nil
            }
            guard let request = try? MonitorRequest(decoding: message.rawBytes) else {
                log.fatal("monitor: bad message")
                return nil
            }
            guard phase.allows(request.kind) else {
                log.fatal("monitor: request \(request.kind) in phase \(phase)")
                return nil
            }
            if request.kind != .log { hasIdentified = true }
            switch request {
            case .log(let level, let text, let isEarly): write(level, text, isEarly: isEarly)
            case .sign(let request): sign(request)
            case .group(let minimum, let preferred, let maximum):
                chooseGroup(minimum: minimum, preferred: preferred, maximum: maximum)
            default: return request
            }
        }
    }

    /// What the network process tells before the login is marked, as OpenSSH marks it; only where
    /// nothing but lines for the log came from it yet it may say that the client is none.
    private func write(_ level: LogLevel, _ text: String, isEarly: Bool) {
        if !isEarly { hasIdentified = true }
        // What it tells because `LogVerbose` asks for it is told whatever the level.
        guard level <= log.level || log.overrides != nil else { return }
        let isPlain = phase == .session || isEarly && !hasIdentified
        log.sink?.write(level, isPlain ? text : text + " [preauth]")
    }

    private func sign(_ request: SigningRequest) {
        // Before the login only exchange hashes; afterwards proofs of possession too.
        let isHash = [20, 32, 48, 64].contains(request.data.count)
        var signature: [UInt8]?
        if isHash || isProof(request) {
            if sessionIdentifier.isEmpty { sessionIdentifier = request.data }
            signature = start.hostKeys.sign(
                request.data,
                keyBlob: request.keyBlob,
                algorithm: request.algorithm
            )
        }
        socket.send(MonitorAnswer.signature(signature ?? []).encoding)
    }

    private func isProof(_ request: SigningRequest) -> Bool {
        phase == .session
            && request.data
                == GlobalRequest.signedProof(
                    ofHostKey: request.keyBlob,
                    sessionIdentifier: sessionIdentifier
                )
    }

    private func chooseGroup(minimum: Int, preferred: Int, maximum: Int) {
        let random = SystemRandom()
        let group = loadModuli().choose(
            minimum: max(minimum, 2048),
            preferred: preferred,
            maximum: maximum,
            random: { random.uniform(below: $0) }
        )
        if let group {
            socket.send(
                MonitorAnswer.group(prime: group.prime, generator: group.generator).encoding
            )
            return
        }
        // No file, or nothing in it that fits: the fixed group nearest to the wish.
        log.verbose("WARNING: no suitable primes in \(moduliPath)")
        let fixed: FiniteFieldGroup =
            switch min(preferred, maximum) {
            case ...2048: .group14
            case ...4096: .group16
            default: .group18
            }
        socket.send(MonitorAnswer.group(prime: fixed.prime, generator: fixed.generator).encoding)
    }

    private var moduliPath: String { settings.given("modulifile") ?? "/etc/ssh/moduli" }

    private func loadModuli() -> Moduli {
        if let moduli { return moduli }
        let loaded = Moduli(contents: (try? Files.read(moduliPath)) ?? [])
        moduli = loaded
        return loaded
    }

    /// The host as records of logins have it: its address where the name is longer than `-u` allows.
    private var recordedHost: String {
        guard let name = hostName, name.utf8.count <= start.hostWidth ?? .max else {
            return start.peer.address
        }
        return name
    }

    // MARK: Processes

    /// Starts the network process: this program anew, so that a stranger speaks with a process
    /// whose memory holds nothing of ours and lies where nobody knows.
    private func startNetworkProcess() -> Bool {
        startProcess { theirs throws(SystemError) in
            var spawn = ours(.network, start.programs.network)
            // A stranger's process gets no file, not even the log's.
            let null = try Descriptor.open("/dev/null", 2)
            defer { Descriptor.close(null) }
            spawn.descriptors = [(child: 2, ours: null)] + connectionDescriptors(theirs)
            return try spawn.start()
        }
    }

    /// Whether the user's process is no copy of this one.
    private var startsSessionAnew: Bool { holdsOthersSecrets || start.programs.session != nil }

    /// Starts the user's process: a copy of this one, which shares with it what neither writes to,
    /// or this program anew where this one may hold what is not the user's
    /// (docs/decisions/0007-processes-of-sshd.md).
    private func startSessionProcess(_ begin: SessionStart) -> Bool {
        guard let (kept, given) = try? Descriptor.socketPair() else { return false }
        descriptorSocket = kept
        defer { Descriptor.close(given) }
        return startProcess { theirs throws(SystemError) in
            let descriptors =
                connectionDescriptors(theirs) + [(child: ServerRole.Place.descriptors, ours: given)]
            guard startsSessionAnew else {
                // What the login needed, before two processes have it.
                Memory.trim()
                return try Fork.start { serveSession(begin, descriptors) }
            }
            var spawn = ours(.session, start.programs.sessionStartedAnew)
            spawn.descriptors = [(child: 2, ours: 2)] + descriptors
            return try spawn.start()
        }
    }

    /// In the child that becomes the user's process.
    private func serveSession(
        _ begin: SessionStart,
        _ descriptors: [(child: Int32, ours: Int32)]
    ) -> Int32 {
        do throws(SystemError) {
            try Fork.becomeOwn(descriptors)
        } catch {
            return 255
        }
        _ = Daemon.changeDirectory("/")
        Environment.replace(with: Accounts.environment)
        return SessionProcess.run(
            begin,
            settings,
            MessageSocket(ServerRole.Place.monitor, limitBytes: MonitorLimits.handoverBytes),
            input: ServerRole.Place.input,
            output: ServerRole.Place.output,
            descriptors: ServerRole.Place.descriptors
        )
    }

    private func ours(_ role: ServerRole, _ file: String) -> Spawn {
        var spawn = Spawn(file, role.arguments(title: ""))
        spawn.environment = Accounts.environment
        spawn.directory = "/"
        return spawn
    }

    private func connectionDescriptors(_ theirs: Int32) -> [(child: Int32, ours: Int32)] {
        [
            (child: ServerRole.Place.monitor, ours: theirs),
            (child: ServerRole.Place.input, ours: start.input),
            (child: ServerRole.Place.output, ours: start.output),
        ]
    }

    /// Starts a process with a socket to us.
    private func startProcess(_ body: (Int32) throws(SystemError) -> Int32) -> Bool {
        do throws(SystemError) {
            let (ours, theirs) = try Descriptor.socketPair()
            defer { Descriptor.close(theirs) }
            child = try body(theirs)
            socket = MessageSocket(ours, limitBytes: MonitorLimits.handoverBytes)
            return true
        } catch {
            log.fatal("fork of unprivileged child failed: \(error)")
            return false
        }
    }

    // MARK: After the login

    private func serveSession(_ login: LoginState, _ state: [UInt8]) -> Int32 {
        ProcessTitle.set("sshd: \(login.user.name) [priv]")
        Descriptor.close(socket.descriptor)
        let messages: String
        storeTickets(login)
        do throws(SessionRefusal) {
            messages = try openAccount(login)
        } catch {
            log.error(error.text)
            return 255
        }
        phase = .session
        let begin = SessionStart(
            userName: login.user.name,
            uid: login.user.uid,
            gid: login.user.gid,
            configuration: startsSessionAnew ? settings.text : "",
            keyOptions: login.keyOptionsText,
            certificate: login.certificate,
            peer: start.peer,
            logLevel: log.level,
            environment: environment(of: login),
            lastLogin: lastLogin(of: login.user),
            messages: messages,
            mustChangePassword: login.mustChangePassword,
            isRefused: login.pam != nil && Identity.isPrivileged && !login.isSessionOpen,
            authenticationInfo: login.authenticationInfo.joined(),
            notes: login.notes.lines,
            hostKeys: hostKeyOffers,
            provableKeys: start.hostKeys.provable,
            signatureAlgorithms: AlgorithmDefaults.signature(settings),
            proposal: AlgorithmDefaults.proposal(settings, hostKeys: hostKeyOffers),
            handover: state,
            mustChangeIdentity: Identity.isPrivileged
        )
        guard startSessionProcess(begin) else { return 255 }
        Descriptor.close(start.input)
        if start.output != start.input { Descriptor.close(start.output) }
        if startsSessionAnew { socket.send(MonitorAnswer.session(begin).encoding) }
        Memory.trim()
        while let request = nextRequest() {
            switch request {
            case .openTerminal(let session, let term): openTerminal(session, term)
            case .releaseTerminal(let session): releaseTerminal(session)
            case .report(let report): note(report, login)
            default: break
            }
        }
        guard case .exited(let status)? = Child.wait(child) else { return 255 }
        return status
    }

    /// The name of the tickets' cache, and what PAM's modules want, which counts more.
    private func environment(of login: LoginState) -> [SessionStart.EnvironmentVariable] {
        let ofTickets = login.kerberos.cache.map { [(name: "KRB5CCNAME", value: $0.name)] } ?? []
        return (ofTickets + (login.pam?.environment ?? [])).map {
            SessionStart.EnvironmentVariable(name: $0.name, value: $0.value)
        }
    }

    private func note(_ report: SessionReport, _ login: LoginState) {
        switch report {
        case .sessionStarted(let id, let kind, let command):
            start.events.write(
                .sessionStarted(
                    user: login.name,
                    id: Int(id),
                    kind: kind,
                    command: command.isEmpty ? nil : command
                )
            )
        case .sessionEnded(let id):
            start.events.write(.sessionEnded(user: login.name, id: Int(id)))
        case .forward(let kind, let target, let isAllowed):
            start.events.write(
                .forward(user: login.name, kind: kind, target: target, isAllowed: isAllowed)
            )
        case .file(let id, let event):
            start.events.write(.file(user: login.name, id: Int(id), event))
        case .bytes(let received, let sent):
            bytes = (received, sent)
        }
    }

    private func lastLogin(of user: User) -> SessionStart.LastLogin? {
        guard settings.isYes("printlastlog", default: true) else { return nil }
        return LoginRecords.lastLogin(of: user.uid).map {
            SessionStart.LastLogin(time: $0.time, host: $0.host)
        }
    }

    private func openTerminal(_ session: UInt32, _ term: String) {
        guard let login, terminals.count < 1024 else {
            return socket.send(MonitorAnswer.noTerminal.encoding)
        }
        do {
            let terminal = try PseudoTerminal.open()
            if Identity.isPrivileged { try terminal.give(to: login.user) }
            let record = LoginRecords.Login(
                user: login.user.name,
                terminal: terminal.path,
                host: recordedHost,
                address: NumericAddress.bytes(of: start.peer.address) ?? [],
                processID: Daemon.processID
            )
            if Identity.isPrivileged {
                LoginRecords.recordLogin(record)
                LoginRecords.recordLastLogin(
                    of: login.user.uid,
                    terminal: terminal.path,
                    host: recordedHost
                )
            }
            terminals[session] = LoginTerminal(path: terminal.path, record: record)
            socket.send(MonitorAnswer.terminal(path: terminal.path).encoding)
            try UnixSocket.send([terminal.master, terminal.terminal], over: descriptorSocket)
            Descriptor.close(terminal.master)
            Descriptor.close(terminal.terminal)
        } catch {
            log.error("\(error)")
            socket.send(MonitorAnswer.noTerminal.encoding)
        }
    }

    private func releaseTerminal(_ session: UInt32) {
        guard let terminal = terminals.removeValue(forKey: session) else { return }
        guard Identity.isPrivileged else { return }
        LoginRecords.recordLogout(terminal.record)
        PseudoTerminal.takeBack(terminal.path)
    }

    private func cleanUp() {
        for session in terminals.keys { releaseTerminal(session) }
        removeTickets()
        login?.pam?.end(wasOpened: login?.isSessionOpen ?? false)
    }
}

extension PAM {
    fileprivate func end(wasOpened: Bool) {
        guard wasOpened else { return }
        try? closeSession()
        try? setCredentials(.delete)
    }
}

/// Why a login that was accepted cannot go on.
struct SessionRefusal: Error {
    let text: String
}

/// Where the network process is locked in.
package enum PrivilegeSeparation {
    /// Empty, and only root may write it.
    package static var directory: String {
        Files.exists("/var/empty") ? "/var/empty" : "/run/sshd"
    }

    /// What is wrong with the directory, in OpenSSH's words; nil for nothing.
    package static var fault: String? {
        guard let status = Files.status(directory), status.isDirectory else {
            return "Missing privilege separation directory: \(directory)"
        }
        guard status.uid == 0, status.mode & 0o022 == 0 else {
            return "\(directory) must be owned by root and not group or world-writable."
        }
        return nil
    }
}
