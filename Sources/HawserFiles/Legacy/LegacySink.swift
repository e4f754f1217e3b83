// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// The sink: the end that gets the files.
extension LegacyCopy {
    private typealias Times = (modification: Int64, access: Int64)

    /// Receives files into a target.
    package func receive(into target: [UInt8]) throws(LegacyEnd) {
        defer { try? channel.flush() }
        if options.targetIsDirectory {
            let (result, status) = FileCalls.status(target, followingLinks: true)
            if status?.isDirectory != true {
                let reason = status == nil ? Int32(-result) : notADirectory
                throw try end("\(shown(target)): \(SystemError.reason(reason))")
            }
        }
        try answers.accept()
        try receiveRecords(target, depth: 0)
    }

    /// Receives the records of one directory; into nil: they are let pass.
    private func receiveRecords(_ target: [UInt8]?, depth: Int) throws(LegacyEnd) {
        let targetIsDirectory =
            target.map { FileCalls.status($0, followingLinks: true).1?.isDirectory == true }
            ?? false
        func place(_ name: [UInt8]) -> [UInt8]? {
            target.map { targetIsDirectory ? RemotePath.join($0, name) : $0 }
        }
        var times: Times?
        var isFirst = depth == 0
        while let (record, isAsking) = try nextRecord(isFirst: isFirst) {
            isFirst = false
            switch record {
            case .warning(let text): tell(PrintableText.of(text))
            case .fatal(let text):
                tell(PrintableText.of(text))
                throw .over("")
            case .endOfDirectory: return try answers.accept()
            case .times(let modification, let access):
                times = (modification, access)
                try answers.accept()
            case .file(let mode, let size, let name):
                try check(name, depth)
                answers.noteEntry(isAsking: isAsking)
                if let path = place(name) {
                    try receiveFile(path, mode, size, times)
                } else {
                    try answers.accept()
                    try passFile(size)
                }
                times = nil
            case .directory(let mode, let name):
                guard options.isRecursive else {
                    throw try end("protocol error: received directory without -r")
                }
                guard depth < DirectoryCopy.maximumDepth else {
                    throw try end("protocol error: directory too deep")
                }
                try check(name, depth)
                answers.noteEntry(isAsking: false)
                if let path = place(name) {
                    try receiveDirectory(path, mode, times, depth)
                } else {
                    try answers.accept()
                    try receiveRecords(nil, depth: depth + 1)
                }
                times = nil
            }
        }
    }

    /// What the source says next; nil at its end.
    private func nextRecord(
        isFirst: Bool
    ) throws(LegacyEnd) -> (CopyRecord, isAsking: Bool)? {
        answers.awaitRecord()
        guard let first = try channel.byte() else { return nil }
        if observer.isInterrupted { throw .over("") }
        guard first != 10 else { throw try end("protocol error: unexpected <newline>") }
        let line = try channel.line(from: first)
        do throws(CopyRecord.Failure) {
            return (try CopyRecord(line), CopyRecord.isAsking(line))
        } catch {
            switch error {
            case .notARecord where isFirst:
                // What a shell or a missing program says.
                failures += 1
                throw .over(PrintableText.of(line))
            case .notARecord: throw try end("protocol error: expected control record")
            case .malformed(let text): throw try end("protocol error: \(text)")
            case .unsafeName(let name):
                throw try end("error: unexpected filename: \(shown(name))")
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
            throw try end("protocol error: filename does not match request")
        }
    }

    /// Ends the copy; a far end tells the other side why.
    private func end(_ text: String) throws(LegacyEnd) -> LegacyEnd {
        failures += 1
        guard options.isRemote else { return .over(text) }
        try channel.send(CopyRecord.warning("scp: \(text)".octets).bytes)
        return .over("")
    }

    // MARK: Files

    private func receiveFile(
        _ path: [UInt8],
        _ mode: UInt32,
        _ size: UInt64,
        _ times: Times?
    ) throws(LegacyEnd) {
        let (opened, isNew) = open(path, mode)
        guard opened >= 0 else {
            let text = "\(shown(path)): \(SystemError.reason(Int32(-opened)))"
            tell(text)
            if try answers.refuse(text) { return }
            return try passFile(size)
        }
        let file = Int32(opened)
        try answers.accept()
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
        if problem == nil { problem = finish(file, isNew: isNew, mode, size) }
        let isGood = try isAccepted()
        if isGood, problem == nil, let times {
            let result = FileCalls.setTimes(
                of: file,
                access: times.access,
                modification: times.modification
            )
            if result < 0 { problem = "set times: \(SystemError.reason(Int32(-result)))" }
        }
        let closed = FileCalls.close(file)
        if closed < 0, problem == nil { problem = SystemError.reason(Int32(-closed)) }
        observer.copyEnds(path, path, bytes: size, hasFailed: problem != nil || !isGood)
        if let problem {
            let text = "\(shown(path)): \(problem)"
            tell(text)
            _ = try answers.refuse(text)
        } else {
            try answers.accept()
        }
    }

    /// Opens a file to be written; whether it was not there before.
    private func open(_ path: [UInt8], _ mode: UInt32) -> (Int, isNew: Bool) {
        let mode = (options.preserves ? mode : mode & 0o777) | 0o200
        let made = FileCalls.open(path, [.writeOnly, .create, .exclusive], mode: mode)
        guard made == -Int(alreadyExists) else { return (made, true) }
        // A link to nowhere is there too, and makes a file.
        return (FileCalls.open(path, [.writeOnly, .create], mode: mode), false)
    }

    /// Length and mode; what went wrong.
    private func finish(
        _ file: Int32,
        isNew: Bool,
        _ mode: UInt32,
        _ size: UInt64
    ) -> String? {
        if !isNew, FileCalls.status(of: file).1?.isRegular == true {
            let result = FileCalls.truncate(file, to: size)
            if result < 0 { return "truncate: \(SystemError.reason(Int32(-result)))" }
        }
        let wanted = options.preserves ? mode : mode & 0o777 & ~mask
        // A file that was there keeps its mode, and a new one has got it already, but for the
        // owner's right to write.
        guard options.preserves || isNew && mode & 0o200 == 0 else { return nil }
        let result = FileCalls.setMode(of: file, wanted)
        return result < 0 ? "set mode: \(SystemError.reason(Int32(-result)))" : nil
    }

    /// Takes a file's contents, and the word that follows them, for nobody.
    private func passFile(_ size: UInt64) throws(LegacyEnd) {
        _ = try channel.receive(size, to: nil) { _ in }
        _ = try isAccepted()
        try answers.accept()
    }

    // MARK: Directories

    private func receiveDirectory(
        _ path: [UInt8],
        _ mode: UInt32,
        _ times: Times?,
        _ depth: Int
    ) throws(LegacyEnd) {
        let setsMode: Bool
        switch make(path, mode) {
        case .failure(let text):
            tell(text)
            if try answers.refuse(text) { return }
            return try receiveRecords(nil, depth: depth + 1)
        case .success(let isNew): setsMode = isNew || options.preserves
        }
        try answers.accept()
        try receiveRecords(path, depth: depth + 1)
        if let times {
            let result = FileCalls.setTimes(
                path,
                access: times.access,
                modification: times.modification,
                followingLinks: true
            )
            if result < 0 {
                tell("\(shown(path)): set times: \(SystemError.reason(Int32(-result)))")
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

    private enum Made {
        case success(isNew: Bool)
        case failure(String)
    }

    /// Makes a directory, or finds it.
    private func make(_ path: [UInt8], _ mode: UInt32) -> Made {
        if let status = FileCalls.status(path, followingLinks: true).1 {
            if status.isDirectory { return .success(isNew: false) }
            return .failure("\(shown(path)): \(SystemError.reason(notADirectory))")
        }
        let wanted = options.preserves ? mode : mode & 0o777
        let result = FileCalls.makeDirectory(path, mode: wanted | 0o700)
        if result == 0 { return .success(isNew: true) }
        return .failure("\(shown(path)): \(SystemError.reason(Int32(-result)))")
    }
}

private let alreadyExists: Int32 = 17  // EEXIST
private let notADirectory: Int32 = 20  // ENOTDIR
