// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Copies by the old protocol (`-O`), and its far end (`-t`, `-f`).
extension Program {
    private var legacyOptions: LegacyCopy.Options {
        var options = LegacyCopy.Options()
        options.isRecursive = line.isRecursive
        options.preserves = line.options.preserves
        options.kilobitsPerSecond = line.options.kilobitsPerSecond
        return options
    }

    /// `scp -t` and `scp -f`, which the other side's ssh starts.
    func runFarEnd() -> Int32 {
        var options = legacyOptions
        options.isRemote = true
        options.targetIsDirectory = line.targetIsDirectory
        let copy = LegacyCopy(reader: 0, writer: 1, options, observer: reporter)
        do throws(LegacyEnd) {
            if line.role == .source {
                try copy.send(line.operands)
            } else {
                guard line.operands.count == 1, let target = line.operands.first else {
                    printOutput("\u{1}scp: ambiguous target\n")
                    return 1
                }
                try copy.receive(into: target)
            }
        } catch {
            return 1
        }
        return copy.failures == 0 ? 0 : 1
    }

    /// All go by one connection.
    func sendLegacy(_ from: [[UInt8]], _ to: RemoteDestination, isMany: Bool) -> Int32 {
        guard isGoodUser(to) else { return 1 }
        let command =
            line.remoteCommand("-t", isMany: isMany).octets + [32]
            + protected(path(of: to))
        return run(to, command, legacyOptions) { (copy) throws(LegacyEnd) in
            try copy.send(from)
        }
    }

    func fetchLegacy(_ from: RemoteDestination, _ to: [UInt8], isMany: Bool) -> Int32 {
        guard isGoodUser(from) else { return 1 }
        let wanted = path(of: from)
        let command =
            line.remoteCommand("-f", isMany: isMany).octets + [32] + protected(wanted)
        var options = legacyOptions
        options.targetIsDirectory = isMany
        if line.checksNames, !line.isRecursive {
            // What the far shell makes of the path, as far as its last part tells.
            guard let alternatives = BraceExpansion.expand(wanted) else {
                reporter.fail("scp: too many alternatives in \(PrintableText.of(wanted))")
                return 1
            }
            options.expectedNames = alternatives.map { RemotePath.name(of: $0) }
            options.expected = options.expectedNames.map { GlobPattern($0) }
        }
        return run(from, command, options) { (copy) throws(LegacyEnd) in
            try copy.receive(into: to)
        }
    }

    private func run(
        _ destination: RemoteDestination,
        _ command: [UInt8],
        _ options: LegacyCopy.Options,
        _ body: (LegacyCopy) throws(LegacyEnd) -> Void
    ) -> Int32 {
        var words = line.sshArguments(for: destination, subsystem: false)
        words.append("")
        reporter.debug(
            "Executing: program \(line.ssh.path) host \(destination.host), user "
                + "\(destination.user ?? "(unspecified)"), command \(PrintableText.of(command))"
        )
        let pipes: ProgramPipes
        do throws(SystemError) {
            pipes = try ProgramPipes.start(line.ssh.path, words, lastArgument: command)
        } catch {
            reporter.fail("\(line.ssh.path): \(error.reason)", plain: true)
            return 255
        }
        let copy = LegacyCopy(
            reader: pipes.reader,
            writer: pipes.writer,
            options,
            observer: reporter
        )
        var hasFailed = false
        var isOpen = true
        reporter.isVerbatim = true
        do throws(LegacyEnd) {
            try body(copy)
            Descriptor.close(pipes.writer)
            isOpen = false
            try copy.awaitEnd()
        } catch {
            hasFailed = true
            switch error {
            case .lostConnection: reporter.fail("lost connection")
            case .over(let text): reporter.fail(text)
            }
        }
        if isOpen { Descriptor.close(pipes.writer) }
        Descriptor.close(pipes.reader)
        let end = Child.wait(pipes.program)
        return hasFailed || copy.failures > 0 || end != .exited(0) ? 1 : 0
    }

    /// `-3 -O`: the two far ends talk to each other through pipes of ours.
    func relayLegacy(_ from: RemoteDestination, _ to: RemoteDestination, isMany: Bool) -> Int32 {
        guard isGoodUser(from), isGoodUser(to) else { return 1 }
        do throws(SystemError) {
            let forth = try Descriptor.pipe()
            let back = try Descriptor.pipe()
            FileCalls.setPipeBytes(forth.write, 1 << 20)
            let source = try spawn(
                from,
                line.remoteCommand("-f", isMany: isMany).octets + [32]
                    + protected(path(of: from)),
                [],
                input: back.read,
                output: forth.write
            )
            let sink = try spawn(
                to,
                line.remoteCommand("-t", isMany: isMany).octets + [32]
                    + protected(path(of: to)),
                ["-oBatchMode=yes"],
                input: forth.read,
                output: back.write
            )
            for end in [forth.read, forth.write, back.read, back.write] { Descriptor.close(end) }
            let first = Child.wait(source)
            let second = Child.wait(sink)
            return first == .exited(0) && second == .exited(0) ? 0 : 1
        } catch {
            reporter.fail("scp: \(error)")
            return 1
        }
    }

    private func spawn(
        _ destination: RemoteDestination,
        _ command: [UInt8],
        _ extra: [String],
        input: Int32,
        output: Int32
    ) throws(SystemError) -> Int32 {
        var words = line.sshArguments(for: destination, subsystem: false)
        words.insert(contentsOf: extra, at: max(0, words.count - 2))
        var spawn = Spawn(line.ssh.path, [line.ssh.path] + words + [""])
        spawn.lastArgument = command
        spawn.searchesPath = true
        spawn.descriptors = [(child: 0, ours: input), (child: 1, ours: output), (2, 2)]
        return try spawn.start()
    }

    private func path(of destination: RemoteDestination) -> [UInt8] {
        guard let path = destination.path, !path.isEmpty else { return [46] }
        return path
    }

    /// A path that starts with a dash is no option.
    private func protected(_ path: [UInt8]) -> [UInt8] {
        path.first == UInt8(ascii: "-") ? Array("-- ".utf8) + path : path
    }

    /// A user's name goes to ssh as it is; one that a shell could misread is refused.
    private func isGoodUser(_ destination: RemoteDestination) -> Bool {
        guard let user = destination.user else { return true }
        let bad = user.utf8.contains { byte in
            byte < 0x21 || byte == 0x7f || "'\"`;&<>|$()\\*?[]{}~".utf8.contains(byte)
        }
        if bad { reporter.fail("scp: \(PrintableText.of(user.octets)): invalid user name") }
        return !bad
    }
}
