// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// One file: opened, copied block by block, and given its attributes and its final name.
extension CopyEngine {
    func start(_ file: FileCopy) throws(SessionFault) {
        if !file.isGuess { observer.copyStarts(file.source, file.finalTarget) }
        file.targetIsNew = file.directory?.isNew ?? false
        if options.isAtomic {
            let name = RemotePath.name(of: file.target)
            let temporary =
                Array(".".utf8) + name + ".\(Clock.nanoseconds % 1_000_000).part".octets
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

    func announceGuess(_ file: FileCopy) {
        file.isGuess = false
        observer.copyStarts(file.source, file.finalTarget)
        begin(file)
    }

    func begin(_ file: FileCopy) {
        observer.copyBegins(
            file.source,
            file.finalTarget,
            bytes: file.size,
            from: file.startOffset
        )
    }

    func openTarget(_ file: FileCopy) {
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

    func closeSource(_ file: FileCopy) {
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
    func finishIfDone(_ file: FileCopy) {
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

    func finishLocal(_ file: FileCopy, _ end: UInt64) {
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
            // No copy runs with the rights of its owner because the other side's does.
            if let permissions = file.attributes.permissions {
                let result = FileCalls.setMode(of: descriptor, permissions & 0o777)
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
    func removeLocalParts() {
        guard options.isAtomic, target.session == nil else { return }
        for file in active where file.targetFile >= 0 {
            _ = FileCalls.close(file.targetFile)
            file.targetFile = -1
            _ = FileCalls.remove(file.target)
        }
    }

    func renameLocal(_ file: FileCopy) {
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

    func finishRemote(_ file: FileCopy, _ session: RemoteSession, _ end: UInt64) {
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
                change.permissions = file.attributes.permissions.map { $0 & 0o777 }
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
    func settleIfDone(_ file: FileCopy) {
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

    func settle(_ file: FileCopy) {
        file.isSettled = true
        active.removeAll { $0 === file }
        if let directory = file.directory { oneDone(in: directory) }
    }

    /// Notes a failure that ends a file's copy.
    func fail(_ file: FileCopy, _ text: String) {
        report(text, file)
        file.endOffset = file.endOffset ?? file.nextOffset
        settleIfDone(file)
    }

    func report(_ text: String, _ file: FileCopy? = nil) {
        observer.copyFails(text)
        hasFailed = true
        file?.hasFailed = true
    }
}
