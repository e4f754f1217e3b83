// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
package import HawserSystem
internal import HawserTool
internal import HawserWire

/// The server from its options to its end.
package struct ServerProgram {
    /// What the command line says.
    package struct Options {
        package var configurationFile = "/etc/ssh/sshd_config"
        /// `-o`, `-p`, `-h`, … as lines of a configuration that come first.
        package var lines: [String] = []
        package var debugLevel = 0
        package var staysInForeground = false
        package var isInetd = false
        package var logsToStandardError = false
        package var logFile: String?
        package var isQuiet = false
        package var tests = false
        package var testsExtended = false
        package var printsOnly = false
        /// Where each value comes from (`--origin`), in JSON (`--json`).
        package var explains = false
        package var usesJSON = false
        package var ports: [Int] = []
        package var connectionSpecification: [String] = []
        /// `--explain`: what is asked about; empty without it.
        package var explanationSpecification: [String] = []
        package var family: Resolver.Family = .any
        /// `-u`
        package var hostWidth: Int?
        /// Of this program, the first as it was called.
        package var arguments: [String] = []

        package init() {}
    }

    private(set) var options: Options
    private let sink: ServerLogSink
    private var log: Log

    package init(_ options: Options) {
        self.options = options
        sink = ServerLogSink(.descriptor(2))
        let level = LogLevel(rawValue: LogLevel.info.rawValue + 1 + options.debugLevel) ?? .debug3
        log = Log(level: options.debugLevel > 0 ? level : .info, sink: sink)
        if options.isQuiet { log.level = .quiet }
    }

    /// Runs it and returns the exit status.
    package mutating func run() -> Int32 {
        Descriptor.ensureStandardDescriptors()
        if let path = options.logFile, let directory = Daemon.workingDirectory {
            // It is opened again later, from another directory.
            options.logFile = path.hasPrefix("/") ? path : directory + "/" + path
        }
        if let reason = openLogFile() {
            log.fatal(reason)
            return 1
        }
        let configuration: CapturedConfiguration
        do throws(SystemError) {
            configuration = try CapturedConfiguration(
                path: options.configurationFile,
                options: options.lines,
                ports: options.ports
            )
        } catch {
            log.fatal("\(options.configurationFile): \(error.reason)")
            return 1
        }
        configuration.hostWidth = options.hostWidth
        for note in configuration.notes { log.info(note) }
        for error in configuration.errors { log.error(error) }
        guard configuration.errors.isEmpty else {
            return configuration.beganWithUnreadableOption ? 1 : 255
        }
        guard isConsistent(configuration) else { return 255 }
        let settings = configuration.globalSettings
        tellOfMissingLibraries(settings)
        if options.debugLevel == 0, !options.isQuiet, !options.tests, !options.testsExtended {
            log.level = settings.logLevel
        }
        log.overrides = LogOverrides(settings.words("logverbose"), program: "sshd")
        if options.printsOnly { return show(configuration) }
        if !options.explanationSpecification.isEmpty { return explain(configuration) }
        log.debug("sshd version \(Version.text)")
        if log.level >= .debug2 {
            log.debug2("load_server_config: filename \(options.configurationFile)")
            for line in configuration.settingLines { log.debug3(line) }
        }
        let hostKeys = loadHostKeys(settings)
        for (index, entry) in hostKeys.entries.enumerated() {
            let key = entry.publicKey
            let fingerprint = key.fingerprint(settings.fingerprintHash)
            log.debug("private host key #\(index): \(key.type.name) \(fingerprint)")
        }
        guard !hostKeys.entries.isEmpty else {
            Descriptor.writeAll(2, Array("sshd: no hostkeys available -- exiting.\r\n".utf8))
            return 1
        }
        if Identity.isPrivileged, let fault = PrivilegeSeparation.fault {
            log.fatal(fault)
            return 255
        }
        if options.testsExtended { return show(configuration) }
        guard let programs = OwnPrograms(settings, log) else { return 255 }
        if options.tests { return 0 }
        if options.isInetd { return serveInetd(configuration, hostKeys, programs) }
        return listen(configuration, settings, hostKeys, programs)
    }

    /// `-E`: the log is what the file of this name is now. Why it cannot be opened; nil when it can.
    private func openLogFile() -> String? {
        guard let path = options.logFile else { return nil }
        do throws(SystemError) {
            let file = try Descriptor.open(path, 0o1 | 0o100 | 0o2000, mode: 0o600)
            try Descriptor.replace(2, with: file)
            Descriptor.close(file)
            return nil
        } catch {
            return "Couldn't open logfile \(path): \(error.reason)"
        }
    }

    /// Whether keywords do not contradict each other; says what does.
    private func isConsistent(_ configuration: CapturedConfiguration) -> Bool {
        let contradictions = configuration.contradictions
        for note in contradictions.notes { log.error(note) }
        if let error = contradictions.errors.first { log.fatal(error) }
        return contradictions.errors.isEmpty
    }

    /// Asks for the libraries of Kerberos only where they are to be used.
    private func tellOfMissingLibraries(_ settings: ServerSettings) {
        if settings.isYes("gssapiauthentication", default: false), GSSLibrary() == nil {
            log.info(
                "Unsupported option GSSAPIAuthentication: \(GSSLibrary.fileName) is not installed"
            )
        }
        if settings.isYes("kerberosauthentication", default: false), !KerberosLibrary.isInstalled {
            log.info(
                "Unsupported option KerberosAuthentication: "
                    + "\(KerberosLibrary.fileName) is not installed"
            )
        }
    }

    // MARK: -T and -G

    private func show(_ configuration: CapturedConfiguration) -> Int32 {
        var criteria: ConnectionCriteria?
        for part in options.connectionSpecification {
            guard part == "invalid-user" || part.contains("=") else {
                log.fatal("Invalid test mode specification \(part)")
                return 1
            }
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            var known = criteria ?? ConnectionCriteria()
            switch (pair.first ?? "", pair.count > 1 ? pair[1] : "") {
            case ("user", let value):
                known.user = value
                known.groups = User.named(value)?.groupNames ?? []
            case ("host", let value): known.host = value
            case ("addr", let value): known.address = value
            case ("laddr", let value): known.localAddress = value
            case ("rdomain", let value): known.routingDomain = value
            case ("lport", let value):
                guard let port = Int(value), (0...65535).contains(port) else {
                    log.fatal("Invalid port '\(value)' in test mode specification \(part)")
                    return 1
                }
                known.localPort = port
            case ("invalid-user", _): known.isInvalidUser = true
            default:
                log.fatal("Invalid test mode specification \(part)")
                return 1
            }
            criteria = known
        }
        let hostKeys = Self.defaultHostKeys
        let text =
            options.usesJSON
            ? configuration.json(for: criteria, hostKeys)
            : options.explains
                ? configuration.explanation(for: criteria, hostKeys)
                : configuration.text(for: criteria, hostKeys)
        Descriptor.writeAll(1, text.octets)
        return 0
    }

    private func hostKeyPaths(_ settings: ServerSettings) -> [String] {
        let paths = settings.all("hostkey").filter { $0 != "none" }
        guard paths.isEmpty else { return paths }
        return Self.defaultHostKeys.filter { Files.exists($0) }
    }

    private static let defaultHostKeys = ["rsa", "ecdsa", "ed25519", "mldsa44_ed25519"]
        .map { "/etc/ssh/ssh_host_\($0)_key" }

    private var isLoggingToDescriptor: Bool {
        options.logsToStandardError || options.logFile != nil || options.debugLevel > 0
    }

    private func chooseLog(_ settings: ServerSettings) {
        guard !isLoggingToDescriptor else { return }
        Self.openSyslog(settings, sink)
    }

    static func openSyslog(_ settings: ServerSettings, _ sink: ServerLogSink) {
        Syslog.open(
            "sshd",
            facility: Syslog.facility(settings.first("syslogfacility") ?? "AUTH") ?? 4 << 3
        )
        sink.target = .syslog
    }

    // MARK: -i

    private func serveInetd(
        _ configuration: CapturedConfiguration,
        _ hostKeys: HostKeys,
        _ programs: OwnPrograms
    ) -> Int32 {
        chooseLog(configuration.globalSettings)
        guard let input = try? Descriptor.duplicate(0), let output = try? Descriptor.duplicate(1)
        else { return 255 }
        Descriptor.useNull(isLoggingToDescriptor ? [0, 1] : [0, 1, 2])
        return Monitor.run(
            MonitorStart(
                configuration: { configuration.settings(for: $0) },
                algorithmsVary: configuration.algorithmsVary,
                hostKeys: hostKeys,
                peer: Self.peer(of: input),
                input: input,
                output: output,
                startupPipe: nil,
                log: log,
                programs: programs,
                hostWidth: configuration.hostWidth,
                events: configuration.globalSettings.given("eventlog").flatMap {
                    try? EventLog.open($0)
                } ?? .none
            )
        )
    }

    static func peer(of descriptor: Int32) -> PeerAddress {
        guard let peer = Socket.peer(of: descriptor)?.unmapped,
            let local = Socket.local(of: descriptor)?.unmapped, !peer.isUnix
        else { return .unknown }
        return PeerAddress(
            address: peer.host,
            port: peer.port,
            localAddress: local.host,
            localPort: local.port,
            routingDomain: Socket.interface(of: descriptor) ?? ""
        )
    }

    // MARK: The daemon

    private func listen(
        _ configuration: CapturedConfiguration,
        _ settings: ServerSettings,
        _ hostKeys: HostKeys,
        _ programs: OwnPrograms
    ) -> Int32 {
        guard options.arguments.first?.hasPrefix("/") == true else {
            log.fatal("sshd re-exec requires execution with an absolute path")
            return 255
        }
        // Before any fork: the service manager names this process.
        let inherited = ServiceManager.takeListeningSockets()
        let restart = Environment.value(Listener.restartVariable).map {
            Listener.Restart(rawValue: $0) ?? .own
        }
        let isRestart = restart != nil
        Environment.remove(Listener.restartVariable)
        let isForeground = options.staysInForeground || options.debugLevel > 0 || isRestart
        if !isForeground {
            do throws(SystemError) {
                try Daemon.detach()
            } catch {
                log.fatal("daemon() failed: \(error)")
                return 255
            }
            Descriptor.useNull([0, 1])
        }
        chooseLog(settings)
        let reader = self
        guard let plan = plan(configuration, settings, hostKeys, programs) else { return 255 }
        let listener = Listener(
            plan,
            isSingle: options.debugLevel > 0,
            arguments: options.arguments,
            reload: { reader.readAgain() }
        )
        guard listener.open(inherited: inherited, restart: restart) else { return 255 }
        if !isForeground, !isLoggingToDescriptor { Descriptor.useNull([2]) }
        switch listener.run() {
        case .stopped(let status): return status
        case .single(let connection):
            Signals.useDefault([1, 3, 15, 17])
            return Self.serve(
                connection,
                configuration,
                hostKeys,
                programs,
                startupPipe: nil,
                log,
                plan.events
            )
        }
    }

    /// What a listener does by this configuration; nil, after saying why, when it cannot.
    private func plan(
        _ configuration: CapturedConfiguration,
        _ settings: ServerSettings,
        _ hostKeys: HostKeys,
        _ programs: OwnPrograms
    ) -> Listener.Plan? {
        var events = EventLog.none
        if let target = settings.given("eventlog") {
            do throws(SystemError) {
                events = try EventLog.open(target)
            } catch {
                log.error("EventLog \(target): \(error.reason)")
            }
        }
        return Listener.Plan(
            endpoints: endpoints(settings),
            family: family(settings),
            pidFile: options.debugLevel > 0
                ? nil
                : settings.first("pidfile").map { $0 == "none" ? nil : $0 } ?? "/run/sshd.pid",
            limits: settings.startupLimits,
            sources: SourceLimits(settings),
            configuration: configuration,
            hostKeys: hostKeys,
            programs: programs,
            log: log,
            events: events
        )
    }

    /// Reads and checks everything anew, for SIGHUP; nil, after saying why, when it is wrong.
    private func readAgain() -> Listener.Plan? {
        // Who rotates logs renames the file and sends SIGHUP.
        if let reason = openLogFile() { log.error(reason) }
        guard let configuration = readConfiguration(), isConsistent(configuration) else {
            return nil
        }
        var reader = self
        let settings = configuration.globalSettings
        if options.debugLevel == 0, !options.isQuiet { reader.log.level = settings.logLevel }
        reader.log.overrides = LogOverrides(settings.words("logverbose"), program: "sshd")
        let hostKeys = loadHostKeys(settings)
        guard !hostKeys.entries.isEmpty else {
            log.error("no hostkeys available")
            return nil
        }
        guard let programs = OwnPrograms(settings, log) else { return nil }
        reader.chooseLog(settings)
        return reader.plan(configuration, settings, hostKeys, programs)
    }

    /// The configuration; nil, after saying what is wrong with it.
    private func readConfiguration() -> CapturedConfiguration? {
        do throws(SystemError) {
            let configuration = try CapturedConfiguration(
                path: options.configurationFile,
                options: options.lines,
                ports: options.ports
            )
            configuration.hostWidth = options.hostWidth
            for note in configuration.notes { log.info(note) }
            for error in configuration.errors { log.error(error) }
            return configuration.errors.isEmpty ? configuration : nil
        } catch {
            log.fatal("\(options.configurationFile): \(error.reason)")
            return nil
        }
    }

    private func loadHostKeys(_ settings: ServerSettings) -> HostKeys {
        let hostKeys = HostKeys()
        if let agent = settings.given("hostkeyagent") {
            hostKeys.agent =
                agent == "SSH_AUTH_SOCK" ? Environment.value("SSH_AUTH_SOCK") : agent
        }
        hostKeys.securityKeyProvider = settings.first("securitykeyprovider") ?? "internal"
        hostKeys.load(
            hostKeyPaths(settings),
            certificates: settings.all("hostcertificate").filter { $0 != "none" },
            log
        )
        return hostKeys
    }

    private func family(_ settings: ServerSettings) -> Resolver.Family {
        if options.family != .any { return options.family }
        switch settings.first("addressfamily") {
        case "inet": return .ipv4
        case "inet6": return .ipv6
        default: return .any
        }
    }

    private func endpoints(_ settings: ServerSettings) -> [Listener.Endpoint] {
        settings.all("listenaddress").map { text in
            let (host, port) = Self.split(text)
            return Listener.Endpoint(
                host: host,
                port: port ?? 22,
                routingDomain: text.split(separator: " ").dropFirst(2).first.map(String.init)
            )
        }
    }

    /// `host`, `host:port`, `[address]:port` or a bare IPv6 address.
    static func split(_ text: String) -> (host: String, port: Int?) {
        let text = text.split(separator: " ").first.map(String.init) ?? text
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            let host = String(text[text.index(after: text.startIndex)..<close])
            return (host, Int(text[text.index(after: close)...].dropFirst()))
        }
        let colons = text.filter { $0 == ":" }.count
        guard colons == 1, let colon = text.firstIndex(of: ":") else { return (text, nil) }
        return (String(text[..<colon]), Int(text[text.index(after: colon)...]))
    }

    static func serve(
        _ connection: Int32,
        _ configuration: CapturedConfiguration,
        _ hostKeys: HostKeys,
        _ programs: OwnPrograms,
        startupPipe: Int32?,
        _ log: Log,
        _ events: EventLog
    ) -> Int32 {
        Socket.setNoDelay(connection)
        let settings = configuration.globalSettings
        if settings.isYes("tcpkeepalive", default: true) { Socket.setKeepAlive(connection) }
        return Monitor.run(
            MonitorStart(
                configuration: { configuration.settings(for: $0) },
                algorithmsVary: configuration.algorithmsVary,
                hostKeys: hostKeys,
                peer: peer(of: connection),
                input: connection,
                output: connection,
                startupPipe: startupPipe,
                log: log,
                programs: programs,
                hostWidth: configuration.hostWidth,
                events: events
            )
        )
    }

    // MARK: Processes of ours

    /// Plays the part that the first argument names.
    package static func run(_ role: ServerRole, _ arguments: [String]) -> Int32 {
        switch role {
        case .network:
            return NetworkProcess.run(
                monitor: ServerRole.Place.monitor,
                input: ServerRole.Place.input,
                output: ServerRole.Place.output
            )
        case .session:
            return SessionProcess.run(
                monitor: ServerRole.Place.monitor,
                input: ServerRole.Place.input,
                output: ServerRole.Place.output,
                descriptors: ServerRole.Place.descriptors
            )
        case .command:
            return AccountProgram.become(arguments)
        }
    }
}
