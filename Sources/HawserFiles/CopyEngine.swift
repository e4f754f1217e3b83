// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// Copies files and trees between two places, with many requests and many files under way.
///
/// A remote side is asked without waiting for the answer before: for one large file block after
/// block, for many small ones file after file, so that a long path costs its delay once and not for
/// each file.
package final class CopyEngine {
    let source: Place
    let target: Place
    let options: CopyOptions
    let observer: any CopyObserver

    /// Anything went wrong.
    package internal(set) var hasFailed = false
    package internal(set) var wasInterrupted = false
    /// When what was interrupted must have been cleared away.
    var stopDeadline: UInt64?

    var files: [FileCopy] = []
    var nextFile = 0
    var directories: [DirectoryCopy] = []
    var listing = 0
    var active: [FileCopy] = []
    /// Files that may have more to read.
    var ready: [FileCopy] = []
    var fromSource: [UInt32: PendingRequest] = [:]
    var fromTarget: [UInt32: PendingRequest] = [:]
    var dataRequests = 0
    var window = 64
    var limit: RateLimit
    // As the limits of the servers are; until they are known nothing but a first file is opened.
    var knowsLimits = false
    var blockBytes = PacketLimits.cautiousDataBytes
    var mostRequests = 64
    var mostFiles = 1
    var set = PollSet()
    var copied: [FileCopy] = []

    /// Beyond this many bytes to be sent nothing more is read from files.
    static let outputLimit = 768 * 1024
    /// How long an interrupted copy may take to clear away what it has begun.
    static let clearingNanoseconds: UInt64 = 5_000_000_000

    package init(
        from source: Place,
        to target: Place,
        _ options: CopyOptions,
        observer: any CopyObserver
    ) {
        self.source = source
        self.target = target
        self.options = options
        self.observer = observer
        limit = RateLimit(kilobitsPerSecond: options.kilobitsPerSecond)
    }

    func awaitLimits() throws(SessionFault) {
        try source.session?.awaitLimits()
        try target.session?.awaitLimits()
        _ = learnLimits()
    }

    /// Takes over what the servers have told of their limits; whether that is news.
    func learnLimits() -> Bool {
        let isAwaited = [source, target].contains { $0.session?.awaitsLimits == true }
        guard !knowsLimits, !isAwaited else { return false }
        knowsLimits = true
        var most = PacketLimits.dataBytes
        if let session = source.session {
            most = min(most, Int(clamping: session.limits.readBytes))
        }
        if let session = target.session {
            most = min(most, Int(clamping: session.limits.writeBytes))
        }
        let block = options.blockBytes > 0 ? min(options.blockBytes, most) : most
        blockBytes = max(1, limit.portion(block))
        // 16 MiB are under way on a long path when nobody says otherwise.
        mostRequests =
            options.requests > 0
            ? options.requests : max(64, min(512, (16 << 20) / blockBytes))
        var handles = 64
        for session in [source.session, target.session] {
            if let session, session.limits.openHandles > 0 {
                handles = min(handles, max(1, Int(clamping: session.limits.openHandles / 2)))
            }
        }
        mostFiles = options.resumes || options.requests == 1 ? 1 : handles
        return true
    }

    /// Whether a file of this name can be opened at a server while it is being asked whether the name
    /// is a directory's, so that a long path is gone once for both: where the name does not say it
    /// already, and where an open that fails does nothing, as with OpenSSH's server and ours.
    package static func mayGuess(
        _ name: [UInt8],
        _ session: RemoteSession,
        _ options: CopyOptions
    ) -> Bool {
        let last = RemotePath.name(of: name)
        return name.last != RemotePath.slash && last != [46] && last != [46, 46]
            && !options.resumes && !options.isAtomic
            && session.supports("lsetstat@openssh.com")
            && session.supports("expand-path@openssh.com")
    }

    /// Adds one file; `isGuess`: it goes into `target` if that turns out to be a directory.
    package func add(
        file source: [UInt8],
        to target: [UInt8],
        _ attributes: Attributes,
        isGuess: Bool = false
    ) {
        let file = FileCopy(source, target, attributes, in: nil)
        file.isGuess = isGuess
        files.append(file)
    }

    /// Adds a directory with all that is in it.
    package func add(tree source: [UInt8], to target: [UInt8], _ attributes: Attributes) {
        directories.append(DirectoryCopy(source, target, attributes, in: nil))
    }

    /// Copies everything that was added; false when something failed.
    package func run() throws(SessionFault) -> Bool {
        do throws(SessionFault) {
            return try copyAll()
        } catch {
            removeLocalParts()
            throw error
        }
    }

    func copyAll() throws(SessionFault) -> Bool {
        if options.resumes { try awaitLimits() }
        while !isIdle {
            _ = learnLimits()
            try advance()
            var progressed = false
            if let session = source.session { progressed = try take(session, isSource: true) }
            if let session = target.session {
                progressed = try take(session, isSource: false) || progressed
            }
            if observer.isInterrupted { stop() }
            if let stopDeadline, Clock.nanoseconds >= stopDeadline { throw .interrupted }
            if learnLimits() || progressed || isIdle { continue }
            try wait()
        }
        if options.verifies, !wasInterrupted {
            try awaitLimits()
            for file in copied where !file.hasFailed { try verify(file) }
        }
        return !hasFailed && !wasInterrupted
    }

    var isIdle: Bool {
        nextFile >= files.count && directories.isEmpty && active.isEmpty && fromSource.isEmpty
            && fromTarget.isEmpty
    }

    func wait() throws(SessionFault) {
        let tick = observer.copyTicks()
        // What waits for its turn may have got it by now: then there is nothing to wait for.
        let isLimited = !ready.isEmpty && limit.isBounded
        let delay = isLimited ? max(1, limit.delay) : 0
        try source.session?.flush()
        try target.session?.flush()
        if source.session == nil, target.session == nil { return }
        set.removeAll()
        source.session?.add(to: &set)
        if target.session !== source.session { target.session?.add(to: &set) }
        if Signals.isWatching { set.add(Signals.descriptor, read: true) }
        let untilEnd = stopDeadline.map { end -> UInt64 in
            let now = Clock.nanoseconds
            return end > now ? end - now : 0
        }
        let bound = [tick, delay > 0 ? delay : nil, untilEnd].compactMap { $0 }.min()
        set.wait(timeout: bound)
        source.session?.polled()
        target.session?.polled()
    }

    /// Takes what has come from a session.
    func take(_ session: RemoteSession, isSource: Bool) throws(SessionFault) -> Bool {
        var progressed = false
        while true {
            var count = 0
            while let reply = try session.next() {
                progressed = true
                count += 1
                let request =
                    isSource
                    ? fromSource.removeValue(forKey: reply.id)
                    : fromTarget.removeValue(forKey: reply.id)
                guard let request else { throw .misspoken("Unexpected reply \(reply.id)") }
                try handle(reply, for: request, session)
                // The other side's queue must not grow without end.
                if let other = target.session, isSource,
                    other.client.output.count > Self.outputLimit
                {
                    try other.flush()
                    if other.client.output.count > 4 * Self.outputLimit { return true }
                }
                if count % 32 == 0 { try advance() }
            }
            if count > 0 { try advance() }
            try session.flush()
            if session.readerIsEmpty { return progressed }
            guard try session.fill() else { return progressed }
        }
    }

    // MARK: What to do next

    /// Starts files and directories and asks for blocks, as far as the bounds go.
    func advance() throws(SessionFault) {
        while active.count < mostFiles, nextFile < files.count, outputHasRoom {
            let file = files[nextFile]
            nextFile += 1
            if nextFile > 1024 {
                files.removeFirst(nextFile)
                nextFile = 0
            }
            active.append(file)
            try start(file)
        }
        while !directories.isEmpty, files.count - nextFile < 1024, listing < 8 {
            start(directories.removeLast())
        }
        while !ready.isEmpty, mayAsk {
            guard let file = ready.first else { break }
            if try !askOne(file) { ready.removeAll { $0 === file } }
        }
    }

    var outputHasRoom: Bool {
        (source.session?.client.output.count ?? 0) < Self.outputLimit
            && (target.session?.client.output.count ?? 0) < Self.outputLimit
    }

    var mayAsk: Bool {
        knowsLimits && dataRequests < min(window, mostRequests) && outputHasRoom
            && limit.delay == 0
    }

    /// Reads or asks for one block of a file; false when there is nothing more to ask for now.
    func askOne(_ file: FileCopy) throws(SessionFault) -> Bool {
        if file.hasFailed || file.isFinishing || file.endOffset != nil { return false }
        if case .remote(let session) = source {
            guard let handle = file.sourceHandle else { return false }
            if let size = file.size, size > 0, file.nextOffset >= size, file.blocks > 0 {
                return false
            }
            if file.size == nil || file.size == 0, file.blocks > 0 { return false }
            let id = session.client.read(handle, at: file.nextOffset, count: blockBytes)
            fromSource[id] = .read(file, offset: file.nextOffset, count: blockBytes)
            file.nextOffset &+= UInt64(blockBytes)
            file.outstanding += 1
            file.blocks += 1
            dataRequests += 1
            limit.passed(blockBytes)
            if let size = file.size, size > 0, file.startOffset == 0, size < UInt64(blockBytes),
                !file.isCareful
            {
                file.closesEarly = true
                closeSource(file)
                return false
            }
            return true
        }
        return try sendOne(file)
    }

    /// Reads one block here and sends it.
    func sendOne(_ file: FileCopy) throws(SessionFault) -> Bool {
        guard case .remote(let session) = target, let handle = file.targetHandle else {
            return false
        }
        let descriptor = file.sourceFile
        let offset = file.nextOffset
        var wanted = blockBytes
        if let size = file.size, size > offset {
            wanted = Int(min(UInt64(blockBytes), size - offset))
        }
        var result = 0
        let sent = session.client.write(handle, at: offset, upTo: wanted) {
            (room: inout MutableRawSpan) -> Int in
            result = FileCalls.read(descriptor, at: offset, into: &room)
            return max(0, result)
        }
        guard let sent else {
            if result < 0 {
                fail(
                    file,
                    "read local \"\(shown(file.source))\": \(SystemError.reason(Int32(-result)))"
                )
            }
            file.endOffset = offset
            finishIfDone(file)
            return false
        }
        fromTarget[sent.id] = .write(file, count: sent.count)
        file.outstanding += 1
        file.blocks += 1
        dataRequests += 1
        file.nextOffset += UInt64(sent.count)
        limit.passed(sent.count)
        if file.nextOffset == file.size, file.nextOffset <= UInt64(blockBytes) {
            // A small file is done with one read.
            file.endOffset = file.nextOffset
            finishIfDone(file)
            return false
        }
        return true
    }

    // MARK: Words

    func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }

    func why(_ reply: Reply) -> String { reply.failureText }
}
