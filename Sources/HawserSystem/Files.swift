// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Files: read with a limit, written whole, their owner and mode checked after they are open.
package enum Files {
    /// What stat(2) says.
    package struct Status: Sendable {
        package let uid: UInt32
        package let gid: UInt32
        /// Permission bits.
        package let mode: UInt32
        package let bytes: Int64
        package let isRegular: Bool
        package let isDirectory: Bool
        package let isSocket: Bool
        package let device: UInt64
        package let inode: UInt64
        /// When its content was changed last, in nanoseconds since 1970.
        package let modified: Int64

        fileprivate init(_ value: stat) {
            uid = value.st_uid
            gid = value.st_gid
            mode = value.st_mode & 0o7777
            bytes = Int64(value.st_size)
            isRegular = value.st_mode & S_IFMT == S_IFREG
            isDirectory = value.st_mode & S_IFMT == S_IFDIR
            isSocket = value.st_mode & S_IFMT == S_IFSOCK
            device = UInt64(value.st_dev)
            inode = UInt64(value.st_ino)
            modified =
                Int64(value.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(value.st_mtim.tv_nsec)
        }

        /// This file and no other, though its number may be given out again later.
        package var identity: Identity {
            Identity(device: device, inode: inode, modified: modified)
        }
    }

    /// What tells a file from those that were, or will be, at the same path.
    package struct Identity: Equatable, Sendable {
        let device: UInt64
        let inode: UInt64
        let modified: Int64

        /// Whether it is the same file, changed in between or not: someone may touch a socket so
        /// that no cleaner takes it for forgotten.
        package func isSameFile(as other: Identity) -> Bool {
            device == other.device && inode == other.inode
        }
    }

    /// What is at `path`, links not followed; nil for nothing.
    package static func identity(_ path: String) -> Identity? {
        status(path, followingLinks: false)?.identity
    }

    /// C: `stat`, or `lstat` for the link itself.
    package static func status(_ path: String, followingLinks: Bool = true) -> Status? {
        var value = stat()
        // SAFETY: fills one structure.
        let result = unsafe path.withCOctets {
            unsafe followingLinks ? stat($0, &value) : lstat($0, &value)
        }
        return result == 0 ? Status(value) : nil
    }

    package static func status(of fd: Int32) -> Status? {
        var value = stat()
        // SAFETY: fills one structure.
        return unsafe fstat(fd, &value) == 0 ? Status(value) : nil
    }

    package static func exists(_ path: String) -> Bool { status(path) != nil }

    /// Whether this process may run a file. C: `access`.
    package static func mayExecute(_ path: String) -> Bool {
        unsafe path.withCOctets { unsafe access($0, X_OK) == 0 }
    }

    /// Why there is no file at `path`, in the system's words; nil when there is one. C: `stat`.
    package static func reasonForAbsence(of path: String) -> String? {
        var value = stat()
        // SAFETY: fills one structure.
        let result = unsafe path.withCOctets { unsafe stat($0, &value) }
        return result == 0 ? nil : SystemError.reason(errno)
    }

    /// Why what is at `path` cannot be read; nil when it can, and for nothing and a directory.
    package static func obstacle(to path: String) -> String? {
        guard let status = status(path) else {
            let reason = reasonForAbsence(of: path)
            return reason == SystemError.reason(ENOENT) ? nil : reason
        }
        guard !status.isDirectory else { return nil }
        do throws(SystemError) {
            _ = try read(path)
            return nil
        } catch { return error.reason }
    }

    /// The whole content, at most `limit` bytes. Throws `EFBIG` for more.
    package static func read(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        let fd = try Descriptor.open(path, O_RDONLY | O_NOCTTY)
        defer { Descriptor.close(fd) }
        let status = status(of: fd)
        if status?.isDirectory == true { throw SystemError("read", path, number: EISDIR) }
        // Files of /proc say that they are empty.
        let expected = status.flatMap { $0.bytes > 0 ? Int(clamping: $0.bytes) : nil } ?? 16383
        errno = 0
        guard let bytes = Descriptor.readAll(fd, limit: limit, expected: expected) else {
            throw SystemError("read", path, number: errno == 0 ? EFBIG : errno)
        }
        return bytes
    }

    /// Replaces a file's content at once: written beside it, then renamed over it. The new file
    /// belongs to `owner` if there is one, and has `exactMode` whatever the umask says. One that may be
    /// lost with a crash of the machine (`isDurable` false) is not waited for.
    package static func replace(
        _ path: String,
        with bytes: [UInt8],
        mode: UInt32,
        owner: Status? = nil,
        exactMode: UInt32? = nil,
        isDurable: Bool = true
    ) throws(SystemError) {
        let temporary = "\(path).\(getpid()).new"
        let fd = try Descriptor.open(
            temporary,
            O_WRONLY | O_CREAT | O_EXCL,
            mode: exactMode ?? mode
        )
        let isOwned =
            owner.map { owner in
                let made = status(of: fd)
                return made?.uid == owner.uid && made?.gid == owner.gid
                    || fchown(fd, owner.uid, owner.gid) == 0
            } ?? true
        guard isOwned, exactMode.map({ fchmod(fd, $0) == 0 }) ?? true else {
            let error = SystemError("chown", path)
            Descriptor.close(fd)
            _ = unsafe temporary.withCOctets { unsafe unlink($0) }
            throw error
        }
        let written = Descriptor.writeAll(fd, bytes) && (!isDurable || fsync(fd) == 0)
        let number = errno
        Descriptor.close(fd)
        guard written else {
            _ = unsafe temporary.withCOctets { unsafe unlink($0) }
            throw SystemError("write", path, number: number)
        }
        guard rename(temporary, path) else {
            let error = SystemError("rename", path)
            _ = unsafe temporary.withCOctets { unsafe unlink($0) }
            throw error
        }
    }

    /// Keeps contents that a file had in another, with the file's owner and mode.
    package static func keep(
        _ bytes: [UInt8],
        of path: String,
        in backup: String
    ) throws(SystemError) {
        let old = status(path)
        try replace(
            backup,
            with: bytes,
            mode: 0o600,
            owner: old,
            exactMode: old.map { $0.mode & 0o777 }
        )
    }

    /// Gives a path new contents: by `replace`, after which the file has the owner it had, or else
    /// in place. A link stays, and what it leads to is written; so are devices and pipes, and files
    /// that stand where no other can be put.
    ///
    /// `mode` is that of a new file, the process' umask applied. A file that is there keeps its own,
    /// if `keepsMode` says so, and has exactly `mode` otherwise.
    package static func rewrite(
        _ path: String,
        with bytes: [UInt8],
        mode: UInt32,
        keepsMode: Bool = true
    ) throws(SystemError) {
        let target = canonical(path) ?? path
        let old = status(path)
        if old == nil || old?.isRegular == true {
            let exact = old.map { keepsMode ? $0.mode & 0o777 : mode }
            do throws(SystemError) {
                try replace(target, with: bytes, mode: mode, owner: old, exactMode: exact)
                return
            } catch {
                // No space, say: the file is better left as it is.
                guard [EACCES, EPERM, EROFS, EBUSY, EXDEV, ENOENT].contains(error.number) else {
                    throw error
                }
            }
        }
        let fd = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, mode: mode)
        defer { Descriptor.close(fd) }
        guard Descriptor.writeAll(fd, bytes) else { throw SystemError("write", path) }
    }

    /// Makes a file that was not there; `EEXIST` when it was.
    package static func create(
        _ path: String,
        with bytes: [UInt8],
        mode: UInt32
    ) throws(SystemError) {
        let fd = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
        defer { Descriptor.close(fd) }
        guard Descriptor.writeAll(fd, bytes) else { throw SystemError("write", path) }
    }

    /// Appends lines, after an end of line if the file lacks its last one; makes the file if need be.
    package static func append(
        _ path: String,
        _ bytes: [UInt8],
        mode: UInt32 = 0o644
    ) throws(SystemError) {
        let fd = try Descriptor.open(path, O_RDWR | O_CREAT | O_APPEND, mode: mode)
        defer { Descriptor.close(fd) }
        var last: UInt8 = UInt8(ascii: "\n")
        if lseek(fd, -1, SEEK_END) >= 0 {
            // SAFETY: writes one byte.
            _ = unsafe Glibc.read(fd, &last, 1)
        }
        let gap = last == UInt8(ascii: "\n") ? [] : [UInt8(ascii: "\n")]
        guard Descriptor.writeAll(fd, gap + bytes) else { throw SystemError("write", path) }
    }

    package static func makeDirectory(_ path: String, mode: UInt32) throws(SystemError) {
        let result = unsafe path.withCOctets { unsafe mkdir($0, mode) }
        guard result == 0 || errno == EEXIST else {
            throw SystemError("mkdir", path)
        }
    }

    package static func remove(_ path: String) {
        _ = unsafe path.withCOctets { unsafe unlink($0) }
    }

    private static func rename(_ from: String, _ to: String) -> Bool {
        unsafe from.withCOctets { from in
            unsafe to.withCOctets { unsafe Glibc.rename(from, $0) == 0 }
        }
    }

    package static func rename(_ from: String, to: String) throws(SystemError) {
        guard rename(from, to) else { throw SystemError("rename", from) }
    }

    /// The canonical path. C: `realpath`.
    package static func canonical(_ path: String) -> String? {
        // SAFETY: the result is copied and freed.
        guard let result = unsafe path.withCOctets({ unsafe realpath($0, nil) }) else { return nil }
        defer { unsafe free(result) }
        return unsafe String(cOctets: result)
    }

    /// The paths that match a pattern, sorted; with `expandingTilde` `~` at its start is HOME, or the
    /// home of the user whose name follows. C: `glob`.
    package static func matches(_ pattern: String, expandingTilde: Bool = false) -> [String] {
        let flags = expandingTilde ? GLOB_TILDE : 0
        var result = unsafe glob_t()
        defer { unsafe globfree(&result) }
        // SAFETY: fills the structure, freed above.
        guard unsafe pattern.withCOctets({ unsafe glob($0, flags, nil, &result) }) == 0 else {
            return []
        }
        return unsafe (0..<Int(result.gl_pathc)).compactMap { index in
            unsafe result.gl_pathv[index].map { unsafe String(cOctets: $0) }
        }
    }

    /// Why a file that decides who gets in may not be trusted (StrictModes): it or a directory above
    /// it, up to `home`, belongs to someone else or others may write it. Nil when it is safe.
    package static func distrust(of path: String, owner: UInt32, home: String) -> String? {
        guard let real = canonical(path) else {
            return "realpath \(path) failed: \(SystemError.reason(errno))"
        }
        let realHome = canonical(home)
        guard let file = status(real) else { return "cannot stat \(real)" }
        guard file.isRegular else { return "\(real) is not a regular file" }
        if let reason = distrust(file, owner, "bad ownership or modes for file \(real)") {
            return reason
        }
        var directory = parent(of: real)
        while true {
            guard let status = status(directory) else { return "cannot stat \(directory)" }
            if let reason = distrust(
                status,
                owner,
                "bad ownership or modes for directory \(directory)"
            ) {
                return reason
            }
            if directory == realHome || directory == "/" { return nil }
            directory = parent(of: directory)
        }
    }

    private static func distrust(_ status: Status, _ owner: UInt32, _ reason: String) -> String? {
        let isOwned = status.uid == owner || status.uid == 0
        return isOwned && status.mode & 0o022 == 0 ? nil : reason
    }

    /// The directory that a path is in.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last part of a path.
    package static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
