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
    package private(set) var hasFailed = false
    package private(set) var wasInterrupted = false
    /// When what was interrupted must have been cleared away.
    private var stopDeadline: UInt64?

    private var files: [FileCopy] = []
    private var nextFile = 0
    private var directories: [DirectoryCopy] = []
    private var listing = 0
    private var active: [FileCopy] = []
    /// Files that may have more to read.
    private var ready: [FileCopy] = []
    private var fromSource: [UInt32: PendingRequest] = [:]
    private var fromTarget: [UInt32: PendingRequest] = [:]
    private var dataRequests = 0
    private var window = 64
    private var limit: RateLimit
    // As the limits of the servers are; until they are known nothing but a first file is opened.
    private var knowsLimits = false
    private var blockBytes = PacketLimits.cautiousDataBytes
    private var mostRequests = 64
    private var mostFiles = 1
    private var set = PollSet()
    private var copied: [FileCopy] = []

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

    private func awaitLimits() throws(SessionFault) {
        try source.session?.awaitLimits()
        try target.session?.awaitLimits()
        _ = learnLimits()
    }

    /// Takes over what the servers have told of their limits; whether that is news.
    private func learnLimits() -> Bool {
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

    private func copyAll() throws(SessionFault) -> Bool {
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

    private var isIdle: Bool {
        nextFile >= files.count && directories.isEmpty && active.isEmpty && fromSource.isEmpty
            && fromTarget.isEmpty
    }

    private func wait() throws(SessionFault) {
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
    private func take(_ session: RemoteSession, isSource: Bool) throws(SessionFault) -> Bool {
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
                if let other = target.session, isSource, other.client.output.count > outputLimit {
                    try other.flush()
                    if other.client.output.count > 4 * outputLimit { return true }
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
    private func advance() throws(SessionFault) {
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

    private var outputHasRoom: Bool {
        (source.session?.client.output.count ?? 0) < outputLimit
            && (target.session?.client.output.count ?? 0) < outputLimit
    }

    private var mayAsk: Bool {
        knowsLimits && dataRequests < min(window, mostRequests) && outputHasRoom
            && limit.delay == 0
    }

    /// Reads or asks for one block of a file; false when there is nothing more to ask for now.
    private func askOne(_ file: FileCopy) throws(SessionFault) -> Bool {
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
    private func sendOne(_ file: FileCopy) throws(SessionFault) -> Bool {
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

    // MARK: Files

    private func start(_ file: FileCopy) throws(SessionFault) {
        if !file.isGuess { observer.copyStarts(file.source, file.finalTarget) }
        file.targetIsNew = file.directory?.isNew ?? false
        if options.isAtomic {
            let name = RemotePath.name(of: file.target)
            let temporary =
                Array(".".utf8) + name + Array(".\(Clock.nanoseconds % 1_000_000).part".utf8)
            let parent = RemotePath.parent(of: file.target)
            file.target =
                file.target.contains(RemotePath.slash)
                ? RemotePath.join(parent, temporary) : temporary
        }
        if options.resumes, try !prepareResume(file) {
            return settle(file)
        }
        if !file.isGuess { begin(file) }
        switch source {
        case .local:
            let descriptor = FileCalls.open(file.source, [.readOnly, .nonblocking])
            guard descriptor >= 0 else {
                if file.isGuess { announceGuess(file) }
                return fail(
                    file,
                    "open local \"\(shown(file.source))\": "
                        + SystemError.reason(Int32(-descriptor))
                )
            }
            file.sourceFile = Int32(descriptor)
            // Checked again now that it is open.
            if let status = FileCalls.status(of: file.sourceFile).1 {
                guard status.isRegular else {
                    return fail(file, "local \"\(shown(file.source))\" is not a regular file")
                }
                file.attributes = Attributes(status)
            }
            openTarget(file)
        case .remote(let session):
            let id = session.client.open(file.source, .read, Attributes())
            fromSource[id] = .openSource(file)
            file.outstanding += 1
        }
    }

    private func announceGuess(_ file: FileCopy) {
        file.isGuess = false
        observer.copyStarts(file.source, file.finalTarget)
        begin(file)
    }

    private func begin(_ file: FileCopy) {
        observer.copyBegins(
            file.source,
            file.finalTarget,
            bytes: file.size,
            from: file.startOffset
        )
    }

    private func openTarget(_ file: FileCopy) {
        switch target {
        case .local:
            let mode = file.mode | 0o200
            var flags: FileCalls.Flags = [.writeOnly, .create]
            if options.isAtomic { flags.insert(.exclusive) }
            let descriptor = FileCalls.open(file.target, flags, mode: mode)
            guard descriptor >= 0 else {
                return fail(
                    file,
                    "open local \"\(shown(file.target))\": "
                        + SystemError.reason(Int32(-descriptor))
                )
            }
            file.targetFile = Int32(descriptor)
            ready.append(file)
        case .remote(let session):
            if file.isGuess, !file.awaitsStatus {
                fromTarget[session.client.request(.stat, file.target)] = .checkTarget(file)
                file.outstanding += 1
                file.awaitsStatus = true
            }
            var flags: OpenFlags = [.write, .create]
            let isFresh = file.startOffset == 0 && (!options.isInPlace || file.targetIsNew)
            if options.isAtomic {
                flags.insert(.exclusive)
            } else if isFresh {
                flags.insert(.truncate)
            }
            let id = session.client.open(
                file.target,
                flags,
                Attributes(permissions: file.mode)
            )
            fromTarget[id] = .openTarget(file)
            file.outstanding += 1
        }
    }

    private func closeSource(_ file: FileCopy) {
        if file.sourceFile >= 0 {
            _ = FileCalls.close(file.sourceFile)
            file.sourceFile = -1
        }
        if let handle = file.sourceHandle, case .remote(let session) = source {
            // Nothing depends on how the close of a file that was read ends.
            session.forget(session.client.request(.close, handle))
            file.sourceHandle = nil
        }
    }

    /// After the last block: attributes, close, the final name.
    private func finishIfDone(_ file: FileCopy) {
        guard !file.isFinishing, let end = file.endOffset else { return }
        // Blocks from a remote source are still to come. (Those to a remote target are on their
        // way, and a close behind them is answered after them.)
        if case .remote = source, file.blocks > 0 { return }
        file.isFinishing = true
        closeSource(file)
        switch target {
        case .local: finishLocal(file, end)
        case .remote(let session): finishRemote(file, session, end)
        }
        settleIfDone(file)
    }

    private func finishLocal(_ file: FileCopy, _ end: UInt64) {
        let descriptor = file.targetFile
        guard descriptor >= 0 else { return }
        defer {
            let result = FileCalls.close(descriptor)
            if result < 0 {
                report(
                    "close \"\(shown(file.target))\": \(SystemError.reason(Int32(-result)))",
                    file
                )
            }
            file.targetFile = -1
            renameLocal(file)
        }
        guard !file.hasFailed else { return }
        if !file.targetIsNew, !options.isAtomic {
            let result = FileCalls.truncate(descriptor, to: end)
            if result < 0, result != -22 {  // EINVAL: a device has no length
                report(
                    "local truncate \"\(shown(file.target))\": "
                        + SystemError.reason(Int32(-result)),
                    file
                )
            }
        }
        if options.preserves {
            if let permissions = file.attributes.permissions {
                let result = FileCalls.setMode(of: descriptor, permissions & 0o7777)
                if result < 0 {
                    report(
                        "local chmod \"\(shown(file.target))\": "
                            + SystemError.reason(Int32(-result)),
                        file
                    )
                }
            }
            if let times = file.attributes.times {
                let result = FileCalls.setTimes(
                    of: descriptor,
                    access: Int64(times.access),
                    modification: Int64(times.modification)
                )
                if result < 0 {
                    report(
                        "local set times \"\(shown(file.target))\": "
                            + SystemError.reason(Int32(-result)),
                        file
                    )
                }
            }
        }
        if options.synchronizes {
            let result = FileCalls.synchronize(descriptor)
            if result < 0 {
                report(
                    "local sync \"\(shown(file.target))\": \(SystemError.reason(Int32(-result)))",
                    file
                )
            }
        }
    }

    /// The session is over: what has been written here under another name is of no use.
    private func removeLocalParts() {
        guard options.isAtomic, target.session == nil else { return }
        for file in active where file.targetFile >= 0 {
            _ = FileCalls.close(file.targetFile)
            file.targetFile = -1
            _ = FileCalls.remove(file.target)
        }
    }

    private func renameLocal(_ file: FileCopy) {
        guard options.isAtomic else { return }
        if file.hasFailed {
            _ = FileCalls.remove(file.target)
            return
        }
        let result = FileCalls.rename(file.target, to: file.finalTarget)
        if result < 0 {
            report(
                "rename \"\(shown(file.target))\": \(SystemError.reason(Int32(-result)))",
                file
            )
            _ = FileCalls.remove(file.target)
        }
    }

    private func finishRemote(_ file: FileCopy, _ session: RemoteSession, _ end: UInt64) {
        guard let handle = file.targetHandle else { return }
        file.targetHandle = nil
        func then(_ id: UInt32, _ step: String) {
            fromTarget[id] = .finish(file, step)
            file.outstanding += 1
        }
        if !file.hasFailed {
            var change = Attributes()
            if options.isInPlace, !file.targetIsNew, !options.isAtomic { change.size = end }
            if options.preserves {
                change.permissions = file.attributes.permissions.map { $0 & 0o7777 }
                change.times = file.attributes.times
            }
            if change != Attributes() {
                then(session.client.request(.fsetstat, handle, change), "remote fsetstat")
            }
            if options.synchronizes, session.supports("fsync@openssh.com") {
                let id = session.client.extended("fsync@openssh.com") { $0.append(string: handle) }
                then(id, "remote fsync")
            }
        }
        then(session.client.request(.close, handle), "close remote")
    }

    /// Ends a file's part in the run once nothing is under way for it.
    private func settleIfDone(_ file: FileCopy) {
        guard file.isFinishing || file.hasFailed, file.outstanding == 0, !file.isSettled else {
            return
        }
        if file.hasFailed, !file.isFinishing {
            file.isFinishing = true
            file.endOffset = file.endOffset ?? file.nextOffset
            closeSource(file)
            switch target {
            case .local: finishLocal(file, file.endOffset ?? 0)
            case .remote(let session): finishRemote(file, session, file.endOffset ?? 0)
            }
            if file.outstanding > 0 { return }
        }
        if options.isAtomic, case .remote(let session) = target, file.target != file.finalTarget {
            let temporary = file.target
            file.target = file.finalTarget
            if file.hasFailed {
                let id = session.client.request(.remove, temporary)
                fromTarget[id] = .finish(file, "")
            } else if session.supports("posix-rename@openssh.com") {
                let id = session.client.extended("posix-rename@openssh.com") {
                    $0.append(string: temporary)
                    $0.append(string: file.finalTarget)
                }
                fromTarget[id] = .finish(file, "remote rename")
            } else {
                let id = session.client.request(.rename, temporary, file.finalTarget)
                fromTarget[id] = .finish(file, "remote rename")
            }
            file.outstanding += 1
            return
        }
        observer.copyEnds(
            file.source,
            file.finalTarget,
            bytes: file.doneBytes,
            hasFailed: file.hasFailed
        )
        if options.verifies { copied.append(file) }
        settle(file)
    }

    private func settle(_ file: FileCopy) {
        file.isSettled = true
        active.removeAll { $0 === file }
        if let directory = file.directory { oneDone(in: directory) }
    }

    /// Notes a failure that ends a file's copy.
    private func fail(_ file: FileCopy, _ text: String) {
        report(text, file)
        file.endOffset = file.endOffset ?? file.nextOffset
        settleIfDone(file)
    }

    func report(_ text: String, _ file: FileCopy? = nil) {
        observer.copyFails(text)
        hasFailed = true
        file?.hasFailed = true
    }

    // MARK: Answers

    private func handle(
        _ reply: Reply,
        for request: PendingRequest,
        _ session: RemoteSession
    ) throws(SessionFault) {
        switch request {
        case .openSource(let file):
            file.outstanding -= 1
            guard case .handle(let handle) = reply.content else {
                return fail(file, "remote open \"\(shown(file.source))\": \(why(reply))")
            }
            file.sourceHandle = handle
            // An interrupt may have come before the answer.
            if file.hasFailed { return settleIfDone(file) }
            openTarget(file)
        case .openTarget(let file):
            file.outstanding -= 1
            if file.awaitsStatus { file.openAnswer = reply } else { opened(file, reply, session) }
        case .checkTarget(let file):
            file.outstanding -= 1
            checkedTarget(file, reply, session)
        case .read(let file, let offset, let count):
            dataRequests -= 1
            file.blocks -= 1
            file.outstanding -= 1
            widen()
            try took(reply, file, offset, count, session)
            if file.endOffset != nil { finishIfDone(file) } else { askAgain(file) }
            settleIfDone(file)
        case .write(let file, let count):
            dataRequests -= 1
            file.blocks -= 1
            file.outstanding -= 1
            widen()
            if case .status(.ok, _) = reply.content {
                file.doneBytes += UInt64(count)
                observer.copyAdvances(file.source, bytes: file.startOffset + file.doneBytes)
            } else if !file.hasFailed {
                report("write remote \"\(shown(file.target))\": \(why(reply))", file)
                file.endOffset = file.endOffset ?? file.nextOffset
            }
            if file.hasFailed || file.endOffset != nil {
                finishIfDone(file)
            } else if source.session != nil {
                askAgain(file)
            }
            settleIfDone(file)
        case .finish(let file, let step):
            file.outstanding -= 1
            if case .status(.ok, _) = reply.content {
            } else if !step.isEmpty, !file.hasFailed {
                report("\(step) \"\(shown(file.target))\": \(why(reply))", file)
            }
            settleIfDone(file)
        case .makeDirectory(let directory): madeDirectory(reply, directory, session)
        case .checkDirectory(let directory): checkedDirectory(reply, directory)
        case .openDirectory(let directory): openedDirectory(reply, directory, session)
        case .readDirectory(let directory): readDirectory(reply, directory, session)
        case .closeDirectory(let directory): oneDone(in: directory)
        case .followLink(let directory, let name):
            if case .attributes(let attributes) = reply.content {
                consider(name, attributes, in: directory)
            } else {
                report(
                    "remote stat \"\(shown(RemotePath.join(directory.source, name)))\": "
                        + why(reply)
                )
            }
            oneDone(in: directory)
        case .setDirectory(let directory):
            if case .status(.ok, _) = reply.content {
            } else {
                report("remote setstat \"\(shown(directory.target))\": \(why(reply))")
            }
            directoryIsDone(directory)
        }
    }

    private func opened(_ file: FileCopy, _ reply: Reply, _ session: RemoteSession) {
        guard case .handle(let handle) = reply.content else {
            return fail(file, "dest open \"\(shown(file.target))\": \(why(reply))")
        }
        file.targetHandle = handle
        if file.hasFailed { return settleIfDone(file) }
        ready.append(file)
    }

    /// Whether the name that was opened at the same time is a directory's.
    private func checkedTarget(_ file: FileCopy, _ reply: Reply, _ session: RemoteSession) {
        file.awaitsStatus = false
        guard !file.hasFailed, case .attributes(let attributes) = reply.content,
            attributes.isDirectory
        else {
            if !file.hasFailed { announceGuess(file) }
            if let answer = file.openAnswer { opened(file, answer, session) }
            return settleIfDone(file)
        }
        file.enterTarget()
        announceGuess(file)
        // The answer to the first open is of no interest: directories cannot be opened.
        if let request = fromTarget.first(where: { $0.value.opens(file) }) {
            fromTarget[request.key] = nil
            session.forget(request.key)
            file.outstanding -= 1
        }
        openTarget(file)
    }

    /// More may be under way when answers come in.
    private func widen() {
        if window < mostRequests { window += 1 }
    }

    /// A block of a remote file.
    private func took(
        _ reply: Reply,
        _ file: FileCopy,
        _ offset: UInt64,
        _ count: Int,
        _ session: RemoteSession
    ) throws(SessionFault) {
        guard !file.hasFailed else { return }
        switch reply.content {
        case .data(let got) where got > 0 && got <= count:
            let end = offset &+ UInt64(got)
            if !put(file, at: offset, session) { return }
            guard got < count else { return }
            if let size = file.size, size > 0, end < size {
                // Less than there is: the rest is asked for again.
                if file.closesEarly {
                    return startAgain(file)
                }
                guard let handle = file.sourceHandle else { return }
                let id = session.client.read(handle, at: end, count: count - got)
                fromSource[id] = .read(file, offset: end, count: count - got)
                file.outstanding += 1
                file.blocks += 1
                dataRequests += 1
            } else {
                file.endOffset = min(file.endOffset ?? .max, end)
            }
        case .status(.endOfFile, _), .data(0):
            file.endOffset = min(file.endOffset ?? .max, offset)
        case .data: throw .misspoken("Received more data than asked for")
        default:
            report("read remote \"\(shown(file.source))\" : \(why(reply))", file)
            file.endOffset = file.endOffset ?? offset
        }
    }

    /// Puts the block that has just come to its place; false when that failed.
    private func put(_ file: FileCopy, at offset: UInt64, _ session: RemoteSession) -> Bool {
        let bytes = session.dataBytes
        switch target {
        case .local:
            let result = session.writeData(to: file.targetFile, at: offset)
            guard result == 0 else {
                report(
                    "write local \"\(shown(file.target))\": "
                        + SystemError.reason(Int32(-result)),
                    file
                )
                file.endOffset = file.endOffset ?? offset
                return false
            }
            file.doneBytes += UInt64(bytes)
            observer.copyAdvances(file.source, bytes: file.startOffset + file.doneBytes)
        case .remote(let other):
            guard let handle = file.targetHandle else { return false }
            let id = session.sendData(to: other, handle, at: offset)
            fromTarget[id] = .write(file, count: bytes)
            file.outstanding += 1
            file.blocks += 1
            dataRequests += 1
        }
        return true
    }

    /// A server that gave less than there is after we had asked it to close: without haste now.
    private func startAgain(_ file: FileCopy) {
        let again = FileCopy(file.source, file.finalTarget, file.attributes, in: file.directory)
        again.isCareful = true
        files.append(again)
        if let directory = file.directory { directory.pending += 1 }
        file.endOffset = 0
    }

    private func askAgain(_ file: FileCopy) {
        if !file.hasFailed, !file.isFinishing, !ready.contains(where: { $0 === file }) {
            ready.append(file)
        }
    }

    /// Stops asking; what is under way is waited for.
    private func stop() {
        guard !wasInterrupted else { return }
        wasInterrupted = true
        stopDeadline = Clock.nanoseconds &+ clearingNanoseconds
        files.removeAll()
        nextFile = 0
        directories.removeAll()
        ready.removeAll()
        for file in active {
            file.hasFailed = true
            settleIfDone(file)
        }
    }

    // MARK: Directories

    private func start(_ directory: DirectoryCopy) {
        guard directory.depth < DirectoryCopy.maximumDepth else {
            report("Maximum directory depth exceeded: \(DirectoryCopy.maximumDepth) levels")
            return oneDone(in: directory)
        }
        listing += 1
        observer.copyEnters(directory.source)
        switch target {
        case .local:
            let mode = (directory.attributes.permissions.map { $0 & 0o1777 } ?? 0o777) | 0o300
            let result = FileCalls.makeDirectory(directory.target, mode: mode)
            if result == 0 {
                directory.isNew = true
            } else if result != -17 {  // EEXIST
                report(
                    "mkdir \(shown(directory.target)): \(SystemError.reason(Int32(-result)))"
                )
                return giveUp(directory)
            } else if FileCalls.status(directory.target, followingLinks: true).1?.isDirectory
                != true
            {
                report("mkdir \(shown(directory.target)): \(SystemError.reason(20))")
                return giveUp(directory)
            }
            list(directory)
        case .remote(let session):
            let mode = (directory.attributes.permissions.map { $0 & 0o1777 } ?? 0o777) | 0o300
            let id = session.client.request(
                .mkdir,
                directory.target,
                Attributes(permissions: mode)
            )
            fromTarget[id] = .makeDirectory(directory)
        }
    }

    private func giveUp(_ directory: DirectoryCopy) {
        listing -= 1
        directory.isNew = false
        directory.hasEnded = true
        oneDone(in: directory)
    }

    private func madeDirectory(
        _ reply: Reply,
        _ directory: DirectoryCopy,
        _ session: RemoteSession
    ) {
        if case .status(.ok, _) = reply.content {
            directory.isNew = true
            list(directory)
        } else if case .status(.failure, _) = reply.content {
            // Perhaps it is there already.
            fromTarget[session.client.request(.stat, directory.target)] =
                .checkDirectory(directory)
        } else {
            report("remote mkdir \"\(shown(directory.target))\": \(why(reply))")
            giveUp(directory)
        }
    }

    private func checkedDirectory(_ reply: Reply, _ directory: DirectoryCopy) {
        if case .attributes(let attributes) = reply.content, attributes.isDirectory {
            list(directory)
        } else {
            report("\"\(shown(directory.target))\" exists but is not a directory")
            giveUp(directory)
        }
    }

    private func list(_ directory: DirectoryCopy) {
        switch source {
        case .local: listLocal(directory)
        case .remote(let session):
            fromSource[session.client.request(.opendir, directory.source)] =
                .openDirectory(directory)
        }
    }

    private func listLocal(_ directory: DirectoryCopy) {
        listing -= 1
        let (result, stream) = DirectoryStream.open(directory.source)
        guard let stream else {
            report(
                "local opendir \"\(shown(directory.source))\": "
                    + SystemError.reason(Int32(-result))
            )
            return oneDone(in: directory)
        }
        while let name = stream.next() {
            guard name != [46], name != [46, 46] else { continue }
            guard let status = stream.status(of: name, followingLinks: options.followsLinks) else {
                report(
                    "local lstat \"\(shown(RemotePath.join(directory.source, name)))\": "
                        + SystemError("stat").reason
                )
                continue
            }
            consider(name, Attributes(status), in: directory)
        }
        directory.hasEnded = true
        oneDone(in: directory)
    }

    private func openedDirectory(
        _ reply: Reply,
        _ directory: DirectoryCopy,
        _ session: RemoteSession
    ) {
        guard case .handle(let handle) = reply.content else {
            listing -= 1
            report("remote opendir(\"\(shown(directory.source))\"): \(why(reply))")
            return oneDone(in: directory)
        }
        directory.handle = handle
        for _ in 0..<2 { ask(directory, session) }
    }

    private func ask(_ directory: DirectoryCopy, _ session: RemoteSession) {
        guard let handle = directory.handle else { return }
        fromSource[session.client.request(.readdir, handle)] = .readDirectory(directory)
        directory.listingRequests += 1
    }

    private func readDirectory(
        _ reply: Reply,
        _ directory: DirectoryCopy,
        _ session: RemoteSession
    ) {
        directory.listingRequests -= 1
        if case .names(let names) = reply.content, !wasInterrupted {
            for entry in names where entry.name != [46] && entry.name != [46, 46] {
                guard RemotePath.isSafe(name: entry.name) else {
                    report(
                        "Server sent suspect path \"\(shown(entry.name))\" during readdir of "
                            + "\"\(shown(directory.source))\""
                    )
                    continue
                }
                if entry.attributes.isLink, options.followsLinks {
                    directory.pending += 1
                    let path = RemotePath.join(directory.source, entry.name)
                    fromSource[session.client.request(.stat, path)] =
                        .followLink(directory, name: entry.name)
                } else {
                    consider(entry.name, entry.attributes, in: directory)
                }
            }
            if !directory.hasEnded { return ask(directory, session) }
        } else if case .status(let status, _) = reply.content, status != .endOfFile,
            !directory.hasEnded
        {
            report("remote readdir \"\(shown(directory.source))\": \(why(reply))")
        }
        directory.hasEnded = true
        guard directory.listingRequests == 0, let handle = directory.handle else { return }
        directory.handle = nil
        listing -= 1
        fromSource[session.client.request(.close, handle)] = .closeDirectory(directory)
    }

    /// An entry of a directory that is being copied.
    private func consider(_ name: [UInt8], _ attributes: Attributes, in directory: DirectoryCopy) {
        guard !wasInterrupted else { return }
        let from = RemotePath.join(directory.source, name)
        let to = RemotePath.join(directory.target, name)
        if attributes.isDirectory {
            directory.pending += 1
            directories.append(DirectoryCopy(from, to, attributes, in: directory))
        } else if attributes.isRegular || attributes.permissions == nil {
            directory.pending += 1
            files.append(FileCopy(from, to, attributes, in: directory))
        } else {
            observer.copyNotes(
                source.session == nil
                    ? "\(shown(from)): not a regular file"
                    : "download \"\(shown(from))\": not a regular file"
            )
        }
    }

    /// One entry of a directory, or its own listing, is done; with the last one its attributes are
    /// set.
    private func oneDone(in directory: DirectoryCopy) {
        directory.pending -= 1
        guard directory.pending == 0 else { return }
        let permissions = directory.attributes.permissions.map { $0 & 0o1777 }
        switch target {
        case .local:
            if directory.isNew || options.preserves, directory.hasEnded {
                if let permissions, options.preserves || permissions & 0o300 != 0o300 {
                    let result = FileCalls.setMode(
                        directory.target,
                        permissions,
                        followingLinks: true
                    )
                    if result < 0 {
                        report(
                            "local chmod directory \"\(shown(directory.target))\": "
                                + SystemError.reason(Int32(-result))
                        )
                    }
                }
                if options.preserves, let times = directory.attributes.times {
                    let result = FileCalls.setTimes(
                        directory.target,
                        access: Int64(times.access),
                        modification: Int64(times.modification),
                        followingLinks: true
                    )
                    if result < 0 {
                        report(
                            "local set times on \"\(shown(directory.target))\": "
                                + SystemError.reason(Int32(-result))
                        )
                    }
                }
            }
            directoryIsDone(directory)
        case .remote(let session):
            guard directory.isNew || options.preserves, directory.hasEnded, let permissions else {
                return directoryIsDone(directory)
            }
            let change = Attributes(
                permissions: permissions,
                times: options.preserves ? directory.attributes.times : nil
            )
            fromTarget[session.client.request(.setstat, directory.target, change)] =
                .setDirectory(directory)
        }
    }

    private func directoryIsDone(_ directory: DirectoryCopy) {
        if let parent = directory.parent { oneDone(in: parent) }
    }

    // MARK: Words

    func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }

    func why(_ reply: Reply) -> String { reply.failureText }
}

extension Reply {
    /// The user's word for a status that is not success.
    package var failureText: String {
        guard case .status(let status, let text) = content else { return "unexpected answer" }
        return status.userText(text)
    }
}

extension Status {
    /// OpenSSH's words; the server's own where they say more.
    package func userText(_ text: [UInt8]) -> String {
        switch self {
        case .noSuchFile: "No such file or directory"
        case .failure where !text.isEmpty && text != Array(self.text.utf8): PrintableText.of(text)
        default: self.text
        }
    }
}

/// Beyond this many bytes to be sent nothing more is read from files.
private let outputLimit = 768 * 1024
/// How long an interrupted copy may take to clear away what it has begun.
private let clearingNanoseconds: UInt64 = 5_000_000_000
