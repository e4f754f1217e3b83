// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
package import HawserLog
package import HawserSystem
internal import HawserWire

/// The process that waits for clients and starts a monitor for each.
package final class Listener {
    /// An address to listen on.
    package struct Endpoint: Equatable, Sendable {
        /// Nil: every local address.
        package var host: String?
        package var port: Int
        /// The network interface that stands for a routing domain; nil for all of them.
        package var routingDomain: String?

        package init(host: String?, port: Int, routingDomain: String? = nil) {
            self.host = host
            self.port = port
            self.routingDomain = routingDomain
        }
    }

    /// What the configuration leads to; a reload gives a new one.
    package struct Plan {
        package var endpoints: [Endpoint]
        package var family: Resolver.Family
        package var pidFile: String?
        package var limits: StartupLimits
        package var sources: SourceLimits
        /// What monitors serve by.
        package var configuration: CapturedConfiguration
        package var hostKeys: HostKeys
        package var programs: OwnPrograms
        package var log: Log
        package var events: EventLog

        package init(
            endpoints: [Endpoint],
            family: Resolver.Family,
            pidFile: String?,
            limits: StartupLimits,
            sources: SourceLimits,
            configuration: CapturedConfiguration,
            hostKeys: HostKeys,
            programs: OwnPrograms,
            log: Log,
            events: EventLog
        ) {
            self.endpoints = endpoints
            self.family = family
            self.pidFile = pidFile
            self.limits = limits
            self.sources = sources
            self.configuration = configuration
            self.hostKeys = hostKeys
            self.programs = programs
            self.log = log
            self.events = events
        }
    }

    private var plan: Plan
    private var log: Log { plan.log }
    /// One connection, served by this process itself (`-d`).
    private let isSingle: Bool
    /// Of this program, for its title and for SIGHUP; the first is its absolute path.
    private let arguments: [String]
    /// Reads the configuration anew; nil, after saying why, when it is wrong.
    private let reload: () -> Plan?

    private struct Place: Equatable {
        var address: SocketAddress
        var routingDomain: String?
    }

    private struct ListeningSocket {
        var descriptor: Int32
        var place: Place
        /// Another program opened it and gave it to us.
        var isInherited: Bool
    }

    private var sockets: [ListeningSocket] = []

    /// A connection that nobody has logged in on yet.
    private struct Startup {
        /// The reading end of a pipe that its monitor closes when someone is logged in.
        var pipe: Int32
        var source: SourceBlock?
    }

    private var startups: [Startup] = []
    /// Where the clients of monitors come from, by process.
    private var monitors: [Int32: PeerOfMonitor] = [:]

    private struct PeerOfMonitor {
        var source: SourceBlock?
        var address: String
        var reference: String
    }

    private var penalties: SourcePenalties
    private var throttling: Throttling?

    /// Connections are being dropped because there are too many. Times in nanoseconds.
    private struct Throttling {
        var since: UInt64
        /// When a line of the log told of it.
        var told: UInt64
        var dropped = 0

        /// How often it is told that it goes on: what one client can do ten thousand times must not
        /// fill the log.
        static let interval: UInt64 = 300_000_000_000
    }
    private let random = SystemRandom()

    package init(
        _ plan: Plan,
        isSingle: Bool,
        arguments: [String],
        reload: @escaping () -> Plan?
    ) {
        self.plan = plan
        self.isSingle = isSingle
        self.arguments = arguments
        self.reload = reload
        penalties = SourcePenalties(plan.sources.penalties, exempt: plan.sources.exempt)
    }

    // MARK: Addresses

    /// Opens every address; false when there is none to listen on. With sockets from a service
    /// manager those are all, whatever the configuration says; what this program had opened itself
    /// before a restart is kept where it is still wanted.
    package func open(inherited: [Int32], restart: Restart?) -> Bool {
        let areInherited = restart != .own
        let given = inherited.compactMap { fd in
            Socket.local(of: fd).map { address in
                ListeningSocket(
                    descriptor: fd,
                    place: Place(address: address, routingDomain: Socket.interface(of: fd)),
                    isInherited: areInherited
                )
            }
        }
        if !given.isEmpty, areInherited {
            sockets = given
            for socket in given { say(socket.place) }
            let ports = Set(given.map(\.place.address.port))
            if restart == nil, !plan.endpoints.contains(where: { ports.contains($0.port) }) {
                log.info("The service manager's sockets count, not Port and ListenAddress.")
            }
            return true
        }
        sockets = given
        openMissing()
        if sockets.isEmpty { log.fatal("Cannot bind any address.") }
        return !sockets.isEmpty
    }

    private func say(_ place: Place) {
        let domain = place.routingDomain.map { " rdomain \($0)" } ?? ""
        log.info(
            "Server listening on \(place.address.host) port \(place.address.port)\(domain)."
        )
    }

    /// Opens what is wanted and not open, then closes what is open and not wanted.
    private func openMissing() {
        guard !sockets.contains(where: \.isInherited) else {
            for socket in sockets { say(socket.place) }
            return
        }
        var wanted: [Place] = []
        for endpoint in plan.endpoints {
            do throws(ResolveError) {
                wanted += try Resolver.addresses(
                    of: endpoint.host,
                    port: String(endpoint.port),
                    family: plan.family,
                    isPassive: true
                ).map { Place(address: $0, routingDomain: endpoint.routingDomain) }
            } catch {
                log.fatal("bad addr or host: \(endpoint.host ?? "<any>") (\(error))")
            }
        }
        for place in wanted {
            let address = place.address
            if sockets.contains(where: { $0.place == place }) {
                say(place)
                continue
            }
            do throws(SystemError) {
                let descriptor = try Socket.listening(
                    on: address,
                    interface: place.routingDomain
                )
                sockets.append(
                    ListeningSocket(descriptor: descriptor, place: place, isInherited: false)
                )
                say(place)
            } catch {
                log.error(
                    "Bind to port \(address.port) on \(address.host) failed: \(error.reason)."
                )
            }
        }
        let kept = sockets.filter { wanted.contains($0.place) }
        if kept.isEmpty, !sockets.isEmpty {
            // Deaf, it could not even be asked why.
            log.error("Cannot bind any address; the old ones stay open.")
            return
        }
        for socket in sockets where !kept.contains(where: { $0.descriptor == socket.descriptor }) {
            Descriptor.close(socket.descriptor)
        }
        sockets = kept
    }

    // MARK: Waiting

    /// What came of waiting for clients.
    package enum Outcome {
        case stopped(Int32)
        /// `-d`: this process serves the connection itself.
        case single(Int32)
    }

    /// Serves until a signal ends it.
    package func run() -> Outcome {
        Signals.watch([17, 1, 15, 3])  // SIGCHLD, SIGHUP, SIGTERM, SIGQUIT
        Signals.ignore([13])
        writePidFile()
        updateTitle()
        ServiceManager.notify("READY=1")
        NameServices.load()
        Memory.trim()
        var set = PollSet()
        while true {
            set.removeAll()
            let signals = set.add(Signals.descriptor, read: true)
            let places = sockets.map { set.add($0.descriptor, read: true) }
            let startupPlaces = startups.map { set.add($0.pipe, read: true) }
            set.wait(timeout: nil)
            forgetStartups(startupPlaces, set)
            let waiting = zip(sockets, places).filter { set.isReadable($0.1) }.map(\.0)
            // Before the signals, which may close what is listened on.
            for socket in waiting {
                if let connection = accept(socket.descriptor) { return .single(connection) }
            }
            if set.isReadable(signals), let status = takeSignals() { return .stopped(status) }
        }
    }

    private func updateTitle() {
        let limits = plan.limits
        ProcessTitle.set(
            "sshd: \(arguments.joined(separator: " ")) [listener] "
                + "\(startups.count) of \(limits.start)-\(limits.full) startups"
        )
    }

    private func writePidFile() {
        guard let path = plan.pidFile else { return }
        do throws(SystemError) {
            let file = try Descriptor.open(path, 0o1 | 0o100 | 0o1000, mode: 0o644)
            Descriptor.writeAll(file, "\(Daemon.processID)\n".octets)
            Descriptor.close(file)
        } catch {
            log.error("Couldn't create pid file \"\(path)\": \(error.reason)")
        }
    }

    /// Not what was no file before: `PidFile /dev/null` is written to, and stays.
    private func removePidFile(_ path: String?) {
        guard let path, Files.status(path, followingLinks: false)?.isRegular == true else { return }
        Files.remove(path)
    }

    // MARK: Signals

    /// The exit status when a signal ends this process.
    private func takeSignals() -> Int32? {
        var isRestart = false
        for signal in Signals.take() {
            switch signal {
            case 1: isRestart = true
            case 15, 3:
                log.info("Received signal \(signal); terminating.")
                ServiceManager.notify("STOPPING=1")
                plan.events.write(.stopped)
                for socket in sockets { Descriptor.close(socket.descriptor) }
                removePidFile(plan.pidFile)
                return signal == 15 ? 0 : 255
            default: break
            }
        }
        while let (pid, end) = Child.reap() { ended(pid, end) }
        if isRestart { reconfigure() }
        return nil
    }

    /// A monitor has ended; what its client did may cost its source.
    private func ended(_ pid: Int32, _ end: ChildEnd) {
        guard let peer = monitors.removeValue(forKey: pid) else { return }
        let offence: Offence?
        switch end {
        case .exited(let status): offence = MonitorEnding(rawValue: status)?.offence
        case .signaled: offence = .crash
        }
        guard let offence, let source = peer.source else { return }
        let line = penalties.add(
            offence,
            from: source,
            address: peer.address,
            at: Int(clamping: Clock.nanoseconds / 1_000_000)
        )
        guard let line else { return }
        log.info(line)
        plan.events.write(
            .penalty(address: peer.address, source: source.text, reason: offence.text)
        )
    }

    // MARK: SIGHUP

    /// Takes the new configuration if it is right and else keeps the old one. Sockets that are
    /// wanted before and after are never closed in between.
    private func reconfigure() {
        log.info("Received SIGHUP; restarting.")
        ServiceManager.notify("RELOADING=1\nMONOTONIC_USEC=\(ServiceManager.monotonicMicroseconds)")
        defer { ServiceManager.notify("READY=1") }
        guard let new = reload() else {
            log.error("The new configuration is wrong; the old one stays in force.")
            plan.events.write(.reload(isGood: false))
            return
        }
        replaceProgram()
        let before = plan
        plan = new
        penalties.rules = new.sources.penalties
        penalties.exempt = new.sources.exempt
        if let descriptor = before.events.descriptor { Descriptor.close(descriptor) }
        if before.pidFile != new.pidFile { removePidFile(before.pidFile) }
        openMissing()
        writePidFile()
        updateTitle()
        plan.events.write(.reload(isGood: true))
    }

    /// Becomes the program that has taken this one's place on the disk, if there is one and it can
    /// work with the configuration; otherwise returns. The sockets go along.
    private func replaceProgram() {
        guard let path = arguments.first, let onDisk = Files.status(path),
            let running = Files.status("/proc/self/exe"),
            onDisk.inode != running.inode || onDisk.device != running.device
        else { return }
        guard let check = try? Spawn(path, arguments + ["-t"]).start(),
            Child.wait(check) == .exited(0)
        else {
            log.error("The program at \(path) does not work; this one stays.")
            return
        }
        log.info("Replaced by the program at \(path).")
        let first: Int32 = 3
        // Out of the way first, so that no number is overwritten before it is used.
        let moved = sockets.compactMap { try? Descriptor.duplicate($0.descriptor, atLeast: 200) }
        for (index, descriptor) in moved.enumerated() {
            let place = first + Int32(clamping: index)
            try? Descriptor.replace(place, with: descriptor)
            Descriptor.setCloseOnExec(place, false)
        }
        Environment.set("LISTEN_PID", String(Daemon.processID))
        Environment.set("LISTEN_FDS", String(moved.count))
        let isGiven = sockets.contains(where: \.isInherited)
        Environment.set(Self.restartVariable, (isGiven ? Restart.given : Restart.own).rawValue)
        Descriptor.closeAll(from: first + Int32(clamping: moved.count))
        Signals.useDefault([1, 3, 13, 15, 17])
        Identity.execute(path, arguments)
        log.error("RESTART FAILED: av[0]='\(path)'")
        Daemon.exit(1)
    }

    /// Says to the program that takes this one's place that it does, and whose the sockets are.
    package static let restartVariable = "HAWSER_RESTART"

    package enum Restart: String, Sendable {
        /// This program has opened the sockets.
        case own = "1"
        /// The service manager has.
        case given
    }

    // MARK: Connections

    private func forgetStartups(_ places: [Int], _ set: borrowing PollSet) {
        var left: [Startup] = []
        for (index, place) in places.enumerated() {
            if set.isReadable(place) {
                Descriptor.close(startups[index].pipe)
            } else {
                left.append(startups[index])
            }
        }
        guard left.count != startups.count else { return }
        startups = left
        updateTitle()
    }

    private func accept(_ socket: Int32) -> Int32? {
        let connection: Int32
        let peer: SocketAddress
        switch Socket.accept(socket) {
        case .connection(let descriptor, let address): (connection, peer) = (descriptor, address)
        case .nothing: return nil
        case .failed(let number):
            log.error("accept: \(SystemError("accept", number: number).reason)")
            // The client still waits: to ask again at once would be asking all the time.
            Clock.sleep(nanoseconds: 100_000_000)
            return nil
        }
        if isSingle { return connection }
        defer { Descriptor.close(connection) }
        let address = peer.unmapped.host
        let source = plan.sources.block(of: address)
        if let (reason, text, level) = refusal(of: source, address) {
            let local = Socket.local(of: connection)?.unmapped
            log(
                level,
                "drop connection #\(startups.count) from [\(address)]:\(peer.port) on "
                    + "[\(local?.host ?? "UNKNOWN")]:\(local?.port ?? 65535) \(reason)"
            )
            var events = plan.events
            events.reference = Hexadecimal.encode(random.bytes(4))
            events.write(.dropped(address: address, port: peer.port, reason: reason))
            let said = text + events.mention + "\r\n"
            _ = Descriptor.write(connection, said.octets.rawBytes)
            return nil
        }
        startMonitor(connection, address, peer.port, source)
        return nil
    }

    /// Why one more connection is not served, and what the client is told.
    private func refusal(
        of source: SourceBlock?,
        _ address: String
    ) -> (reason: String, text: String, level: LogLevel)? {
        if let source {
            let now = Int(clamping: Clock.nanoseconds / 1_000_000)
            if let reason = penalties.refusal(of: source, address: address, at: now) {
                return (reason, "Not allowed at this time", .info)
            }
            let limit = plan.sources.startups
            if let limit, startups.count(where: { $0.source == source }) >= limit {
                return throttled("past PerSourceMaxStartups")
            }
        }
        let isTooMany =
            switch plan.limits.decision(unauthenticated: startups.count) {
            case .accept: false
            case .refuse: true
            case .refuseBelow(let percent):
                random.uniform(below: 100) < UInt32(clamping: percent)
            }
        if isTooMany { return throttled("past MaxStartups") }
        endThrottling()
        return nil
    }

    private func throttled(
        _ reason: String
    ) -> (reason: String, text: String, level: LogLevel) {
        let now = Clock.nanoseconds
        var level = LogLevel.verbose
        var known = throttling ?? Throttling(since: now, told: now)
        if throttling == nil {
            log.error("beginning MaxStartups throttling")
            level = .info
        } else if now - known.told >= Throttling.interval {
            log.error(
                "in MaxStartups throttling for \(Self.clockTime(now - known.since)), "
                    + "\(known.dropped) connections dropped"
            )
            level = .info
            known.told = now
        }
        known.dropped += 1
        throttling = known
        return (reason, "Exceeded MaxStartups", level)
    }

    /// Nanoseconds as `HH:MM:SS`.
    private static func clockTime(_ nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(padded(hours)):\(padded(minutes)):\(padded(seconds % 60))"
    }

    private func endThrottling() {
        guard let past = throttling, startups.count < plan.limits.start else { return }
        throttling = nil
        log.info(
            "exited MaxStartups throttling after "
                + "\(Self.clockTime(Clock.nanoseconds - past.since)), "
                + "\(past.dropped) connections dropped"
        )
    }

    private func startMonitor(
        _ connection: Int32,
        _ address: String,
        _ port: Int,
        _ source: SourceBlock?
    ) {
        let reference = Hexadecimal.encode(random.bytes(4))
        do throws(SystemError) {
            let (reading, writing) = try Descriptor.pipe()
            defer { Descriptor.close(writing) }
            let pid = try Fork.start { serve(connection, startupPipe: writing, reference) }
            startups.append(Startup(pipe: reading, source: source))
            monitors[pid] = PeerOfMonitor(
                source: source,
                address: address,
                reference: reference
            )
            updateTitle()
        } catch {
            log.error("fork: \(error)")
        }
    }

    /// In the child that is the connection's monitor: a copy of this process without its sockets.
    private func serve(_ connection: Int32, startupPipe: Int32, _ reference: String) -> Int32 {
        var descriptors = [
            (child: ServerRole.Place.input, ours: connection),
            (child: ServerRole.Place.startupPipe, ours: startupPipe),
        ]
        if let events = plan.events.descriptor {
            descriptors.append((child: ServerRole.Place.events, ours: events))
        }
        let hasVault = plan.hostKeys.vault >= 0
        if hasVault {
            descriptors.append((child: ServerRole.Place.hostKeys, ours: plan.hostKeys.vault))
        }
        do throws(SystemError) {
            try Fork.becomeOwn(descriptors)
        } catch {
            return 255
        }
        // In the foreground the output is still the caller's, who may wait for its end.
        Descriptor.useNull([0, 1])
        _ = Daemon.changeDirectory("/")
        Signals.ignore([13])
        plan.hostKeys.vault = hasVault ? ServerRole.Place.hostKeys : -1
        var log = log
        log.overrides = LogOverrides(
            plan.configuration.globalSettings.words("logverbose"),
            program: "sshd-session"
        )
        return ServerProgram.serve(
            ServerRole.Place.input,
            plan.configuration,
            plan.hostKeys,
            plan.programs,
            startupPipe: ServerRole.Place.startupPipe,
            log,
            EventLog(
                descriptor: plan.events.descriptor == nil ? nil : ServerRole.Place.events,
                reference: reference
            )
        )
    }
}

/// What is limited for each source apart.
package struct SourceLimits: Sendable {
    /// `PerSourceMaxStartups`; nil for none.
    package var startups: Int?
    /// `PerSourceNetBlockSize`
    package var ipv4Bits = 32
    package var ipv6Bits = 128
    package var penalties: PenaltyRules
    package var exempt: [String]

    package init(_ settings: ServerSettings) {
        startups = settings.given("persourcemaxstartups").flatMap { Int($0) }
        let bits = (settings.first("persourcenetblocksize") ?? "32:128").split(separator: ":")
        ipv4Bits = bits.first.flatMap { Int($0) } ?? 32
        ipv6Bits = bits.dropFirst().first.flatMap { Int($0) } ?? 128
        penalties = PenaltyRules(settings.words("persourcepenalties"))
        exempt = settings.words("persourcepenaltyexemptlist").flatMap {
            $0.split(separator: ",").map(String.init)
        }
    }

    func block(of address: String) -> SourceBlock? {
        SourceBlock(address, ipv4Bits: ipv4Bits, ipv6Bits: ipv6Bits)
    }
}
