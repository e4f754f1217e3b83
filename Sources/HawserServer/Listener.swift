// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
package import HawserLog
package import HawserSystem

/// The process that waits for clients and starts a monitor for each.
package final class Listener {
    /// An address to listen on.
    package struct Endpoint: Equatable, Sendable {
        /// Nil: every local address.
        package var host: String?
        package var port: Int

        package init(host: String?, port: Int) {
            self.host = host
            self.port = port
        }
    }

    package struct Options {
        package var endpoints: [Endpoint]
        package var family: Resolver.Family
        package var pidFile: String?
        package var limits: StartupLimits
        package var keepsAlive: Bool
        /// What is given to monitors.
        package var start: ServerStart
        /// One connection, served by this process itself (`-d`).
        package var isSingle: Bool
        /// Of this program, for SIGHUP; the first is its absolute path.
        package var arguments: [String]
        package var log: Log

        package init(
            endpoints: [Endpoint],
            family: Resolver.Family,
            pidFile: String?,
            limits: StartupLimits,
            keepsAlive: Bool,
            start: ServerStart,
            isSingle: Bool,
            arguments: [String],
            log: Log
        ) {
            self.endpoints = endpoints
            self.family = family
            self.pidFile = pidFile
            self.limits = limits
            self.keepsAlive = keepsAlive
            self.start = start
            self.isSingle = isSingle
            self.arguments = arguments
            self.log = log
        }
    }

    private let options: Options
    private let log: Log
    private var sockets: [Int32] = []
    /// The reading ends of pipes that monitors close when someone is logged in.
    private var startups: [Int32] = []
    private var memory: Int32 = -1
    private let random = SystemRandom()

    package init(_ options: Options) {
        self.options = options
        log = options.log
    }

    /// Opens every address; false when none could be opened.
    package func open() -> Bool {
        for endpoint in options.endpoints { open(endpoint) }
        if sockets.isEmpty { log.fatal("Cannot bind any address.") }
        return !sockets.isEmpty
    }

    private func open(_ endpoint: Endpoint) {
        let addresses: [SocketAddress]
        do throws(ResolveError) {
            addresses = try Resolver.addresses(
                of: endpoint.host,
                port: String(endpoint.port),
                family: options.family,
                isPassive: true
            )
        } catch {
            log.fatal("bad addr or host: \(endpoint.host ?? "<any>") (\(error))")
            return
        }
        for address in addresses {
            do throws(SystemError) {
                sockets.append(try Socket.listening(on: address))
                log.info("Server listening on \(address.host) port \(address.port).")
            } catch {
                log.error(
                    "Bind to port \(endpoint.port) on \(address.host) failed: \(error.reason)."
                )
            }
        }
    }

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
        if !options.isSingle {
            do throws(SystemError) {
                memory = try MemoryFile.make("sshd", options.start.encoding)
            } catch {
                log.fatal("\(error)")
                return .stopped(255)
            }
        }
        updateTitle()
        var set = PollSet()
        while true {
            set.removeAll()
            let signals = set.add(Signals.descriptor, read: true)
            let places = sockets.map { set.add($0, read: true) }
            let startupPlaces = startups.map { set.add($0, read: true) }
            set.wait(timeout: nil)
            if set.isReadable(signals), let status = takeSignals() { return .stopped(status) }
            forgetStartups(startupPlaces, set)
            for (index, place) in places.enumerated() where set.isReadable(place) {
                if let connection = accept(sockets[index]) { return .single(connection) }
            }
        }
    }

    private func updateTitle() {
        let limits = options.limits
        ProcessTitle.set(
            "sshd: \(options.arguments.joined(separator: " ")) [listener] "
                + "\(startups.count) of \(limits.start)-\(limits.full) startups"
        )
    }

    private func writePidFile() {
        guard let path = options.pidFile else { return }
        do throws(SystemError) {
            let file = try Descriptor.open(path, 0o1 | 0o100 | 0o1000, mode: 0o644)
            Descriptor.writeAll(file, Array("\(Daemon.processID)\n".utf8))
            Descriptor.close(file)
        } catch {
            log.error("Couldn't create pid file \"\(path)\": \(error.reason)")
        }
    }

    private func removePidFile() {
        if let path = options.pidFile { Files.remove(path) }
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
                closeSockets()
                removePidFile()
                return signal == 15 ? 0 : 255
            default: break
            }
        }
        while Child.reap() != nil {}
        if isRestart { restart() }
        return nil
    }

    private func closeSockets() {
        sockets.forEach(Descriptor.close)
        sockets = []
    }

    /// Becomes this program anew, as it was started (sshd(8), SIGHUP).
    private func restart() {
        log.info("Received SIGHUP; restarting.")
        removePidFile()
        closeSockets()
        Descriptor.closeAll(from: 3)
        Signals.useDefault([1, 3, 13, 15, 17])
        Identity.execute(options.arguments.first ?? "", options.arguments)
        log.error("RESTART FAILED: av[0]='\(options.arguments.first ?? "")'")
        Daemon.exit(1)
    }

    // MARK: Connections

    private func forgetStartups(_ places: [Int], _ set: borrowing PollSet) {
        var left: [Int32] = []
        for (index, place) in places.enumerated() {
            if set.isReadable(place) {
                Descriptor.close(startups[index])
            } else {
                left.append(startups[index])
            }
        }
        guard left.count != startups.count else { return }
        startups = left
        updateTitle()
    }

    private func accept(_ socket: Int32) -> Int32? {
        guard case .connection(let connection, let address) = Socket.accept(socket) else {
            return nil
        }
        if options.isSingle { return connection }
        defer { Descriptor.close(connection) }
        if isTooMany {
            log.info(
                "drop connection #\(startups.count) from [\(address.unmapped.host)]:"
                    + "\(address.port) past MaxStartups"
            )
            Descriptor.writeAll(connection, Array("Exceeded MaxStartups\r\n".utf8))
            return nil
        }
        startMonitor(connection)
        return nil
    }

    private var isTooMany: Bool {
        switch options.limits.decision(unauthenticated: startups.count) {
        case .accept: false
        case .refuse: true
        case .refuseBelow(let percent): random.uniform(below: 100) < UInt32(clamping: percent)
        }
    }

    private func startMonitor(_ connection: Int32) {
        do throws(SystemError) {
            let (reading, writing) = try Descriptor.pipe()
            defer { Descriptor.close(writing) }
            var spawn = Spawn("/proc/self/exe", ServerRole.monitor.arguments(title: ""))
            spawn.directory = "/"
            spawn.descriptors = [
                (child: 2, ours: 2),
                (child: ServerRole.Place.configuration, ours: memory),
                (child: ServerRole.Place.input, ours: connection),
                (child: ServerRole.Place.startupPipe, ours: writing),
            ]
            _ = try spawn.start()
            startups.append(reading)
            updateTitle()
        } catch {
            log.error("fork: \(error)")
        }
    }
}
