// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserWire

/// OpenSSH's extensions (its PROTOCOL §4) and ours (docs/protocol/sftp.md).
extension ServerSession {
    mutating func runExtended(
        _ request: ServerRequest,
        _ id: UInt32,
        _ reader: inout WireReader
    ) throws(RequestFailure) {
        switch request {
        case .statvfs:
            let path = try path(&reader)
            log.debug3("request \(id): statvfs")
            log.info("statvfs \"\(shown(path))\"")
            let usage = try refusable { () throws(Status) in try files.fileSystem(of: path) }
            send(usage, to: id)
        case .fstatvfs:
            let handle = try handle(&reader)
            log.debug("request \(id): fstatvfs \"\(shown(handle))\" (handle \(handle))")
            guard let file = handles.file(handle) else { throw .refused(.failure) }
            let usage = try refusable { () throws(Status) in
                try files.fileSystem(of: file.descriptor)
            }
            send(usage, to: id)
        case .fsync:
            let handle = try handle(&reader)
            log.debug3("request \(id): fsync (handle \(handle))")
            log.verbose("fsync \"\(shown(handle))\"")
            guard let file = handles.file(handle) else { throw .refused(.noSuchFile) }
            try refusable { () throws(Status) in try files.synchronize(file.descriptor) }
            send(.ok, to: id)
        case .lsetstat: try setStatus(request, id, &reader)
        case .limits: sendLimits(id)
        case .expandPath: try expandPath(id, &reader)
        case .homeDirectory: try homeDirectory(id, &reader)
        case .copyData: try copyData(id, &reader)
        case .usersGroupsByID: try names(id, &reader)
        case .blockHashes: try blockHashes(id, &reader)
        default: throw .refused(.unsupported)
        }
    }

    private mutating func send(_ usage: FileSystemUsage, to id: UInt32) {
        let start = begin(.extendedReply, id)
        usage.write(to: &output)
        finish(start)
    }

    /// limits@openssh.com.
    private mutating func sendLimits(_ id: UInt32) {
        log.debug("request \(id): limits")
        let start = begin(.extendedReply, id)
        output.append(uint64: UInt64(PacketLimits.packetBytes))
        output.append(uint64: UInt64(PacketLimits.dataBytes))
        output.append(uint64: UInt64(PacketLimits.dataBytes))
        output.append(
            uint64: min(files.openFileLimit, UInt64(HandleTable.limit))
        )
        finish(start)
    }

    /// expand-path@openssh.com: realpath that knows `~` and `~user`.
    private mutating func expandPath(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let path = try path(&reader)
        log.debug3("request \(id): expand, original \"\(shown(path))\"")
        var expanded = path
        if path.first == UInt8(ascii: "~") {
            let end = path.firstIndex(of: UInt8(ascii: "/")) ?? path.count
            let rest = Array(path[end...].drop { $0 == UInt8(ascii: "/") })
            if end == 1 {
                // The start directory is where relative paths begin.
                expanded = rest
            } else {
                guard let home = files.home(of: Array(path[1..<end])) else {
                    log.error("tilde_expand: No such user \(shown(Array(path[1..<end])))")
                    return send(.noSuchFile, "no such user", to: id)
                }
                expanded = rest.isEmpty ? home : home + [UInt8(ascii: "/")] + rest
            }
        }
        if expanded.isEmpty { expanded = [UInt8(ascii: ".")] }
        log.verbose("expand \"\(shown(expanded))\"")
        let found = try refusable { () throws(Status) in try files.canonical(expanded) }
        send(name: found, to: id)
    }

    private mutating func homeDirectory(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let user = try path(&reader)
        log.debug("process_extended_home_directory: home-directory \"\(shown(user))\"")
        guard let home = files.home(of: user) else { throw .refused(.failure) }
        send(name: home, to: id)
    }

    /// copy-data: `length` 0 means up to the end of the source.
    private mutating func copyData(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let from = try handle(&reader)
        let offset = try wire { () throws(WireError) in try reader.readUInt64() }
        let length = try wire { () throws(WireError) in try reader.readUInt64() }
        let to = try handle(&reader)
        let target = try wire { () throws(WireError) in try reader.readUInt64() }
        log.debug(
            "request \(id): copy-data from \"\(shown(from))\" (handle \(from)) off \(offset) "
                + "len \(length) to \"\(shown(to))\" (handle \(to)) off \(target)"
        )
        guard let source = handles.file(from), let destination = handles.file(to), from != to else {
            throw .refused(.failure)
        }
        var copied: UInt64 = 0
        let status: Status
        do throws(Status) {
            while length == 0 || copied < length {
                let (readFrom, overflow) = offset.addingReportingOverflow(copied)
                let (writeTo, overflow2) = target.addingReportingOverflow(copied)
                guard !overflow, !overflow2 else { throw .failure }
                let count = try files.copy(
                    from: source.descriptor,
                    at: readFrom,
                    to: destination.descriptor,
                    at: writeTo,
                    appending: destination.appends,
                    count: length == 0 ? 1 << 30 : length - copied
                )
                if count == 0 { break }
                copied += count
            }
            status = length != 0 && copied < length ? .endOfFile : .ok
        } catch {
            status = error
        }
        handles.count(read: Int(clamping: copied), on: from)
        handles.count(written: Int(clamping: copied), on: to)
        send(status, to: id)
    }

    /// users-groups-by-id@openssh.com: names of numbers, empty where there is none.
    private mutating func names(_ id: UInt32, _ reader: inout WireReader) throws(RequestFailure) {
        let uids = try numbers(&reader)
        let gids = try numbers(&reader)
        log.debug(
            "process_extended_get_users_groups_by_id: uids len = \(uids.count * 4), "
                + "gids len = \(gids.count * 4)"
        )
        let start = begin(.extendedReply, id)
        for (index, list) in [uids, gids].enumerated() {
            let place = output.count
            output.append(uint32: 0)
            for number in list {
                let name = index == 0 ? files.userName(number) : files.groupName(number)
                log.debug3(
                    "process_extended_get_users_groups_by_id: \(index == 0 ? "u" : "g")id "
                        + "\(number) => \"\(name ?? "")\""
                )
                output.append(text: name ?? "")
            }
            output.set(uint32: UInt32(output.count - place - 4), at: place)
        }
        log.verbose("users-groups-by-id: \(uids.count) users, \(gids.count) groups")
        finish(start)
    }

    private func numbers(_ reader: inout WireReader) throws(RequestFailure) -> [UInt32] {
        do throws(WireError) {
            let bytes = try reader.readString()
            var list = WireReader(bytes)
            var result: [UInt32] = []
            while !list.isAtEnd {
                guard result.count < 4096 else { throw .tooLong }
                result.append(try list.readUInt32())
            }
            return result
        } catch {
            throw .malformed(error)
        }
    }

    /// block-hashes@hawser: SHA-256 of each block of a range, so that a part need not be sent again.
    private mutating func blockHashes(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let handle = try handle(&reader)
        let offset = try wire { () throws(WireError) in try reader.readUInt64() }
        let length = try wire { () throws(WireError) in try reader.readUInt64() }
        let blockBytes = try wire { () throws(WireError) in try reader.readUInt32() }
        log.debug(
            "request \(id): block-hashes \"\(shown(handle))\" (handle \(handle)) off \(offset) "
                + "len \(length) block \(blockBytes)"
        )
        guard let file = handles.file(handle) else { throw .refused(.failure) }
        guard length <= BlockHashes.maximumBytes, blockBytes >= BlockHashes.minimumBlockBytes,
            !offset.addingReportingOverflow(length).overflow
        else { throw .refused(.badMessage) }
        let start = begin(.extendedReply, id)
        output.append(uint32: 0)
        do throws(Status) {
            try appendHashes(file.descriptor, offset, length, Int(blockBytes))
        } catch {
            output.removeLast(output.count - start)
            throw .refused(error)
        }
        output.set(uint32: UInt32(output.count - start - 13), at: start + 9)
        finish(start)
    }

    private mutating func appendHashes(
        _ file: Int32,
        _ offset: UInt64,
        _ length: UInt64,
        _ blockBytes: Int
    ) throws(Status) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var position = offset
        let end = offset + length
        while position < end {
            var hash = SHA256()
            let blockEnd = min(end, position + UInt64(blockBytes))
            while position < blockEnd {
                let wanted = min(buffer.count, Int(blockEnd - position))
                var span = buffer.mutableRawBytes
                var room = span.prefix(wanted)
                let count = try files.read(file, at: position, into: &room)
                guard count > 0 else { throw .endOfFile }
                hash.update(buffer.rawBytes.extracting(first: count))
                position += UInt64(count)
            }
            output.append(hash.finish())
        }
    }
}

/// Bounds of block-hashes@hawser.
package enum BlockHashes {
    /// The most bytes that one request has hashed: the server answers nothing else meanwhile.
    package static let maximumBytes: UInt64 = 64 << 20
    package static let minimumBlockBytes: UInt32 = 16 * 1024
}
