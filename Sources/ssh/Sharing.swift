// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserConfig
import HawserLog
import HawserSystem
import HawserTool
import HawserWire

/// Whose connection a session takes: a master's, or one of its own, which may become a master's.
extension Program {
    enum Share {
        case done(Int32)
        /// A connection of its own; the others wait for it while it holds the lock.
        case connect(ClientSettings, MasterLock?)
    }

    /// Finds or makes room for a session at the control path. `start` is when the first search for
    /// it began.
    func share(
        _ path: String,
        _ settings: ClientSettings,
        _ log: Log,
        since start: UInt64
    ) -> Share {
        let mode = settings.options.controlMaster ?? .no
        switch mode {
        case .yes, .ask: return .connect(settings, nil)
        case .no:
            // A master that goes away under our hands is looked for once more.
            for _ in 0..<3 {
                switch ride(path, settings, log) {
                case .done(let status): return .done(status)
                case .vanished: continue
                case .full where settings.options.controlOverflow == .queue:
                    return wait(path, settings, log)
                case .full(let reason):
                    refused(reason, log)
                    return .connect(settings, nil)
                default: return .connect(settings, nil)
                }
            }
            return .connect(settings, nil)
        case .auto, .autoask: return shareOrLead(path, settings, log, since: start)
        }
    }

    private func shareOrLead(
        _ path: String,
        _ settings: ClientSettings,
        _ log: Log,
        since start: UInt64
    ) -> Share {
        var place = path
        var sibling = 0
        var vanished = 0
        /// The socket of a master that is stopped, or whose server is gone: nobody's any more.
        var dead: Files.Identity?
        /// The lock of whoever is about to become the master.
        var awaited: Files.Identity?
        let patience = SharingPatience(settings, since: start)
        var isTroubled = start < Clock.nanoseconds - Self.roomNanoseconds
        while !patience.isOver(isTroubled: isTroubled) {
            let socket = Files.identity(place)
            if dead == nil || dead != socket {
                switch ride(place, settings, log) {
                case .done(let status): return .done(status)
                case .vanished:
                    vanished += 1
                    isTroubled = true
                    guard vanished < Self.masters else { return .connect(alone(settings), nil) }
                    Clock.sleep(nanoseconds: 5_000_000)
                    continue
                case .dead:
                    log.debug("the master at \(place) does not answer")
                    dead = socket
                    isTroubled = true
                    ControlClient.retire(place, log: log)
                    continue
                case .unavailable: return .connect(alone(settings), nil)
                case .full(let reason):
                    switch settings.options.controlOverflow ?? .pool {
                    case .direct:
                        refused(reason, log)
                        return .connect(alone(settings), nil)
                    case .queue: return wait(place, settings, log)
                    case .pool where sibling >= Self.siblings: return wait(path, settings, log)
                    case .pool:
                        // Short sessions make room soon, which costs less than a login.
                        if Clock.nanoseconds - start < Self.roomNanoseconds {
                            Clock.sleep(nanoseconds: 50_000_000)
                        } else {
                            sibling += 1
                            place = "\(path).\(sibling)"
                        }
                    }
                    continue
                case .absent: break
                }
            }
            var own = settings
            own.controlPath = place
            switch MasterLock.attempt(for: place) {
            case .impossible: return .connect(own, nil)
            case .busy:
                // Whoever has it is about to become the master. When it is another one by now, the
                // first did not get there.
                let holder = MasterLock.identity(for: place)
                if holder != nil {
                    if awaited != nil, awaited != holder { isTroubled = true }
                    awaited = holder
                }
                Clock.sleep(nanoseconds: 20_000_000)
            case .taken(let lock):
                let now = Files.identity(place)
                if let dead, dead == now {
                    Files.remove(place)
                    return .connect(own, lock)
                }
                // It may have become one just now.
                switch ride(place, settings, log) {
                case .done(let status):
                    lock.release()
                    return .done(status)
                case .absent:
                    UnixSocket.removeStale(place)
                    return .connect(own, lock)
                case .dead:
                    dead = now
                    isTroubled = true
                    lock.release()
                default: lock.release()
                }
            }
        }
        return .connect(alone(settings), nil)
    }

    /// Waits for a master to have room.
    private func wait(_ path: String, _ settings: ClientSettings, _ log: Log) -> Share {
        var pause: UInt64 = 20_000_000
        while true {
            switch ride(path, settings, log) {
            case .done(let status): return .done(status)
            case .full, .vanished: break
            default: return .connect(alone(settings), nil)
            }
            Clock.sleep(nanoseconds: pause)
            pause = min(pause * 2, 500_000_000)
        }
    }

    private func refused(_ reason: String, _ log: Log) {
        log.error("mux_client_request_session: session request failed: \(reason)")
    }

    /// No master, and none to become.
    func alone(_ settings: ClientSettings) -> ClientSettings {
        var own = settings
        own.controlPath = nil
        return own
    }

    /// Becomes the master, in the place of one that is gone.
    func startMaster(
        _ loop: ClientLoop,
        _ settings: ClientSettings,
        _ lock: MasterLock?,
        _ log: Log
    ) {
        let mode = settings.options.controlMaster ?? .no
        guard let path = settings.controlPath, mode != .no else { return }
        let lock = lock ?? MasterLock.take(for: path, milliseconds: 2000)
        defer { lock?.release() }
        if lock != nil { UnixSocket.removeStale(path) }
        loop.master = ControlMaster.listen(
            at: path,
            host: settings.host,
            asks: mode == .ask || mode == .autoask
        ) { log.error($0) }
    }

    private static let siblings = 8
    /// How many masters may go away under our hands before we trust none.
    private static let masters = 20
    /// How long a session waits for room on a master before it gets a connection beside it.
    private static let roomNanoseconds: UInt64 = 2_000_000_000
}
