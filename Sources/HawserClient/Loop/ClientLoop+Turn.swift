// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// How the loop waits and moves bytes of the connection. A turn costs what happened in it: what is
/// idle is not looked at.
extension ClientLoop {
    // MARK: Descriptors

    /// Waits for a descriptor on someone's behalf; neither reading nor writing takes it out.
    func watch(_ fd: Int32, read: Bool, write: Bool, _ watcher: any Watcher) {
        guard fd >= 0 else { return }
        let index = Int(fd)
        if read || write {
            if index >= watchers.count {
                watchers += Array(repeating: nil, count: max(index + 1, 64) - watchers.count)
            }
            if watchers[index] !== watcher { watchers[index] = watcher }
        } else if index < watchers.count, watchers[index] === watcher {
            watchers[index] = nil
        } else {
            return
        }
        descriptors.set(fd, read: read, write: write)
    }

    /// Has another learn what comes of a descriptor, if someone is waiting for it.
    func handOver(_ fd: Int32, to watcher: any Watcher) {
        guard fd >= 0, Int(fd) < watchers.count, watchers[Int(fd)] != nil else { return }
        watchers[Int(fd)] = watcher
    }

    /// Takes a descriptor out, before it is closed.
    func unwatch(_ fd: Int32) {
        guard fd >= 0 else { return }
        if Int(fd) < watchers.count { watchers[Int(fd)] = nil }
        descriptors.forget(fd)
    }

    /// The same for a socket of ours alone that is closed at once.
    func release(_ fd: Int32) {
        guard fd >= 0 else { return }
        if Int(fd) < watchers.count { watchers[Int(fd)] = nil }
        descriptors.release(fd)
    }

    /// Makes room for what is read next.
    func fillBuffer() {
        guard buffer.isEmpty else { return }
        buffer = [UInt8](repeating: 0, count: Self.bufferBytes)
    }

    // MARK: One turn

    /// Lets the connection say everything it has to say, and sends what comes of it.
    func settle() throws(ClientFailure) {
        repeat {
            try takeEvents()
            finishOutputs()
        } while flush()
    }

    private func finishOutputs() {
        guard !endedOutputs.isEmpty else { return }
        for channel in endedOutputs { channel.finishWriting() }
        endedOutputs = []
    }

    /// Waits for something to happen, and does what is to be done about it.
    func turn(deadline: UInt64?) throws(ClientFailure) {
        if let writeFailure, !socketHasEnded {
            readSocket()
            socketHasEnded = true
            ending = .writing(writeFailure)
            return
        }
        limitUnsent()
        let reads = connection.wantsInput && !socketHasEnded
        let writes = connection.hasOutput && !socketHasEnded
        if dialed.input == dialed.output {
            descriptors.set(dialed.input, read: reads, write: writes)
        } else {
            descriptors.set(dialed.input, read: reads, write: false)
            descriptors.set(dialed.output, read: false, write: writes)
        }
        descriptors.set(Signals.descriptor, read: true, write: false)
        let rests = isAuthenticated ? restsAfter : nil
        let hasRested = descriptors.wait(
            timeout: timeout(deadline),
            rests: rests,
            resting: {
                connection.shrinkBuffers()
                buffer = []
            }
        ) { ready in
            let fd = ready.descriptor
            if fd == dialed.input || fd == dialed.output {
                if ready.isWritable { flush() }
                if ready.isReadable { readSocket() }
            } else if fd == Signals.descriptor {
                takeSignals()
            } else if Int(fd) < watchers.count, let watcher = watchers[Int(fd)] {
                watcher.fire(ready, self)
            }
        }
        // Soon after the login, whose garbage is the largest; later not between two keystrokes.
        if hasRested { restsAfter = 2_000_000_000 }
        for action in timers.takeDue(Clock.nanoseconds) { action() }
        closeIdleChannels()
        try keepAlive()
    }

    private func timeout(_ deadline: UInt64?) -> UInt64? {
        var first = UInt64.max
        if let deadline { first = min(first, deadline) }
        if let next = connection.deadline?.nanoseconds { first = min(first, next) }
        if let nextKeepAlive { first = min(first, nextKeepAlive) }
        if let next = idleLimits.nextCheck { first = min(first, next) }
        if let next = timers.first { first = min(first, next) }
        guard first < UInt64.max else { return nil }
        let now = Clock.nanoseconds
        return first > now ? first - now : 0
    }

    // MARK: The socket

    private func readSocket() {
        guard connection.wantsInput, !socketHasEnded else { return }
        _ = connection.receive(upTo: 128 << 10) { (span: inout MutableRawSpan) -> Int in
            Descriptor.lastError = 0
            switch Descriptor.read(dialed.input, into: &span) {
            case .bytes(let count):
                lastReceived = Clock.nanoseconds
                return count
            case .wouldBlock: return 0
            case .ended, .failed:
                let error = Descriptor.lastError
                socketHasEnded = true
                ending = error == 0 ? .closed : .reading(error)
                return 0
            }
        }
    }

    private func keepAlive() throws(ClientFailure) {
        guard isAuthenticated, let interval = settings.options.serverAliveInterval, interval > 0
        else { return }
        let now = Clock.nanoseconds
        let nanoseconds = UInt64(interval) * 1_000_000_000
        if nextKeepAlive == nil || lastReceived + nanoseconds > now, unansweredKeepAlives == 0 {
            nextKeepAlive = lastReceived + nanoseconds
        }
        guard let next = nextKeepAlive, now >= next else { return }
        guard unansweredKeepAlives < settings.options.serverAliveCountMax ?? 3 else {
            throw ClientFailure("Timeout, server \(settings.host) not responding.")
        }
        unansweredKeepAlives += 1
        connection.requestGlobal(.keepAlive, wantReply: true)
        nextKeepAlive = now + nanoseconds
    }

    func takeSignals() {
        for signal in Signals.take() {
            if signal == 28 {
                windowChanged()
                continue
            }
            leaveRawMode()
            log.verbose("Killed by signal \(signal).")
            endSignal = signal
            isEnding = true
        }
    }
}

/// Things to do at a time to come, few of them.
struct Timers {
    private var entries: [(id: UInt64, moment: UInt64, action: () -> Void)] = []
    private var next: UInt64 = 0

    /// When the first is due.
    private(set) var first: UInt64?

    /// Does something `seconds` from now; the number cancels it.
    @discardableResult
    mutating func add(seconds: UInt64, _ action: @escaping () -> Void) -> UInt64 {
        add(at: Clock.nanoseconds + seconds * 1_000_000_000, action)
    }

    /// Does something at a moment of the clock.
    @discardableResult
    mutating func add(at moment: UInt64, _ action: @escaping () -> Void) -> UInt64 {
        next += 1
        entries.append((next, moment, action))
        first = entries.map(\.moment).min()
        return next
    }

    mutating func cancel(_ id: UInt64) {
        entries.removeAll { $0.id == id }
        first = entries.map(\.moment).min()
    }

    mutating func takeDue(_ now: UInt64) -> [() -> Void] {
        guard let first, first <= now else { return [] }
        let due = entries.filter { $0.moment <= now }
        entries.removeAll { $0.moment <= now }
        self.first = entries.map(\.moment).min()
        return due.map(\.action)
    }
}
