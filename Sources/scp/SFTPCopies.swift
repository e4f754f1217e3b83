// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool

/// Copies by the SFTP protocol; a connection serves all files of its host.
final class SFTPCopies {
    private let line: SCPCommandLine
    private let reporter: Reporter
    private var sessions: [(key: String, session: RemoteSession)] = []

    init(_ line: SCPCommandLine, _ reporter: Reporter) {
        self.line = line
        self.reporter = reporter
    }

    func end() {
        for entry in sessions { entry.session.end() }
        sessions = []
    }

    // MARK: The three ways

    func send(_ from: [UInt8], _ to: RemoteDestination, isMany: Bool) -> Int32 {
        attempt { () throws(SessionFault) -> Int32 in
            guard let session = try session(to) else { return 255 }
            guard let target = try prepared(to.path, session) else { return 1 }
            let (result, status) = FileCalls.status(from, followingLinks: true)
            guard let status else {
                reporter.fail(
                    "scp: stat local \"\(shown(from))\": \(SystemError.reason(Int32(-result)))"
                )
                return 255
            }
            let isGuess =
                !isMany && status.isRegular && CopyEngine.mayGuess(target, session, line.options)
            let found =
                isGuess
                ? target
                : try place(
                    for: from,
                    at: target,
                    .remote(session),
                    isMany: isMany,
                    needsDirectory: isMany
                )
            guard let place = found else { return 255 }
            let engine = CopyEngine(
                from: .local,
                to: .remote(session),
                line.options,
                observer: reporter
            )
            return try copy(
                from,
                to: place,
                Attributes(status),
                engine,
                isGuess: isGuess,
                refusal: [
                    "scp: local \"\(shown(from))\" is not a regular file",
                    "scp: failed to upload file \(shown(from)) to \(shown(target))",
                ],
                failure: "failed to upload \(status.isDirectory ? "directory" : "file") "
                    + "\(shown(from)) to \(shown(target))"
            )
        }
    }

    func fetch(_ from: RemoteDestination, _ to: [UInt8]) -> Int32 {
        attempt { () throws(SessionFault) -> Int32 in
            guard let session = try session(from) else { return 255 }
            return try fetch(from, session, .local, target: to, needsDirectory: false)
        }
    }

    func copy(_ from: RemoteDestination, _ to: RemoteDestination, isMany: Bool) -> Int32 {
        attempt { () throws(SessionFault) -> Int32 in
            guard let sink = try session(to) else { return 255 }
            guard let source = try session(from, purpose: "source") else { return 255 }
            guard let target = try prepared(to.path, sink) else { return 1 }
            if isMany {
                let reply = try sink.answer(to: sink.client.request(.stat, target))
                guard case .attributes(let attributes) = reply.content, attributes.isDirectory
                else {
                    reporter.fail("scp: \(shown(target)): destination is not a directory")
                    return 1
                }
            }
            return try fetch(
                from,
                source,
                .remote(sink),
                target: target,
                needsDirectory: isMany
            )
        }
    }

    private func fetch(
        _ from: RemoteDestination,
        _ session: RemoteSession,
        _ destination: Place,
        target: [UInt8],
        needsDirectory: Bool
    ) throws(SessionFault) -> Int32 {
        guard let pattern = try prepared(from.path, session) else { return 1 }
        let matches = try Glob(.remote(session)).matches(pattern)
        guard matches.first?.attributes != nil else {
            reporter.fail(
                "scp: \(shown(matches.first?.path ?? pattern)): No such file or directory"
            )
            return 1
        }
        let engine = CopyEngine(
            from: .remote(session),
            to: destination,
            line.options,
            observer: reporter
        )
        var status: Int32 = 0
        for match in matches {
            guard var attributes = match.attributes else { continue }
            if attributes.isLink {
                let reply = try session.answer(to: session.client.request(.stat, match.path))
                guard case .attributes(let followed) = reply.content else {
                    reporter.fail("scp: stat remote: \(reply.failureText)")
                    status = 1
                    continue
                }
                attributes = followed
            }
            guard
                let place = try place(
                    for: match.path,
                    at: target,
                    destination,
                    isMany: matches.count > 1,
                    needsDirectory: needsDirectory
                )
            else { return 1 }
            let mark = attributes.isDirectory && match.path.last != RemotePath.slash ? "/" : ""
            if attributes.isDirectory, line.isRecursive {
                engine.add(tree: match.path, to: place, attributes)
            } else if attributes.isRegular || attributes.permissions == nil {
                engine.add(file: match.path, to: place, attributes)
            } else {
                reporter.fail("scp: download \(shown(match.path))\(mark): not a regular file")
                status = 1
            }
        }
        return try engine.run() ? status : 1
    }

    private func copy(
        _ from: [UInt8],
        to place: [UInt8],
        _ attributes: Attributes,
        _ engine: CopyEngine,
        isGuess: Bool,
        refusal: [String],
        failure: String
    ) throws(SessionFault) -> Int32 {
        if attributes.isDirectory, line.isRecursive {
            engine.add(tree: from, to: place, attributes)
        } else if attributes.isRegular {
            engine.add(file: from, to: place, attributes, isGuess: isGuess)
        } else {
            for text in refusal { reporter.fail(text) }
            return 1
        }
        if try engine.run() { return 0 }
        reporter.fail("scp: " + failure)
        return 1
    }

    // MARK: Targets

    /// Where a source goes: into the target if that is a directory. Nil, and told, when several
    /// should go to what is none.
    private func place(
        for source: [UInt8],
        at target: [UInt8],
        _ place: Place,
        isMany: Bool,
        needsDirectory: Bool
    ) throws(SessionFault) -> [UInt8]? {
        var name = RemotePath.name(of: source)
        if name == [46] || name == [46, 46] || name == [RemotePath.slash] { name = [] }
        var isDirectory = false
        switch place {
        case .local:
            let status = FileCalls.status(target, followingLinks: true).1
            isDirectory = status?.isDirectory == true
            // Several go to a name that is not there: it becomes a directory.
            if isMany, status == nil {
                let result = FileCalls.makeDirectory(target, mode: 0o777)
                guard result >= 0 else {
                    let reason = SystemError.reason(Int32(-result))
                    reporter.fail("scp: local mkdir \"\(shown(target))\": \(reason)")
                    return nil
                }
                isDirectory = true
            }
        case .remote(let session):
            let reply = try session.answer(to: session.client.request(.stat, target))
            if case .attributes(let attributes) = reply.content {
                isDirectory = attributes.isDirectory
            }
            if !isDirectory, needsDirectory {
                let id = session.client.request(
                    .mkdir,
                    target,
                    Attributes(permissions: 0o777)
                )
                let (status, text) = try session.status(of: id)
                guard status == .ok else {
                    reporter.fail(
                        "scp: remote mkdir \"\(shown(target))\": \(status.userText(text))"
                    )
                    return nil
                }
                isDirectory = true
            }
        }
        if isDirectory { return name.isEmpty ? target : RemotePath.join(target, name) }
        if isMany {
            reporter.fail(
                "scp: Multiple files match pattern, but destination \"\(shown(target))\" is not a "
                    + "directory"
            )
            return nil
        }
        return target
    }

    /// A remote path as it can be asked for: `~` expanded, nothing where there was nothing.
    private func prepared(
        _ path: [UInt8]?,
        _ session: RemoteSession
    ) throws(SessionFault)
        -> [UInt8]?
    {
        guard let path, !path.isEmpty else { return [46] }
        guard path.first == UInt8(ascii: "~") else { return path }
        if path == [UInt8(ascii: "~")] || path == Array("~/".utf8) { return [46] }
        if path.starts(with: Array("~/".utf8)) { return Array(path.dropFirst(2)) }
        guard session.supports("expand-path@openssh.com") else {
            reporter.fail(
                "scp: server expand-path extension is required for ~user paths in SFTP mode"
            )
            return nil
        }
        let id = session.client.extended("expand-path@openssh.com") { $0.append(string: path) }
        let reply = try session.answer(to: id)
        guard case .names(let names) = reply.content, let name = names.first?.name else {
            reporter.fail("scp: expand \(shown(path)): \(reply.ownText)")
            return nil
        }
        return name
    }

    // MARK: Sessions

    private func session(
        _ destination: RemoteDestination,
        purpose: String = ""
    )
        throws(SessionFault) -> RemoteSession?
    {
        let key =
            "\(purpose) \(destination.user ?? "")@\(destination.host):\(destination.port ?? "")"
        if let known = sessions.first(where: { $0.key == key }) { return known.session }
        let program: String
        var words: [String]
        if let server = line.directServer {
            words = server.split(separator: " ").map { String($0) }
            guard !words.isEmpty else { return nil }
            program = words.removeFirst()
        } else {
            program = line.ssh.path
            words = line.sshArguments(for: destination, subsystem: true) + ["sftp"]
            reporter.debug(
                "Executing: program \(program) host \(destination.host), user "
                    + "\(destination.user ?? "(unspecified)"), command sftp"
            )
        }
        let session: RemoteSession
        do throws(SystemError) {
            session = try start(program, words)
        } catch {
            reporter.fail("\(program): \(error.reason)", plain: true)
            reporter.fail("scp: Connection closed")
            return nil
        }
        sessions.append((key, session))
        try session.greet()
        return session
    }

    private func start(
        _ program: String,
        _ words: [String]
    ) throws(SystemError) -> RemoteSession {
        guard line.options.isAtomic else { return try RemoteSession.start(program, words) }
        // To clear away what was begun, ssh must outlive an interrupt.
        Signals.watchUnlessIgnored([1, 2, 15])
        let session = try Signals.whileIgnored(2) { () throws(SystemError) in
            try RemoteSession.start(program, words)
        }
        session.endsOnSignals = true
        return session
    }

    private func attempt(_ body: () throws(SessionFault) -> Int32) -> Int32 {
        do throws(SessionFault) {
            return try body()
        } catch {
            switch error {
            case .closed: reporter.fail("scp: Connection closed")
            case .misspoken(let text): reporter.fail("scp: " + text)
            case .notGreeted(let type):
                reporter.fail("scp: Invalid packet back from SSH2_FXP_INIT (type \(type))")
                reporter.fail("scp: Unable to open sftp connection")
            case .interrupted: break
            }
            for entry in sessions {
                if let signal = entry.session.signal { reporter.endingSignal = signal }
                entry.session.abandon()
            }
            return 255
        }
    }

    private func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }
}
