// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool

/// Carries commands out on one session.
struct Interpreter {
    let session: RemoteSession
    let screen: Screen
    /// Of the command line: `-a -f -p -r`, `-B -R -l`, `--atomic`, `--verify`.
    var options = CopyOptions()
    var isRecursive = false
    /// Where relative remote paths begin.
    var directory: [UInt8] = []
    var startDirectory: [UInt8] = []
    var names = AccountNames()
    var wantsToQuit = false
    /// Nobody sits in front of it: an interrupt ends the program.
    var isBatch = false
    /// What one line does to many files ends at the first that fails.
    var stopsAtFailure = false

    init(_ session: RemoteSession, _ screen: Screen) {
        self.session = session
        self.screen = screen
        directory = session.startDirectory
        startDirectory = session.startDirectory
    }

    /// Carries out one line; false when it failed.
    mutating func run(_ line: [UInt8]) throws(SessionFault) -> Bool {
        if line.first == UInt8(ascii: "!") {
            // What goes wrong here ends no batch.
            _ = runShell(Array(line.dropFirst().drop { $0 == 32 || $0 == 9 }))
            return true
        }
        let command: Command
        do throws(Command.Failure) {
            command = try Command(line)
        } catch {
            if case .text(let text) = error { screen.fail(text) }
            return false
        }
        return try run(command)
    }

    private mutating func run(_ command: Command) throws(SessionFault) -> Bool {
        let client = session
        switch command.row.verb {
        case .quit: wantsToQuit = true
        case .help: printOutput(Command.help)
        case .version: screen.say("SFTP protocol version \(client.client.version)")
        case .progress:
            screen.showsProgress.toggle()
            screen.say("Progress meter \(screen.showsProgress ? "enabled" : "disabled")")
        case .printDirectory: screen.say("Remote working directory: \(shown(directory))")
        case .printLocalDirectory:
            screen.say("Local working directory: \(shown(FileCalls.workingDirectory))")
        case .changeDirectory: return try changeDirectory(command)
        case .changeLocalDirectory: return changeLocalDirectory(command)
        case .makeLocalDirectory:
            let path = Words.plain(command.paths[0])
            let result = FileCalls.makeDirectory(path, mode: 0o777)
            if result < 0 {
                screen.fail(
                    "Couldn't create local directory \"\(shown(path))\": "
                        + SystemError.reason(Int32(-result))
                )
                return false
            }
        case .localMask:
            _ = Daemon.setFileMask(command.number)
            let digits = String(command.number, radix: 8)
            screen.say(
                "Local umask: " + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
            )
        case .listLocal:
            _ = runShell(Array("ls ".utf8) + command.text)
        case .makeDirectory:
            let path = absolute(Words.plain(command.paths[0]))
            let attributes = Attributes(permissions: 0o777)
            return try expect(
                client.client.request(.mkdir, path, attributes),
                "remote mkdir \"\(shown(path))\""
            )
        case .removeDirectory:
            let path = absolute(Words.plain(command.paths[0]))
            return try expect(
                client.client.request(.rmdir, path),
                "remote rmdir \"\(shown(path))\""
            )
        case .remove: return try remove(command)
        case .rename, .link, .symbolicLink, .copy: return try runOnTwo(command)
        case .changeMode, .changeOwner, .changeGroup: return try change(command)
        case .list: return try list(command)
        case .usage: return try usage(command)
        case .get, .resumeGet: return try get(command)
        case .put, .resumePut: return try put(command)
        }
        return true
    }

    // MARK: Paths

    func absolute(_ path: [UInt8]) -> [UInt8] { RemotePath.join(directory, path) }

    /// A pattern below the working directory, whose own name is none.
    func absolutePattern(_ pattern: [UInt8]) -> [UInt8] {
        RemotePath.join(GlobPattern.escape(directory), pattern)
    }

    func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }

    /// Waits for a status; a failure is told with `what` before it.
    func expect(_ id: UInt32, _ what: String) throws(SessionFault) -> Bool {
        let (status, text) = try session.status(of: id)
        if status == .ok { return true }
        screen.fail("\(what): \(status.userText(text))")
        return false
    }

    func attributes(of path: [UInt8]) throws(SessionFault) -> Attributes? {
        let reply = try session.answer(to: session.client.request(.stat, path))
        if case .attributes(let attributes) = reply.content { return attributes }
        return nil
    }

    // MARK: Directories

    private mutating func changeDirectory(_ command: Command) throws(SessionFault) -> Bool {
        guard let pattern = command.paths.first else {
            directory = startDirectory
            return true
        }
        var path = Words.plain(pattern)
        if path.first == UInt8(ascii: "~"), session.supports("expand-path@openssh.com") {
            let tilde = path
            let id = session.client.extended("expand-path@openssh.com") { $0.append(string: tilde) }
            let reply = try session.answer(to: id)
            guard case .names(let names) = reply.content, let name = names.first?.name else {
                screen.fail("expand \(shown(tilde)): \(reply.ownText)")
                return false
            }
            path = name
        }
        return try enter(absolute(path))
    }

    /// Makes a path the directory, if it is one.
    mutating func enter(_ path: [UInt8]) throws(SessionFault) -> Bool {
        let real = try session.answer(to: session.client.request(.realpath, path))
        guard case .names(let names) = real.content, let name = names.first?.name else {
            screen.fail("realpath \(shown(path)): \(real.ownText)")
            return false
        }
        let reply = try session.answer(to: session.client.request(.stat, name))
        guard case .attributes(let attributes) = reply.content else {
            screen.fail("stat remote: \(reply.failureText)")
            return false
        }
        guard attributes.permissions != nil else {
            screen.fail("Can't change directory: Can't check target")
            return false
        }
        guard attributes.isDirectory else {
            screen.fail("Can't change directory: \"\(shown(name))\" is not a directory")
            return false
        }
        directory = name
        return true
    }

    private func changeLocalDirectory(_ command: Command) -> Bool {
        let path = Words.plain(tildeExpanded(command.paths.first ?? Array("~".utf8)))
        let result = FileCalls.changeDirectory(path)
        if result == 0 { return true }
        screen.fail(
            "Couldn't change local directory to \"\(shown(path))\": "
                + SystemError.reason(Int32(-result))
        )
        return false
    }

    // MARK: Names

    private func remove(_ command: Command) throws(SessionFault) -> Bool {
        var isGood = true
        for match in try Glob(.remote(session)).matches(absolutePattern(command.paths[0])) {
            screen.note("Removing \(shown(match.path))")
            let id = session.client.request(.remove, match.path)
            isGood = try expect(id, "remote delete \(shown(match.path))") && isGood
            if !isGood, stopsAtFailure { break }
        }
        return isGood
    }

    private func runOnTwo(_ command: Command) throws(SessionFault) -> Bool {
        var first = Words.plain(command.paths[0])
        let second = absolute(Words.plain(command.paths[1]))
        let isSymbolic =
            command.row.verb == .symbolicLink
            || (command.row.verb == .link && command.flags.contains("s"))
        if !isSymbolic { first = absolute(first) }
        switch command.row.verb {
        case .rename:
            let what = "remote rename \"\(shown(first))\" to \"\(shown(second))\""
            guard !command.flags.contains("l"), session.supports("posix-rename@openssh.com") else {
                return try expect(session.client.request(.rename, first, second), what)
            }
            return try expect(extended("posix-rename@openssh.com", first, second), what)
        case .copy: return try copy(first, second)
        default: break
        }
        if isSymbolic {
            return try expect(
                session.client.request(.symlink, first, second),
                "remote symlink file \"\(shown(first))\" to \"\(shown(second))\""
            )
        }
        guard session.supports("hardlink@openssh.com") else {
            screen.fail("Server does not support hardlink@openssh.com extension")
            return false
        }
        return try expect(
            extended("hardlink@openssh.com", first, second),
            "remote link \"\(shown(first))\" to \"\(shown(second))\""
        )
    }

    private func extended(_ name: String, _ first: [UInt8], _ second: [UInt8]) -> UInt32 {
        session.client.extended(name) {
            $0.append(string: first)
            $0.append(string: second)
        }
    }

    /// Copies a file on the server.
    private func copy(_ from: [UInt8], _ to: [UInt8]) throws(SessionFault) -> Bool {
        guard session.supports("copy-data") else {
            screen.fail("Server does not support copy-data extension")
            return false
        }
        let status = try session.answer(to: session.client.request(.stat, from))
        guard case .attributes(let attributes) = status.content else {
            screen.fail("stat remote: \(status.failureText)")
            return false
        }
        guard attributes.isRegular else {
            screen.fail("Cannot copy non-regular file: \(shown(from))")
            return false
        }
        let opened = try session.answer(to: session.client.open(from, .read, Attributes()))
        guard case .handle(let source) = opened.content else {
            screen.fail("Couldn't open remote \"\(shown(from))\": \(opened.failureText)")
            return false
        }
        let made = try session.answer(
            to: session.client.open(
                to,
                [.write, .create, .truncate],
                Attributes(permissions: attributes.permissions.map { $0 & 0o777 })
            )
        )
        guard case .handle(let target) = made.content else {
            screen.fail("remote open(\"\(shown(to))\"): \(made.failureText)")
            _ = try session.status(of: session.client.request(.close, source))
            return false
        }
        let id = session.client.extended("copy-data") {
            $0.append(string: source)
            $0.append(uint64: 0)
            $0.append(uint64: 0)
            $0.append(string: target)
            $0.append(uint64: 0)
        }
        let isGood = try expect(
            id,
            "Couldn't copy file \"\(shown(from))\" to \"\(shown(to))\""
        )
        _ = try session.status(of: session.client.request(.close, source))
        _ = try session.status(of: session.client.request(.close, target))
        return isGood
    }

    // MARK: Attributes

    private func change(_ command: Command) throws(SessionFault) -> Bool {
        let ofLink = command.flags.contains("h")
        if ofLink, !session.supports("lsetstat@openssh.com") {
            screen.fail("Server does not support lsetstat@openssh.com extension")
            return false
        }
        var isGood = true
        for match in try Glob(.remote(session)).matches(absolutePattern(command.paths[0])) {
            if !isGood, stopsAtFailure { break }
            let path = match.path
            var change = Attributes()
            let word: String
            if command.row.verb == .changeMode {
                word = "mode"
                change.permissions = command.number
            } else {
                word = command.row.verb == .changeOwner ? "owner" : "group"
                let type: PacketType = ofLink ? .lstat : .stat
                let reply = try session.answer(to: session.client.request(type, path))
                guard case .attributes(let attributes) = reply.content else {
                    screen.fail("stat remote: \(reply.failureText)")
                    isGood = false
                    continue
                }
                guard var owner = attributes.owner else {
                    screen.fail("Can't get current ownership of remote file \"\(shown(path))\"")
                    isGood = false
                    continue
                }
                if word == "owner" {
                    owner.uid = command.number
                } else {
                    owner.gid = command.number
                }
                change.owner = owner
            }
            screen.note("Changing \(word) on \(shown(path))")
            let wanted = change
            let id =
                ofLink
                ? session.client.extended("lsetstat@openssh.com") {
                    $0.append(string: path)
                    wanted.write(to: &$0)
                } : session.client.request(.setstat, path, wanted)
            let what = ofLink ? "remote lsetstat" : "remote setstat"
            isGood = try expect(id, "\(what) \"\(shown(path))\"") && isGood
        }
        return isGood
    }

    // MARK: The shell

    private func runShell(_ command: [UInt8]) -> Bool {
        var shell = Environment.value("SHELL") ?? ""
        if shell.isEmpty { shell = "/bin/sh" }
        var spawn = Spawn(shell, command.isEmpty ? [shell] : [shell, "-c", ""])
        if !command.isEmpty { spawn.lastArgument = command }
        spawn.descriptors = [(0, 0), (1, 1), (2, 2)]
        do throws(SystemError) {
            let child = try spawn.start()
            defer { _ = screen.takeInterrupt() }
            switch Child.wait(child) {
            case .exited(0), nil: return true
            case .exited(let status)?: screen.fail("Shell exited with status \(status)")
            case .signaled?: screen.fail("Shell exited abnormally")
            }
        } catch {
            screen.fail("\(error)")
        }
        return false
    }
}
