// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserWire

/// The draft's requests, draft-ietf-secsh-filexfer-02 §6: one function each.
extension ServerSession {
    mutating func run(
        _ request: ServerRequest,
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        // What is asked a thousand times a second comes first.
        switch request {
        case .read: return try read(id, &reader)
        case .write: return try write(id, &reader)
        case .open: return try open(id, &reader)
        case .close: return try close(id, &reader)
        default: break
        }
        if request.extended == nil {
            log.debug3("request \(id): \(request.rawValue)")
        }
        switch request {
        case .stat, .lstat: try status(request, id, &reader)
        case .fstat: try fileStatus(id, &reader)
        case .setstat, .lsetstat: try setStatus(request, id, &reader)
        case .fsetstat: try setFileStatus(id, &reader)
        case .opendir: try openDirectory(id, &reader)
        case .readdir: try readDirectory(id, &reader)
        case .remove:
            let path = try path(&reader)
            log.info("remove name \"\(shown(path))\"")
            note("remove", path)
            try refusable { () throws(Status) in try files.remove(path) }
            send(.ok, to: id)
        case .mkdir: try makeDirectory(id, &reader)
        case .rmdir:
            let path = try path(&reader)
            log.info("rmdir name \"\(shown(path))\"")
            note("rmdir", path)
            try refusable { () throws(Status) in try files.removeDirectory(path) }
            send(.ok, to: id)
        case .realpath:
            let path = try path(&reader)
            log.verbose("realpath \"\(shown(path))\"")
            let found = try refusable { () throws(Status) in
                try files.canonical(path.isEmpty ? [UInt8(ascii: ".")] : path)
            }
            send(name: found, to: id)
        case .rename, .posixRename, .hardlink:
            try rename(request, id, &reader)
        case .symlink:
            // OpenSSH and every client since send the target first; the draft has it second.
            let target = try path(&reader)
            let place = try path(&reader)
            log.info("symlink old \"\(shown(target))\" new \"\(shown(place))\"")
            note("symlink", place) { $0.target = target }
            try refusable { () throws(Status) in try files.symbolicLink(target, at: place) }
            send(.ok, to: id)
        case .readlink:
            let path = try path(&reader)
            log.verbose("readlink \"\(shown(path))\"")
            let target = try refusable { () throws(Status) in try files.readLink(path) }
            send(name: target, to: id)
        default: try runExtended(request, id, &reader)
        }
    }

    // MARK: Open files

    private mutating func open(_ id: UInt32, _ reader: inout WireReader) throws(RequestFailure) {
        let path = try path(&reader)
        let flags = OpenFlags(
            rawValue: try wire { () throws(WireError) in try reader.readUInt32() }
        )
        let attributes = try wire { () throws(WireError) in try Attributes(from: &reader) }
        log.debug3("request \(id): open flags \(flags.rawValue)")
        let mode = attributes.permissions.map { $0 & 0o7777 } ?? 0o666
        note("open", path) { $0.detail = flags.text }
        if rules.isReadOnly, !flags.isDisjoint(with: [.write, .append, .create, .truncate]) {
            log.verbose("Refusing open request in read-only mode")
            throw .refused(.permissionDenied)
        }
        log.info("open \"\(shown(path))\" flags \(flags.text) mode 0\(octal(mode, 3))")
        let file = try refusable { () throws(Status) in
            try files.open(path, flags, mode: mode)
        }
        let entry = HandleTable.Entry(
            file: file,
            path: path,
            appends: flags.contains(.append)
        )
        guard let handle = handles.insert(entry) else {
            try? files.close(file)
            throw .refused(.failure)
        }
        send(handle: handle, to: id)
    }

    private mutating func close(_ id: UInt32, _ reader: inout WireReader) throws(RequestFailure) {
        let handle = try handle(&reader)
        log.debug3("request \(id): close handle \(handle)")
        guard let entry = handles.remove(handle) else { throw .refused(.noSuchFile) }
        logClose(entry, forced: false)
        if entry.directory == nil {
            try refusable { () throws(Status) in try files.close(entry.file) }
        }
        send(.ok, to: id)
    }

    mutating func logClose(_ entry: HandleTable.Entry, forced: Bool) {
        let word = forced ? "forced " : ""
        if entry.directory != nil {
            log.info("\(word)closedir \"\(shown(entry.path))\"")
        } else {
            note("close", entry.path) {
                $0.bytesRead = entry.bytesRead
                $0.bytesWritten = entry.bytesWritten
            }
            log.info(
                "\(word)close \"\(shown(entry.path))\" bytes read \(entry.bytesRead) "
                    + "written \(entry.bytesWritten)"
            )
        }
    }

    private mutating func read(_ id: UInt32, _ reader: inout WireReader) throws(RequestFailure) {
        let handle = try handle(&reader)
        let offset = try wire { () throws(WireError) in try reader.readUInt64() }
        let length = try wire { () throws(WireError) in try reader.readUInt32() }
        log.debug(
            "request \(id): read \"\(shown(handle))\" (handle \(handle)) off \(offset) "
                + "len \(length)"
        )
        guard let file = handles.file(handle) else { throw .refused(.failure) }
        let count = min(Int(length), PacketLimits.dataBytes)
        let start = begin(.data, id)
        output.append(uint32: 0)
        let read: Int
        do throws(Status) {
            read = try output.appendUpTo(count) { (room: inout MutableRawSpan) throws(Status) in
                try files.read(file.descriptor, at: offset, into: &room)
            }
            if read == 0, count > 0 { throw .endOfFile }
        } catch {
            output.removeLast(output.count - start)
            throw .refused(error)
        }
        output.set(uint32: UInt32(read), at: start + 9)
        finish(start)
        handles.count(read: read, on: handle)
        log.debug("request \(id): sent data len \(read)")
    }

    private mutating func write(_ id: UInt32, _ reader: inout WireReader) throws(RequestFailure) {
        let handle = try handle(&reader)
        let offset = try wire { () throws(WireError) in try reader.readUInt64() }
        let count: Int
        do throws(WireError) {
            let data = try reader.readString()
            count = data.byteCount
            log.debug(
                "request \(id): write \"\(shown(handle))\" (handle \(handle)) off \(offset) "
                    + "len \(count)"
            )
            guard let file = handles.file(handle) else {
                return send(.failure, to: id)
            }
            do throws(Status) {
                try files.write(
                    file.descriptor,
                    at: offset,
                    appending: file.appends,
                    data
                )
            } catch {
                log.error("process_write: write \"\(shown(handle))\": \(error.text)")
                return send(error, to: id)
            }
        } catch {
            throw .malformed(error)
        }
        handles.count(written: count, on: handle)
        send(.ok, to: id)
    }

    // MARK: Attributes

    private mutating func status(
        _ request: ServerRequest,
        _ id: UInt32,
        _ reader: inout WireReader
    ) throws(RequestFailure) {
        let path = try path(&reader)
        log.verbose("\(request.rawValue) name \"\(shown(path))\"")
        let attributes = try refusable { () throws(Status) in
            try files.attributes(of: path, followingLinks: request == .stat)
        }
        send(attributes, to: id)
    }

    private mutating func fileStatus(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let handle = try handle(&reader)
        log.debug("request \(id): fstat \"\(shown(handle))\" (handle \(handle))")
        guard let file = handles.file(handle) else { throw .refused(.failure) }
        let attributes = try refusable { () throws(Status) in
            try files.attributes(of: file.descriptor)
        }
        send(attributes, to: id)
    }

    mutating func setStatus(
        _ request: ServerRequest,
        _ id: UInt32,
        _ reader: inout WireReader
    ) throws(RequestFailure) {
        let path = try path(&reader)
        let attributes = try wire { () throws(WireError) in try Attributes(from: &reader) }
        log.debug("request \(id): \(request.rawValue) name \"\(shown(path))\"")
        let target: AttributeTarget = request == .lsetstat ? .link(path) : .path(path)
        let status = set(attributes, of: target, path)
        tell(status)
        send(status, to: id)
    }

    private mutating func setFileStatus(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let handle = try handle(&reader)
        let attributes = try wire { () throws(WireError) in try Attributes(from: &reader) }
        log.debug("request \(id): fsetstat handle \(handle)")
        guard let entry = handles[handle], entry.directory == nil else {
            throw .refused(.failure)
        }
        let status = set(attributes, of: .file(entry.file, path: entry.path), entry.path)
        tell(status)
        send(status, to: id)
    }

    /// Changes everything that is asked, and tells the last failure.
    private mutating func set(
        _ attributes: Attributes,
        of target: AttributeTarget,
        _ path: [UInt8]
    ) -> Status {
        var result = Status.ok
        note("setstat", path) { $0.detail = attributes.changes }
        var changes: [AttributeChange] = []
        if let size = attributes.size {
            log.info("set \"\(shown(path))\" size \(size)")
            changes.append(.size(size))
        }
        if let permissions = attributes.permissions {
            log.info("set \"\(shown(path))\" mode \(octal(permissions & 0o7777, 4))")
            changes.append(.permissions(permissions & 0o7777))
        }
        if let times = attributes.times {
            log.info("set \"\(shown(path))\" modtime \(files.logTime(times.modification))")
            changes.append(.times(times))
        }
        if let owner = attributes.owner {
            log.info("set \"\(shown(path))\" owner \(owner.uid) group \(owner.gid)")
            changes.append(.owner(owner))
        }
        for change in changes {
            do throws(Status) { try files.set(change, of: target) } catch { result = error }
        }
        return result
    }

    // MARK: Directories

    private mutating func openDirectory(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let path = try path(&reader)
        log.info("opendir \"\(shown(path))\"")
        note("opendir", path)
        let directory = try refusable { () throws(Status) in try files.openDirectory(path) }
        let entry = HandleTable.Entry(
            file: -1,
            path: path,
            directory: directory
        )
        guard let handle = handles.insert(entry) else { throw .refused(.failure) }
        send(handle: handle, to: id)
    }

    private mutating func readDirectory(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let handle = try handle(&reader)
        log.debug("request \(id): readdir \"\(shown(handle))\" (handle \(handle))")
        guard let directory = handles[handle]?.directory else { throw .refused(.failure) }
        let start = begin(.name, id)
        output.append(uint32: 0)
        var count: UInt32 = 0
        do throws(Status) {
            while output.count - start < PacketLimits.nameBytes,
                let entry = try files.nextEntry(directory)
            {
                output.append(string: entry.name)
                output.append(string: entry.longName)
                entry.attributes.write(to: &output)
                count += 1
            }
            if count == 0 { throw .endOfFile }
        } catch {
            output.removeLast(output.count - start)
            throw .refused(error)
        }
        log.debug("request \(id): sent names count \(count)")
        output.set(uint32: count, at: start + 9)
        finish(start)
    }

    private mutating func makeDirectory(
        _ id: UInt32,
        _ reader: inout WireReader
    )
        throws(RequestFailure)
    {
        let path = try path(&reader)
        let attributes = try wire { () throws(WireError) in try Attributes(from: &reader) }
        let mode = attributes.permissions.map { $0 & 0o7777 } ?? 0o777
        log.info("mkdir name \"\(shown(path))\" mode 0\(octal(mode, 3))")
        note("mkdir", path) { $0.detail = "mode 0\(String(mode, radix: 8))" }
        try refusable { () throws(Status) in try files.makeDirectory(path, mode: mode) }
        send(.ok, to: id)
    }

    private mutating func rename(
        _ request: ServerRequest,
        _ id: UInt32,
        _ reader: inout WireReader
    ) throws(RequestFailure) {
        if request.extended != nil { log.debug3("request \(id): \(request.rawValue)") }
        let from = try path(&reader)
        let to = try path(&reader)
        log.info("\(request.rawValue) old \"\(shown(from))\" new \"\(shown(to))\"")
        note(request.rawValue, from) { $0.target = to }
        try refusable { () throws(Status) in
            switch request {
            case .hardlink: try files.link(from, to: to)
            case .posixRename: try files.rename(from, to: to, replacing: true)
            default: try files.rename(from, to: to, replacing: false)
            }
        }
        send(.ok, to: id)
    }

    // MARK: Fields

    func path(_ reader: inout WireReader) throws(RequestFailure) -> [UInt8] {
        do throws(WireError) {
            return try reader.readBytes()
        } catch {
            throw .malformed(error)
        }
    }

    /// The number that a handle stands for; -1 when it is none of ours.
    func handle(_ reader: inout WireReader) throws(RequestFailure) -> Int {
        do throws(WireError) {
            let bytes = try reader.readString()
            return bytes.byteCount == 4 ? Int(bytes.bigEndianUInt32(at: 0)) : -1
        } catch {
            throw .malformed(error)
        }
    }

    func shown(_ path: [UInt8]) -> String { PrintableText.of(path) }

    func shown(_ handle: Int) -> String { handles[handle].map { shown($0.path) } ?? "" }

    func octal(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 8)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Reads fields; what is not there makes the packet malformed.
func wire<Value>(_ read: () throws(WireError) -> Value) throws(RequestFailure) -> Value {
    do throws(WireError) { return try read() } catch { throw .malformed(error) }
}

/// Asks the file system; what it refuses is the answer.
func refusable<Value>(_ call: () throws(Status) -> Value) throws(RequestFailure) -> Value {
    do throws(Status) { return try call() } catch { throw .refused(error) }
}

extension Attributes {
    /// What is to be changed, for an account of it.
    fileprivate var changes: String {
        var parts: [String] = []
        if let size { parts.append("size \(size)") }
        if let permissions { parts.append("mode 0\(String(permissions & 0o7777, radix: 8))") }
        if let times { parts.append("modtime \(times.modification)") }
        if let owner { parts.append("owner \(owner.uid) group \(owner.gid)") }
        return parts.joined(separator: " ")
    }
}
