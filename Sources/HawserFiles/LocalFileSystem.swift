// SPDX-License-Identifier: Apache-2.0

package import HawserSFTP
package import HawserSystem
internal import HawserWire

/// The system's files, as a server serves them.
package struct LocalFileSystem: ServerFileSystem {
    private var users: [UInt32: String?] = [:]
    private var groups: [UInt32: String?] = [:]
    private let now = Int64(Clock.epochSeconds)

    package init() {}

    // MARK: Open files

    package func open(_ path: [UInt8], _ flags: OpenFlags, mode: UInt32) throws(Status) -> Int32 {
        var native: FileCalls.Flags =
            switch (flags.contains(.read), flags.contains(.write)) {
            case (true, true): .readWrite
            case (false, true): .writeOnly
            default: .readOnly
            }
        if flags.contains(.append) { native.insert(.append) }
        if flags.contains(.create) { native.insert(.create) }
        if flags.contains(.truncate) { native.insert(.truncate) }
        if flags.contains(.exclusive) { native.insert(.exclusive) }
        return Int32(try check(FileCalls.open(path, native, mode: mode)))
    }

    package func close(_ file: Int32) throws(Status) { try check(FileCalls.close(file)) }

    package func read(
        _ file: Int32,
        at offset: UInt64,
        into bytes: inout MutableRawSpan
    )
        throws(Status) -> Int
    {
        let count = FileCalls.read(file, at: offset, into: &bytes)
        if count == -29 {  // ESPIPE: a device or a pipe has no places
            return try check(FileCalls.read(file, into: &bytes))
        }
        return try check(count)
    }

    package func write(
        _ file: Int32,
        at offset: UInt64,
        appending: Bool,
        _ bytes: RawSpan
    )
        throws(Status)
    {
        var done = 0
        while done < bytes.byteCount {
            let rest = bytes.extracting(droppingFirst: done)
            var count =
                appending
                ? FileCalls.write(file, rest)
                : FileCalls.write(file, at: offset &+ UInt64(done), rest)
            if count == -29 { count = FileCalls.write(file, rest) }
            let written = try check(count)
            guard written > 0 else { throw .failure }
            done += written
        }
    }

    package func synchronize(_ file: Int32) throws(Status) {
        try check(FileCalls.synchronize(file))
    }

    package func copy(
        from: Int32,
        at offset: UInt64,
        to: Int32,
        at target: UInt64,
        appending: Bool,
        count: UInt64
    ) throws(Status) -> UInt64 {
        if !appending {
            let copied = FileCalls.copy(
                from: from,
                at: offset,
                to: to,
                at: target,
                bytes: Int(min(count, 1 << 30))
            )
            // 0 is the end, or a file of the kernel's own that has no size.
            if copied > 0 { return UInt64(copied) }
        }
        var buffer = [UInt8](repeating: 0, count: 256 * 1024)
        let wanted = Int(min(count, UInt64(buffer.count)))
        var span = buffer.mutableRawBytes
        var room = span.prefix(wanted)
        let got = try check(FileCalls.read(from, at: offset, into: &room))
        try write(to, at: target, appending: appending, buffer.rawBytes.extracting(first: got))
        return UInt64(got)
    }

    // MARK: Attributes

    package func attributes(of path: [UInt8], followingLinks: Bool) throws(Status) -> Attributes {
        let (result, status) = FileCalls.status(path, followingLinks: followingLinks)
        guard let status else { throw Status(errorNumber: -result) }
        return Attributes(status)
    }

    package func attributes(of file: Int32) throws(Status) -> Attributes {
        let (result, status) = FileCalls.status(of: file)
        guard let status else { throw Status(errorNumber: -result) }
        return Attributes(status)
    }

    package func set(_ change: AttributeChange, of target: AttributeTarget) throws(Status) {
        switch target {
        case .file(let file, _):
            switch change {
            case .size(let size): try check(FileCalls.truncate(file, to: size))
            case .permissions(let mode): try check(FileCalls.setMode(of: file, mode))
            case .times(let times):
                try check(
                    FileCalls.setTimes(
                        of: file,
                        access: Int64(times.access),
                        modification: Int64(times.modification)
                    )
                )
            case .owner(let owner):
                try check(FileCalls.setOwner(of: file, uid: owner.uid, gid: owner.gid))
            }
        case .path(let path): try set(change, path, followingLinks: true)
        case .link(let path): try set(change, path, followingLinks: false)
        }
    }

    private func set(
        _ change: AttributeChange,
        _ path: [UInt8],
        followingLinks: Bool
    )
        throws(Status)
    {
        switch change {
        case .size(let size):
            guard followingLinks else { throw .badMessage }
            try check(FileCalls.truncate(path, to: size))
        case .permissions(let mode):
            try check(FileCalls.setMode(path, mode, followingLinks: followingLinks))
        case .times(let times):
            try check(
                FileCalls.setTimes(
                    path,
                    access: Int64(times.access),
                    modification: Int64(times.modification),
                    followingLinks: followingLinks
                )
            )
        case .owner(let owner):
            try check(
                FileCalls.setOwner(
                    path,
                    uid: owner.uid,
                    gid: owner.gid,
                    followingLinks: followingLinks
                )
            )
        }
    }

    // MARK: Directories

    package func openDirectory(_ path: [UInt8]) throws(Status) -> AnyObject {
        let (result, stream) = DirectoryStream.open(path)
        guard let stream else { throw Status(errorNumber: -result) }
        return stream
    }

    package mutating func nextEntry(_ directory: AnyObject) throws(Status) -> DirectoryEntry? {
        guard let directory = directory as? DirectoryStream else { throw .failure }
        while let name = directory.next() {
            // One that has just gone is left out.
            guard let status = directory.status(of: name) else { continue }
            return DirectoryEntry(
                name: name,
                longName: LongName.line(
                    name,
                    Attributes(status),
                    links: String(status.links),
                    user: userName(status.uid) ?? String(status.uid),
                    group: groupName(status.gid) ?? String(status.gid),
                    now: now
                ),
                attributes: Attributes(status)
            )
        }
        return nil
    }

    // MARK: Names

    package func remove(_ path: [UInt8]) throws(Status) { try check(FileCalls.remove(path)) }

    package func makeDirectory(_ path: [UInt8], mode: UInt32) throws(Status) {
        try check(FileCalls.makeDirectory(path, mode: mode))
    }

    package func removeDirectory(_ path: [UInt8]) throws(Status) {
        try check(FileCalls.removeDirectory(path))
    }

    /// Without `replacing`, a file gets its new name by a hard link, which never replaces
    /// (draft-ietf-secsh-filexfer-02 §6.5); where there are none, and for directories, the target
    /// is looked for first.
    package func rename(_ from: [UInt8], to: [UInt8], replacing: Bool) throws(Status) {
        if replacing {
            try check(FileCalls.rename(from, to: to))
            return
        }
        let (result, status) = FileCalls.status(from, followingLinks: false)
        guard let status else { throw Status(errorNumber: -result) }
        if status.isRegular {
            let linked = FileCalls.link(from, to: to)
            if linked == 0 {
                let removed = FileCalls.remove(from)
                if removed < 0 { _ = FileCalls.remove(to) }
                try check(removed)
                return
            }
            // EOPNOTSUPP ENOSYS EXDEV EPERM EMLINK: the file system has no hard links.
            guard [-95, -38, -18, -1, -31].contains(linked) else {
                throw Status(errorNumber: -linked)
            }
        }
        guard FileCalls.status(to, followingLinks: false).1 == nil else { throw .failure }
        try check(FileCalls.rename(from, to: to))
    }

    package func link(_ from: [UInt8], to: [UInt8]) throws(Status) {
        try check(FileCalls.link(from, to: to))
    }

    package func symbolicLink(_ target: [UInt8], at path: [UInt8]) throws(Status) {
        try check(FileCalls.symbolicLink(target, at: path))
    }

    package func readLink(_ path: [UInt8]) throws(Status) -> [UInt8] {
        let (result, target) = FileCalls.readLink(path)
        try check(result)
        return target
    }

    package func canonical(_ path: [UInt8]) throws(Status) -> [UInt8] {
        try canonical(path, links: 40)
    }

    /// `links`: how many links to nowhere may be followed one after the other.
    private func canonical(_ path: [UInt8], links: Int) throws(Status) -> [UInt8] {
        let (result, found) = FileCalls.canonical(path)
        if result == 0 { return found }
        if result == -20, path.last == UInt8(ascii: "/") {
            // A file is what it is with a slash behind it, too.
            let end = path.lastIndex { $0 != UInt8(ascii: "/") } ?? 0
            return try canonical(Array(path[...end]), links: links)
        }
        guard result == -2 else { throw Status(errorNumber: -result) }
        // The last part may be missing; what is before it may not, nor what is to be a directory.
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let name = Array(path[(slash.map { $0 + 1 } ?? 0)...])
        let parent: [UInt8] =
            switch slash {
            case nil: [UInt8(ascii: ".")]
            case 0: [UInt8(ascii: "/")]
            case let index?: Array(path[..<index])
            }
        guard !name.isEmpty, name != [46], name != [46, 46] else { throw .noSuchFile }
        let (status, directory) = FileCalls.canonical(parent)
        try check(status)
        // What is not there may be where a link points to.
        let (linked, target) = FileCalls.readLink(path)
        if linked >= 0 {
            guard links > 0 else { throw .noSuchFile }
            return try canonical(RemotePath.join(directory, target), links: links - 1)
        }
        return directory == [UInt8(ascii: "/")]
            ? directory + name : directory + [UInt8(ascii: "/")] + name
    }

    package func fileSystem(of path: [UInt8]) throws(Status) -> FileSystemUsage {
        let (result, status) = FileCalls.fileSystem(path)
        guard let status else { throw Status(errorNumber: -result) }
        return FileSystemUsage(status)
    }

    package func fileSystem(of file: Int32) throws(Status) -> FileSystemUsage {
        let (result, status) = FileCalls.fileSystem(of: file)
        guard let status else { throw Status(errorNumber: -result) }
        return FileSystemUsage(status)
    }

    // MARK: Accounts

    package func home(of user: [UInt8]) -> [UInt8]? {
        guard !user.isEmpty, let name = String(validating: user, as: UTF8.self) else { return nil }
        return User.named(name).map { $0.home.octets }
    }

    package mutating func userName(_ uid: UInt32) -> String? {
        if let known = users[uid] { return known }
        let name = User.numbered(uid)?.name
        users[uid] = .some(name)
        return name
    }

    package mutating func groupName(_ gid: UInt32) -> String? {
        if let known = groups[gid] { return known }
        let name = Group.name(of: gid)
        groups[gid] = .some(name)
        return name
    }

    package func logTime(_ seconds: UInt32) -> String { ListingTime.logText(of: Int64(seconds)) }

    /// A few are ours: the standard descriptors and what a library opens.
    package var openFileLimit: UInt64 {
        FileCalls.openFileLimit.map { UInt64(max(0, $0 - 5)) } ?? 0
    }

    @discardableResult
    private func check(_ result: Int) throws(Status) -> Int {
        if result < 0 { throw Status(errorNumber: -result) }
        return result
    }
}

extension Attributes {
    package init(_ status: FileStatus) {
        self.init(
            size: status.bytes,
            owner: Owner(uid: status.uid, gid: status.gid),
            permissions: status.mode,
            times: Times(
                access: UInt32(clamping: status.accessTime),
                modification: UInt32(clamping: status.modificationTime)
            )
        )
    }
}

extension FileSystemUsage {
    init(_ status: FileSystemStatus) {
        self.init(
            blockBytes: status.blockBytes,
            fragmentBytes: status.fragmentBytes,
            blocks: status.blocks,
            freeBlocks: status.freeBlocks,
            availableBlocks: status.availableBlocks,
            files: status.files,
            freeFiles: status.freeFiles,
            availableFiles: status.availableFiles,
            identifier: status.identifier,
            flags: (status.isReadOnly ? 1 : 0) | (status.ignoresSetUserID ? 2 : 0),
            nameBytes: status.nameBytes
        )
    }
}
