// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem

/// What the servers answer.
extension CopyEngine {
    func handle(
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
                let end = source.session == nil ? "remote" : "dest"
                report("write \(end) \"\(shown(file.target))\": \(why(reply))", file)
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
                if attributes.isDirectory {
                    return check(LinkCheck(directory, name, attributes), session)
                }
                consider(name, attributes, in: directory)
            } else {
                report(
                    "remote stat \"\(shown(RemotePath.join(directory.source, name)))\": "
                        + why(reply)
                )
            }
            oneDone(in: directory)
        case .realPath(let check, let ofLink): checked(check, reply, ofLink: ofLink)
        case .setDirectory(let directory):
            if case .status(.ok, _) = reply.content {
            } else {
                report("remote setstat \"\(shown(directory.target))\": \(why(reply))")
            }
            directoryIsDone(directory)
        }
    }

    func opened(_ file: FileCopy, _ reply: Reply, _ session: RemoteSession) {
        guard case .handle(let handle) = reply.content else {
            return fail(file, "dest open \"\(shown(file.target))\": \(why(reply))")
        }
        file.targetHandle = handle
        if file.hasFailed { return settleIfDone(file) }
        ready.append(file)
    }

    /// Whether the name that was opened at the same time is a directory's.
    func checkedTarget(_ file: FileCopy, _ reply: Reply, _ session: RemoteSession) {
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
    func widen() {
        if window < mostRequests { window += 1 }
    }

    /// A block of a remote file.
    func took(
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
    func put(_ file: FileCopy, at offset: UInt64, _ session: RemoteSession) -> Bool {
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
    func startAgain(_ file: FileCopy) {
        let again = FileCopy(file.source, file.finalTarget, file.attributes, in: file.directory)
        again.isCareful = true
        files.append(again)
        if let directory = file.directory { directory.pending += 1 }
        file.endOffset = 0
    }

    func askAgain(_ file: FileCopy) {
        if !file.hasFailed, !file.isFinishing, !ready.contains(where: { $0 === file }) {
            ready.append(file)
        }
    }

    /// Stops asking; what is under way is waited for.
    func stop() {
        guard !wasInterrupted else { return }
        wasInterrupted = true
        stopDeadline = Clock.nanoseconds &+ Self.clearingNanoseconds
        files.removeAll()
        nextFile = 0
        directories.removeAll()
        ready.removeAll()
        for file in active {
            file.hasFailed = true
            settleIfDone(file)
        }
    }
}
