// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Where a file of the command line is.
enum Location {
    case local([UInt8])
    case remote(RemoteDestination)

    init(_ word: [UInt8]) {
        if let uri = RemoteDestination.uri(word, scheme: "scp") {
            self = .remote(uri)
        } else if let found = RemoteDestination.hostAndPath(word) {
            self = .remote(found)
        } else {
            self = .local(word)
        }
    }
}

/// A whole run of scp.
struct Program {
    let line: SCPCommandLine
    let reporter: Reporter

    init(_ line: SCPCommandLine) {
        self.line = line
        reporter = Reporter(line)
    }

    func run() -> Int32 {
        switch line.role {
        case .source, .sink: return runFarEnd()
        case .user: break
        }
        var sources = line.operands.map(Location.init)
        guard let target = sources.popLast() else { return 1 }
        for (place, word) in zip(sources + [target], line.operands) {
            if case .remote(let destination) = place, destination.host.isEmpty {
                reporter.fail("\(PrintableText.of(word)): invalid uri", plain: true)
                return 1
            }
        }
        let copies = SFTPCopies(line, reporter)
        defer {
            copies.end()
            if let signal = reporter.endingSignal { Signals.raise(signal) }
        }
        var status: Int32 = 0
        if sources.count > 1 || line.targetIsDirectory, case .local(let path) = target,
            let refusal = directoryRefusal(path)
        {
            reporter.fail("\(PrintableText.of(path)): \(refusal)", plain: true)
            return 1
        }
        let isMany = sources.count > 1
        for step in steps(sources, target) {
            let result = copy(step, target, copies, isMany: isMany)
            // What went wrong once stays wrong; a lost connection weighs most.
            if result != 0 { status = max(status, result) }
            if result == 255 || reporter.endingSignal != nil { break }
        }
        return status
    }

    /// What is copied at once: a source, or files from here that the old protocol sends together.
    private enum Step {
        case one(Location)
        case sent([[UInt8]], RemoteDestination)
    }

    private func steps(_ sources: [Location], _ target: Location) -> [Step] {
        var steps: [Step] = []
        for source in sources {
            guard line.usesLegacy, case .local(let path) = source, case .remote(let to) = target
            else {
                steps.append(.one(source))
                continue
            }
            if case .sent(let paths, _)? = steps.last {
                steps[steps.count - 1] = .sent(paths + [path], to)
            } else {
                steps.append(.sent([path], to))
            }
        }
        return steps
    }

    private func copy(
        _ step: Step,
        _ target: Location,
        _ copies: SFTPCopies,
        isMany: Bool
    ) -> Int32 {
        switch step {
        case .one(let source): copy(source, target, copies, isMany: isMany)
        case .sent(let paths, let to): sendLegacy(paths, to, isMany: isMany)
        }
    }

    private func copy(
        _ source: Location,
        _ target: Location,
        _ copies: SFTPCopies,
        isMany: Bool
    ) -> Int32 {
        switch (source, target) {
        case (.local(let from), .local(let to)): return copyHere(from, to)
        case (.remote(let from), .remote(let to)):
            if line.isDirectBetweenHosts { return copyBetweenHosts(from, to, isMany: isMany) }
            return line.usesLegacy
                ? relayLegacy(from, to, isMany: isMany)
                : copies.copy(from, to, isMany: isMany)
        case (.local(let from), .remote(let to)):
            return copies.send(from, to, isMany: isMany)
        case (.remote(let from), .local(let to)):
            return line.usesLegacy
                ? fetchLegacy(from, to, isMany: isMany)
                : copies.fetch(from, to)
        }
    }

    private func directoryRefusal(_ path: [UInt8]) -> String? {
        let (result, status) = FileCalls.status(path, followingLinks: true)
        guard let status else { return SystemError.reason(Int32(-result)) }
        return status.isDirectory ? nil : SystemError.reason(20)
    }

    // MARK: Here

    /// Both are here: cp(1) does it, as in every scp.
    private func copyHere(_ from: [UInt8], _ to: [UInt8]) -> Int32 {
        var words: [[UInt8]] = [Array("cp".utf8)]
        if line.isRecursive { words.append(Array("-r".utf8)) }
        if line.options.preserves { words.append(Array("-p".utf8)) }
        words += [Array("--".utf8), from, to]
        var spawn = Spawn("cp", [])
        spawn.rawArguments = words
        spawn.searchesPath = true
        spawn.descriptors = [(0, 0), (1, 1), (2, 2)]
        do throws(SystemError) {
            let child = try spawn.start()
            return Child.wait(child) == .exited(0) ? 0 : 1
        } catch {
            reporter.fail("scp: \(error)")
            return 1
        }
    }

    // MARK: Between hosts

    /// Runs scp on the first host.
    private func copyBetweenHosts(
        _ from: RemoteDestination,
        _ to: RemoteDestination,
        isMany: Bool
    ) -> Int32 {
        guard to.port == nil || to.port == "22" else {
            reporter.fail("scp: target port not supported with two remote hosts and the -R option")
            return 1
        }
        var words = line.directArguments
        if let port = from.port { words += ["-p", port] }
        if let user = from.user { words += ["-l", user] }
        let path = from.path.flatMap { $0.isEmpty ? nil : $0 } ?? [46]
        let targetPath = to.path.flatMap { $0.isEmpty ? nil : $0 } ?? [46]
        let name = to.text + ":" + String(octets: targetPath)
        words += [
            "--", from.host, line.remoteCommand("", isMany: isMany),
            String(octets: path), name,
        ]
        let shown = words.map { "'" + PrintableText.of($0.octets) + "'" }
        reporter.debug("Executing: \(line.ssh.path) \(shown.joined(separator: " "))")
        var spawn = Spawn(line.ssh.path, [line.ssh.path] + words)
        spawn.searchesPath = true
        spawn.descriptors = [(0, 0), (1, 1), (2, 2)]
        do throws(SystemError) {
            return Child.wait(try spawn.start()) == .exited(0) ? 0 : 1
        } catch {
            reporter.fail("scp: \(error)")
            return 1
        }
    }
}
