// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem

/// The source: the end that has the files.
extension LegacyCopy {
    /// Sends files, once the other side is ready.
    package func send(_ paths: [[UInt8]]) throws(LegacyEnd) {
        guard try isAccepted() else { return }
        for path in paths where !observer.isInterrupted {
            let end = path.lastIndex { $0 != RemotePath.slash } ?? 0
            try send(Array(path.prefix(end + 1)), depth: 0)
        }
        try channel.flush()
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
        guard try sendsTimes(status) else { return }
        let name = RemotePath.name(of: path)
        let mode = status.mode & 0o7777
        announcedFiles += 1
        // From the second file on the far sink may answer early; the ends of a copy between two
        // hosts go step by step.
        let record =
            announcedFiles == 2 && !options.isRemote
            ? CopyRecord.asking(mode: mode, size: status.bytes, name: name)
            : CopyRecord.file(mode: mode, size: status.bytes, name: name).bytes
        try channel.send(record)
        guard try isAccepted() else { return }
        observer.copyStarts(path, name)
        observer.copyBegins(path, name, bytes: status.bytes, from: 0)
        let failure = try channel.send(status.bytes, of: file) {
            observer.copyAdvances(path, bytes: $0)
        }
        if failure == 0 {
            try channel.send([0])
        } else {
            try fail("\(shown(path)): \(SystemError.reason(Int32(-failure)))")
        }
        let isGood = try isAccepted()
        observer.copyEnds(
            path,
            name,
            bytes: status.bytes,
            hasFailed: failure != 0 || !isGood
        )
    }

    /// With `-p`, the times of what follows; false when the sink will not have it.
    private func sendsTimes(_ status: FileStatus) throws(LegacyEnd) -> Bool {
        guard options.preserves else { return true }
        let times = CopyRecord.times(
            modification: status.modificationTime,
            access: status.accessTime
        )
        try channel.send(times.bytes)
        return try isAccepted()
    }

    private func sendDirectory(_ path: [UInt8], _ status: FileStatus, depth: Int) throws(LegacyEnd)
    {
        let identity = DirectoryCopy.Identity(status)
        // A link back to where we are in has no end; two of them would be followed 2^40 times.
        guard !ancestors.contains(identity) else {
            return try fail("\(shown(path)): \(SystemError.reason(40))")  // ELOOP
        }
        ancestors.append(identity)
        defer { ancestors.removeLast() }
        let (result, stream) = DirectoryStream.open(path)
        guard let stream else {
            return try fail("\(shown(path)): \(SystemError.reason(Int32(-result)))")
        }
        guard try sendsTimes(status) else { return }
        let name = RemotePath.name(of: path)
        try channel.send(
            CopyRecord.directory(mode: status.mode & 0o7777, name: name).bytes
        )
        guard try isAccepted() else { return }
        while let entry = stream.next(), !observer.isInterrupted {
            if entry == [46] || entry == [46, 46] { continue }
            try send(RemotePath.join(path, entry), depth: depth + 1)
        }
        try channel.send(CopyRecord.endOfDirectory.bytes)
        _ = try isAccepted()
    }
}
