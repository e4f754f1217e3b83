// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool

/// Asks all hosts for all kinds of keys, many at once, and prints what they prove to have.
struct Scanner {
    private let arguments: Arguments
    private let printer: KeyPrinter
    private let log: Log
    private var hosts: HostList
    /// What is still to be asked of the host that is next, the last one first.
    private var pending: [Scan] = []
    private var running: [Scan] = []
    private var foundAny = false

    init(_ arguments: Arguments) {
        self.arguments = arguments
        log = Log(level: arguments.logLevel, sink: Messages())
        printer = KeyPrinter(arguments.format, port: arguments.port, log)
        hosts = HostList(arguments, log)
    }

    /// Whether a key was found.
    mutating func run() -> Bool {
        var set = PollSet()
        while true {
            startMore()
            guard !running.isEmpty else { return foundAny }
            set.removeAll()
            let now = Clock.nanoseconds
            var wait = UInt64.max
            for scan in running {
                set.add(scan.descriptor, read: scan.wantsRead, write: scan.wantsWrite)
                wait = min(wait, remaining(scan, at: now))
            }
            set.wait(timeout: wait)
            let scans = running
            running = []
            for (index, scan) in scans.enumerated() {
                let goesOn = advance(
                    scan,
                    isReadable: scan.wantsRead && set.isReadable(index),
                    isWritable: scan.wantsWrite && set.isWritable(index)
                )
                if goesOn { running.append(scan) }
            }
        }
    }

    /// How long this host may still be silent, in nanoseconds.
    private func remaining(_ scan: Scan, at now: UInt64) -> UInt64 {
        let deadline = scan.activity + arguments.timeoutSeconds * 1_000_000_000
        return deadline > now ? deadline - now : 0
    }

    // MARK: One connection

    /// Moves bytes and says what they meant; false when the connection is done with.
    private mutating func advance(_ scan: Scan, isReadable: Bool, isWritable: Bool) -> Bool {
        guard isReadable || isWritable else {
            // Another address may answer where this one does not.
            return remaining(scan, at: Clock.nanoseconds) > 0
                || scan.isConnecting && connects(scan)
        }
        if isWritable, !scan.write() { return connects(scan) }
        let hasEnded = isReadable && !scan.read()
        while true {
            switch scan.next() {
            case .identified(let line): printIdentification(line, of: scan.host)
            case .found(let key):
                for name in scan.host.names { foundAny = printer.print(key, of: name) || foundAny }
                return false
            case .waiting: return !hasEnded
            case .over: return false
            }
        }
    }

    private func connects(_ scan: Scan) -> Bool {
        do throws(SystemError) {
            return try scan.connect()
        } catch {
            log.error("socket: \(error.reason)")
            return false
        }
    }

    private func printIdentification(_ line: String, of host: Host) {
        if arguments.isQuiet { return }
        let comment = arguments.format.printsRecords ? ";" : "#"
        printError("\(comment) \(host.address):\(arguments.port) \(line.visible)\n")
    }

    // MARK: Starting

    private mutating func startMore() {
        while running.count < Self.parallelScans {
            if pending.isEmpty {
                guard let host = hosts.next() else { return }
                prepare(host)
                continue
            }
            let scan = pending.removeLast()
            do throws(SystemError) {
                if try scan.connect() { running.append(scan) }
            } catch {
                // Too many descriptors are open: it waits until another scan is over.
                if !running.isEmpty {
                    pending.append(scan)
                    return
                }
                log.error("socket: \(error.reason)")
            }
        }
    }

    private mutating func prepare(_ host: Host) {
        do throws(ResolveError) {
            let addresses = try Resolver.addresses(
                of: host.address,
                port: "\(arguments.port)",
                family: arguments.addresses
            )
            pending = arguments.types.reversed().map { type in
                Scan(
                    host,
                    type,
                    certificates: arguments.asksForCertificates,
                    at: addresses,
                    log
                )
            }
        } catch {
            log.error("getaddrinfo \(host.address): \(error)")
        }
    }

    /// Far below the usual limit of 1024 descriptors.
    private static let parallelScans = 256
}
