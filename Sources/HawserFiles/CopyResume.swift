// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// Going on after what is there, once it has been shown to be the same; and comparing at the end.
extension CopyEngine {
    /// Looks at what is there already. False: there is nothing to copy.
    func prepareResume(_ file: FileCopy) throws(SessionFault) -> Bool {
        switch (source, target) {
        case (.remote(let session), .local):
            guard let local = FileCalls.status(file.target, followingLinks: true).1,
                local.isRegular, local.bytes > 0
            else { return true }
            guard let size = file.size else { return true }
            if local.bytes > size {
                report(
                    "Unable to resume download of \"\(shown(file.target))\": local file is larger "
                        + "than remote",
                    file
                )
                return false
            }
            return try decide(file, session, remote: file.source, local: file.target, local.bytes)
        case (.local, .remote(let session)):
            guard
                case .attributes(let remote) =
                    try session.answer(to: session.client.request(.stat, file.target)).content,
                let bytes = remote.size, bytes > 0
            else { return true }
            guard let size = FileCalls.status(file.source, followingLinks: true).1?.bytes else {
                return true
            }
            if bytes > size {
                report(
                    "resume \"\(shown(file.source))\": destination file same size or larger",
                    file
                )
                return false
            }
            file.attributes.size = size
            return try decide(file, session, remote: file.target, local: file.source, bytes)
        default: return true
        }
    }

    private func decide(
        _ file: FileCopy,
        _ session: RemoteSession,
        remote: [UInt8],
        local: [UInt8],
        _ bytes: UInt64
    ) throws(SessionFault) -> Bool {
        let comparison = FileComparison(session)
        switch try comparison.compare(remote, local, bytes: bytes, isThorough: false) {
        case .same:
            file.startOffset = bytes
            file.nextOffset = bytes
            if bytes == file.size {
                observer.copyNotes("File \"\(shown(file.target))\" was not modified")
                return false
            }
        case .different(let offset):
            observer.copyNotes(
                "\"\(shown(file.target))\" differs at byte \(offset): starting over"
            )
        case .unknown(let reason):
            observer.copyNotes(
                "\"\(shown(file.target))\" cannot be compared (\(reason)): starting over"
            )
        }
        return true
    }

    /// Compares a copied file with its source.
    func verify(_ file: FileCopy) throws(SessionFault) {
        let result: FileComparison.Result
        switch (source, target) {
        case (.remote(let session), .local), (.local, .remote(let session)):
            let isDownload = target.session == nil
            let remote = isDownload ? file.source : file.finalTarget
            let local = isDownload ? file.finalTarget : file.source
            let bytes = FileCalls.status(local, followingLinks: true).1?.bytes ?? 0
            let comparison = FileComparison(session)
            guard
                case .attributes(let attributes) =
                    try session.answer(to: session.client.request(.stat, remote)).content,
                attributes.size == bytes
            else {
                return report("verify \"\(shown(file.finalTarget))\": sizes differ", file)
            }
            result = try comparison.compare(remote, local, bytes: bytes, isThorough: true)
        default:
            return report(
                "verify \"\(shown(file.finalTarget))\": not between two servers",
                file
            )
        }
        switch result {
        case .same: observer.copyNotes("Verified \(shown(file.finalTarget))")
        case .different(let offset):
            report("verify \"\(shown(file.finalTarget))\": differs at byte \(offset)", file)
        case .unknown(let reason):
            report("verify \"\(shown(file.finalTarget))\": \(reason)", file)
        }
    }
}

/// Whether a remote and a local file begin with the same bytes.
struct FileComparison {
    enum Result {
        case same
        /// The block from this byte on is another one.
        case different(UInt64)
        case unknown(String)
    }

    private let session: RemoteSession

    init(_ session: RemoteSession) {
        self.session = session
    }

    /// Compares the first `bytes` bytes: by hashes of all of them where the server makes them;
    /// otherwise by reading back all (`isThorough`) or the last blocks.
    func compare(
        _ remote: [UInt8],
        _ local: [UInt8],
        bytes: UInt64,
        isThorough: Bool
    )
        throws(SessionFault) -> Result
    {
        let descriptor = Int32(clamping: FileCalls.open(local, [.readOnly, .nonblocking]))
        guard descriptor >= 0 else { return .unknown(SystemError.reason(-descriptor)) }
        defer { _ = FileCalls.close(descriptor) }
        let opened = try session.answer(to: session.client.open(remote, .read, Attributes()))
        guard case .handle(let handle) = opened.content else {
            return .unknown(opened.failureText)
        }
        let result: Result
        if session.supports("block-hashes@hawser") {
            result = try compareHashes(handle, descriptor, bytes)
        } else {
            let tail: UInt64 = isThorough ? bytes : min(bytes, 1 << 20)
            result = try compareData(handle, descriptor, from: bytes - tail, to: bytes)
        }
        _ = try session.status(of: session.client.request(.close, handle))
        return result
    }

    private func compareHashes(
        _ handle: [UInt8],
        _ descriptor: Int32,
        _ bytes: UInt64
    )
        throws(SessionFault) -> Result
    {
        var offset: UInt64 = 0
        while offset < bytes {
            let length = min(bytes - offset, BlockHashes.maximumBytes)
            let start = offset
            let id = session.client.extended("block-hashes@hawser") {
                $0.append(string: handle)
                $0.append(uint64: start)
                $0.append(uint64: length)
                $0.append(uint32: UInt32(hashedBlockBytes))
            }
            let reply = try session.answer(to: id)
            guard case .extended = reply.content else { return .unknown(reply.failureText) }
            let fields = session.extendedData
            var reader = WireReader(fields.rawBytes)
            guard let digests = try? reader.readBytes(limit: 1 << 20) else {
                throw .misspoken("bad block hashes")
            }
            var place = 0
            while offset < start + length {
                let count = Int(min(UInt64(hashedBlockBytes), start + length - offset))
                guard let digest = Self.digest(descriptor, offset, count),
                    place + SHA256.digestBytes <= digests.count,
                    digests[place..<place + SHA256.digestBytes].elementsEqual(digest)
                else { return .different(offset) }
                place += SHA256.digestBytes
                offset += UInt64(count)
            }
        }
        return .same
    }

    private static func digest(_ descriptor: Int32, _ offset: UInt64, _ count: Int) -> [UInt8]? {
        var hash = SHA256()
        guard let block = read(descriptor, offset, count) else { return nil }
        hash.update(block.rawBytes)
        return hash.finish()
    }

    private static func read(_ descriptor: Int32, _ offset: UInt64, _ count: Int) -> [UInt8]? {
        var block = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            var span = block.mutableRawBytes
            var room = span.suffix(from: done)
            let result = FileCalls.read(descriptor, at: offset + UInt64(done), into: &room)
            guard result > 0 else { return nil }
            done += result
        }
        return block
    }

    private func compareData(
        _ handle: [UInt8],
        _ descriptor: Int32,
        from start: UInt64,
        to end: UInt64
    ) throws(SessionFault) -> Result {
        var offset = start
        while offset < end {
            let count = Int(min(session.limits.readBytes, end - offset))
            let reply = try session.answer(
                to: session.client.read(handle, at: offset, count: count)
            )
            guard case .data(let got) = reply.content, got > 0, got <= count else {
                return .unknown(reply.failureText)
            }
            guard let block = Self.read(descriptor, offset, got),
                session.dataEquals(block)
            else { return .different(offset) }
            offset += UInt64(got)
        }
        return .same
    }
}

/// How many bytes one hash stands for.
private let hashedBlockBytes = 1 << 20
