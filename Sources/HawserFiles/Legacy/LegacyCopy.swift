// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
internal import HawserSystem

/// The old copy protocol, both ends. Each end may be the one with the user or the far one.
package final class LegacyCopy {
    package struct Options: Sendable {
        package var isRecursive = false
        package var preserves = false
        /// The target has to be a directory (`-d`).
        package var targetIsDirectory = false
        /// The far end: failures go to the other side, which shows them.
        package var isRemote = false
        package var kilobitsPerSecond: UInt64 = 0
        /// What the names from the other side have to fit; empty: anything goes.
        package var expected: [GlobPattern] = []
        /// Names that are good as they are.
        package var expectedNames: [[UInt8]] = []
        package init() {}
    }

    private let options: Options
    private let channel: LegacyChannel
    private let observer: any CopyObserver
    private let mask: UInt32
    /// How often something went wrong.
    package private(set) var failures = 0

    package init(
        reader: Int32,
        writer: Int32,
        _ options: Options,
        observer: any CopyObserver
    ) {
        self.options = options
        self.observer = observer
        channel = LegacyChannel(
            reader: reader,
            writer: writer,
            kilobitsPerSecond: options.kilobitsPerSecond
        )
        mask = Daemon.setFileMask(0)
        if !options.preserves { _ = Daemon.setFileMask(mask) }
    }

    private func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }

    /// Tells a failure: to the user, or to the other side.
    private func fail(_ text: String) throws(LegacyEnd) {
        failures += 1
        if options.isRemote {
            try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
        } else {
            observer.copyFails(text)
        }
    }

    /// Waits for the answer to a record; false when the other side could not do it.
    private func isAccepted() throws(LegacyEnd) -> Bool {
        guard let answer = try channel.byte() else { throw .lostConnection }
        if answer == 0 { return true }
        var text = try channel.restOfLine()
        if answer != 1, answer != 2 { text.insert(answer, at: 0) }
        if !options.isRemote { observer.copyFails(PrintableText.of(text)) }
        failures += 1
        if answer == 1 { return false }
        throw .over("")
    }

    // MARK: Source

    /// Sends files, once the other side is ready.
    package func send(_ paths: [[UInt8]]) throws(LegacyEnd) {
        guard try isAccepted() else { return }
        for path in paths where !observer.isInterrupted { try send(path, depth: 0) }
    }

    private func send(_ path: [UInt8], depth: Int) throws(LegacyEnd) {
        guard depth < DirectoryCopy.maximumDepth else { return try fail("Directory too deep") }
        let opened = FileCalls.open(path, [.readOnly, .nonblocking])
        guard opened >= 0 else {
            return try fail("\(shown(path)): \(SystemError.reason(Int32(-opened)))")
        }
        let file = Int32(opened)
        defer { _ = FileCalls.close(file) }
        guard let status = FileCalls.status(of: file).1 else {
            return try fail("\(shown(path)): \(SystemError("stat").reason)")
        }
        if status.isDirectory, options.isRecursive {
            return try sendDirectory(path, status, depth: depth)
        }
        guard status.isRegular else { return try fail("\(shown(path)): not a regular file") }
        if options.preserves {
            let times = CopyRecord.times(
                modification: status.modificationTime,
                access: status.accessTime
            )
            try channel.send(times.bytes)
            guard try isAccepted() else { return }
        }
        let name = RemotePath.name(of: path)
        let mode = status.mode & 0o7777
        try channel.send(CopyRecord.file(mode: mode, size: status.bytes, name: name).bytes)
        guard try isAccepted() else { return }
        observer.copyStarts(path, name)
        observer.copyBegins(path, name, bytes: status.bytes, from: 0)
        let failure = try channel.send(status.bytes, of: file) {
            observer.copyAdvances(path, bytes: $0)
        }
        if failure == 0 {
            try channel.send([0])
        } else {
            // The other side has to be told in any case.
            let text = "\(shown(path)): \(SystemError.reason(Int32(-failure)))"
            try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
            failures += 1
            if !options.isRemote { observer.copyFails(text) }
        }
        let isGood = try isAccepted()
        observer.copyEnds(
            path,
            name,
            bytes: status.bytes,
            hasFailed: failure != 0 || !isGood
        )
    }

    private func sendDirectory(_ path: [UInt8], _ status: FileStatus, depth: Int) throws(LegacyEnd)
    {
        let (result, stream) = DirectoryStream.open(path)
        guard let stream else {
            return try fail("\(shown(path)): \(SystemError.reason(Int32(-result)))")
        }
        if options.preserves {
            let times = CopyRecord.times(
                modification: status.modificationTime,
                access: status.accessTime
            )
            try channel.send(times.bytes)
            guard try isAccepted() else { return }
        }
        let name = RemotePath.name(of: path)
        try channel.send(
            CopyRecord.directory(mode: status.mode & 0o7777, name: wireName(name)).bytes
        )
        guard try isAccepted() else { return }
        while let entry = stream.next(), !observer.isInterrupted {
            if entry == [46] || entry == [46, 46] { continue }
            try send(RemotePath.join(path, entry), depth: depth + 1)
        }
        try channel.send(CopyRecord.endOfDirectory.bytes)
        _ = try isAccepted()
    }

    /// `.` and `/` have no name of their own.
    private func wireName(_ name: [UInt8]) -> [UInt8] { name }

    // MARK: Sink

    /// Receives files into a target.
    package func receive(into target: [UInt8]) throws(LegacyEnd) {
        if options.targetIsDirectory,
            FileCalls.status(target, followingLinks: true).1?.isDirectory != true
        {
            let reason = FileCalls.status(target, followingLinks: true).1 == nil ? 2 : 20
            failures += 1
            let text = "\(shown(target)): \(SystemError.reason(Int32(reason)))"
            if options.isRemote {
                try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
            }
            throw .over(options.isRemote ? "" : text)
        }
        try receive(into: target, depth: 0)
    }

    private func receive(into target: [UInt8], depth: Int) throws(LegacyEnd) {
        try channel.send([0])
        let targetIsDirectory =
            FileCalls.status(target, followingLinks: true).1?.isDirectory == true
        var times: (modification: Int64, access: Int64)?
        var isFirst = depth == 0
        while let first = try channel.byte() {
            if observer.isInterrupted { throw .over("") }
            if first == 10 { throw try screwUp("unexpected <newline>") }
            let line = try [first] + channel.restOfLine()
            let record: CopyRecord
            do throws(CopyRecord.Failure) {
                record = try CopyRecord(line)
            } catch {
                throw try brokenRecord(error, line, isFirst: isFirst)
            }
            isFirst = false
            switch record {
            case .warning(let text), .fatal(let text):
                failures += 1
                if !options.isRemote { observer.copyFails(PrintableText.of(text)) }
                if case .fatal = record { throw .over("") }
            case .endOfDirectory:
                try channel.send([0])
                return
            case .times(let modification, let access):
                times = (modification, access)
                try channel.send([0])
            case .file(let mode, let size, let name):
                try check(name, depth)
                let path = targetIsDirectory ? RemotePath.join(target, name) : target
                try receiveFile(path, mode, size, times)
                times = nil
            case .directory(let mode, let name):
                guard options.isRecursive else {
                    throw try screwUp("received directory without -r")
                }
                guard depth < DirectoryCopy.maximumDepth else {
                    throw try screwUp("directory too deep")
                }
                try check(name, depth)
                let path = targetIsDirectory ? RemotePath.join(target, name) : target
                try receiveDirectory(path, mode, times, depth)
                times = nil
            }
        }
    }

    /// Whether a name is one that was asked for.
    private func check(_ name: [UInt8], _ depth: Int) throws(LegacyEnd) {
        guard depth == 0, !options.expected.isEmpty else { return }
        guard
            options.expectedNames.contains(name)
                || options.expected.contains(where: { $0.matches(name) })
        else {
            throw try screwUp("filename does not match request")
        }
    }

    private func brokenRecord(
        _ failure: CopyRecord.Failure,
        _ line: [UInt8],
        isFirst: Bool
    )
        throws(LegacyEnd) -> LegacyEnd
    {
        switch failure {
        case .notARecord where isFirst:
            // What a shell or a missing program says.
            failures += 1
            return .over(PrintableText.of(line))
        case .notARecord: return try screwUp("expected control record")
        case .malformed(let text): return try screwUp(text)
        case .unsafeName(let name):
            failures += 1
            let text = "error: unexpected filename: \(shown(name))"
            if options.isRemote {
                try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
                return .over("")
            }
            return .over(text)
        }
    }

    private func screwUp(_ text: String) throws(LegacyEnd) -> LegacyEnd {
        failures += 1
        let text = "protocol error: \(text)"
        if options.isRemote {
            try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
            return .over("")
        }
        return .over(text)
    }

    private func receiveFile(
        _ path: [UInt8],
        _ mode: UInt32,
        _ size: UInt64,
        _ times: (modification: Int64, access: Int64)?
    ) throws(LegacyEnd) {
        let before = FileCalls.status(path, followingLinks: true).1
        let opened = FileCalls.open(
            path,
            [.writeOnly, .create],
            mode: options.preserves ? mode | 0o200 : (mode & 0o777) | 0o200
        )
        guard opened >= 0 else {
            return try fail("\(shown(path)): \(SystemError.reason(Int32(-opened)))")
        }
        let file = Int32(opened)
        try channel.send([0])
        observer.copyStarts(path, path)
        observer.copyBegins(path, path, bytes: size, from: 0)
        var problem: String?
        do throws(LegacyEnd) {
            let failure = try channel.receive(size, to: file) {
                observer.copyAdvances(path, bytes: $0)
            }
            if failure != 0 { problem = SystemError.reason(Int32(-failure)) }
        } catch {
            _ = FileCalls.close(file)
            throw error
        }
        if problem == nil, before?.isRegular ?? true {
            let result = FileCalls.truncate(file, to: size)
            if result < 0 { problem = "truncate: \(SystemError.reason(Int32(-result)))" }
        }
        if problem == nil {
            let wanted = options.preserves ? mode : mode & 0o777 & ~mask
            if options.preserves || before == nil {
                let result = FileCalls.setMode(of: file, wanted)
                if result < 0 { problem = "set mode: \(SystemError.reason(Int32(-result)))" }
            }
        }
        let closed = FileCalls.close(file)
        if closed < 0, problem == nil { problem = SystemError.reason(Int32(-closed)) }
        let isGood = try isAccepted()
        if isGood, problem == nil, let times {
            let result = FileCalls.setTimes(
                path,
                access: times.access,
                modification: times.modification,
                followingLinks: true
            )
            if result < 0 { problem = "set times: \(SystemError.reason(Int32(-result)))" }
        }
        observer.copyEnds(path, path, bytes: size, hasFailed: problem != nil || !isGood)
        if let problem {
            failures += 1
            let text = "\(shown(path)): \(problem)"
            // The other side waits for an answer; a failure is one.
            try channel.send(CopyRecord.warning(Array("scp: \(text)".utf8)).bytes)
            if !options.isRemote { observer.copyFails(text) }
        } else {
            try channel.send([0])
        }
    }

    private func receiveDirectory(
        _ path: [UInt8],
        _ mode: UInt32,
        _ times: (modification: Int64, access: Int64)?,
        _ depth: Int
    ) throws(LegacyEnd) {
        var setsMode = false
        if let status = FileCalls.status(path, followingLinks: true).1 {
            guard status.isDirectory else {
                return try fail("\(shown(path)): \(SystemError.reason(20))")
            }
            setsMode = options.preserves
        } else {
            let wanted = options.preserves ? mode : mode & 0o777
            let result = FileCalls.makeDirectory(path, mode: wanted | 0o700)
            guard result == 0 else {
                return try fail("\(shown(path)): \(SystemError.reason(Int32(-result)))")
            }
            setsMode = true
        }
        try receive(into: path, depth: depth + 1)
        if let times {
            let result = FileCalls.setTimes(
                path,
                access: times.access,
                modification: times.modification,
                followingLinks: true
            )
            if result < 0 {
                try fail("\(shown(path)): set times: \(SystemError.reason(Int32(-result)))")
            }
        }
        if setsMode {
            _ = FileCalls.setMode(
                path,
                options.preserves ? mode : mode & 0o777 & ~mask,
                followingLinks: true
            )
        }
    }
}
