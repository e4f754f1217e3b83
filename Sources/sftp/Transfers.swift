// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// `get`, `put` and their like.
extension Interpreter {
    private func copyOptions(_ command: Command) -> CopyOptions {
        var options = options
        if command.flags.contains("a") { options.resumes = true }
        if command.row.verb == .resumeGet || command.row.verb == .resumePut {
            options.resumes = true
        }
        if command.flags.contains("f") { options.synchronizes = true }
        if command.flags.contains("p") || command.flags.contains("P") { options.preserves = true }
        return options
    }

    private func isTree(_ command: Command) -> Bool {
        isRecursive || command.flags.contains("r") || command.flags.contains("R")
    }

    // MARK: From the server

    func get(_ command: Command) throws(SessionFault) -> Bool {
        let target = command.paths.count > 1 ? Words.plain(command.paths[1]) : nil
        return try fetch(
            absolutePattern(command.paths[0]),
            to: target,
            copyOptions(command),
            isTree: isTree(command)
        )
    }

    /// Fetches what an absolute pattern means.
    func fetch(
        _ pattern: [UInt8],
        to target: [UInt8]?,
        _ options: CopyOptions,
        isTree: Bool
    )
        throws(SessionFault) -> Bool
    {
        let matches = try Glob(.remote(session)).matches(pattern)
        guard matches.first?.attributes != nil else {
            screen.fail("File \"\(shown(matches.first?.path ?? pattern))\" not found.")
            return false
        }
        let targetIsDirectory =
            target.map { FileCalls.status($0, followingLinks: true).1?.isDirectory == true }
            ?? false
        if matches.count > 1, let target, !targetIsDirectory {
            screen.fail(
                "Multiple source paths, but destination \"\(shown(target))\" is not a directory"
            )
            return false
        }
        screen.isUpload = false
        let engine = CopyEngine(from: .remote(session), to: .local, options, observer: screen)
        var isGood = true
        for match in matches {
            guard var attributes = match.attributes else { continue }
            if attributes.isLink {
                guard let followed = try self.attributes(of: match.path) else {
                    screen.fail("stat remote: \(SystemError.reason(2))")
                    isGood = false
                    continue
                }
                attributes = followed
            }
            let name = RemotePath.name(of: match.path)
            var place = target ?? name
            if let target, targetIsDirectory { place = RemotePath.join(target, name) }
            if name == [46, 46] || name == [46] || name == [RemotePath.slash] {
                place = target ?? [46]
            }
            let mark = attributes.isDirectory && match.path.last != RemotePath.slash ? "/" : ""
            let word = options.resumes ? "Resuming" : "Fetching"
            let words = "\(word) \(shown(match.path))\(mark) to "
            if attributes.isDirectory, isTree {
                let tree = RemotePath.withoutSlash(match.path)
                screen.announcements[tree] = (words, place)
                engine.add(tree: tree, to: place, attributes)
            } else if attributes.isRegular || attributes.permissions == nil {
                screen.announcements[match.path] = (words, place)
                engine.add(file: match.path, to: place, attributes)
            } else {
                screen.note(words + shown(place))
                screen.fail("download \(shown(match.path))\(mark): not a regular file")
                isGood = false
            }
        }
        isGood = try finish(engine) && isGood
        return isGood
    }

    // MARK: To the server

    func put(_ command: Command) throws(SessionFault) -> Bool {
        let options = copyOptions(command)
        let isTree = isTree(command)
        let matches = try Glob(.local).matches(tildeExpanded(command.paths[0]))
        guard matches.first?.attributes != nil else {
            let path = matches.first?.path ?? command.paths[0]
            let (result, _) = FileCalls.status(path, followingLinks: false)
            let reason = SystemError.reason(result < 0 ? Int32(-result) : 2)
            screen.fail("stat \(shown(path)): \(reason)")
            return false
        }
        let target = command.paths.count > 1 ? absolute(Words.plain(command.paths[1])) : nil
        var targetIsDirectory = false
        let isGuess = target.map { mayGuess(matches, $0, options) } ?? false
        if let target, !isGuess {
            targetIsDirectory = try attributes(of: target)?.isDirectory == true
        }
        if matches.count > 1, let target, !targetIsDirectory {
            screen.fail(
                "Multiple paths match, but destination \"\(shown(target))\" is not a directory"
            )
            return false
        }
        screen.isUpload = true
        let engine = CopyEngine(from: .local, to: .remote(session), options, observer: screen)
        var isGood = true
        for match in matches {
            guard let status = FileCalls.status(match.path, followingLinks: true).1 else {
                screen.fail("stat \(shown(match.path)): \(SystemError("stat").reason)")
                isGood = false
                continue
            }
            let name = RemotePath.name(of: match.path)
            var place = target ?? absolute(name)
            if let target, targetIsDirectory { place = RemotePath.join(target, name) }
            if name == [46, 46] || name == [46] || name == [RemotePath.slash] {
                place = target ?? directory
            }
            let mark = status.isDirectory && match.path.last != RemotePath.slash ? "/" : ""
            let word = options.resumes ? "Resuming upload of" : "Uploading"
            let words = "\(word) \(shown(match.path))\(mark) to "
            if status.isDirectory, isTree {
                screen.announcements[match.path] = (words, place)
                engine.add(tree: match.path, to: place, Attributes(status))
            } else if status.isRegular {
                screen.announcements[match.path] = (words, place)
                engine.add(file: match.path, to: place, Attributes(status), isGuess: isGuess)
            } else {
                screen.note(words + shown(place))
                screen.fail("local \"\(shown(match.path))\(mark)\" is not a regular file")
                isGood = false
            }
        }
        isGood = try finish(engine) && isGood
        return isGood
    }

    /// Whether the engine itself finds out if the target is a directory.
    private func mayGuess(
        _ matches: [Glob.Match],
        _ target: [UInt8],
        _ options: CopyOptions
    ) -> Bool {
        guard matches.count == 1, let match = matches.first else { return false }
        return FileCalls.status(match.path, followingLinks: true).1?.isRegular == true
            && CopyEngine.mayGuess(target, session, options)
    }

    private func finish(_ engine: CopyEngine) throws(SessionFault) -> Bool {
        defer { screen.announcements = [:] }
        // What has been begun under another name is cleared away before the end.
        if options.isAtomic { screen.deferSignals(isBatch ? [1, 2, 15] : [1, 15]) }
        defer { if options.isAtomic { screen.endDeferring() } }
        let isGood = try engine.run()
        if engine.wasInterrupted { screen.fail("Interrupt") }
        return isGood
    }

    func tildeExpanded(_ pattern: [UInt8]) -> [UInt8] {
        guard pattern.first == UInt8(ascii: "~") else { return pattern }
        let end = pattern.firstIndex(of: RemotePath.slash) ?? pattern.count
        let name = String(octets: pattern[1..<end])
        guard let home = name.isEmpty ? User.homeDirectory : User.named(name)?.home else {
            return pattern
        }
        return GlobPattern.escape(home.octets) + pattern[end...]
    }
}
