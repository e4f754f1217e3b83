// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Calls on files by path and descriptor, for programs that pass the kernel's answer on.
///
/// Each returns what the call returns, or the negative number of errno(3).
package enum FileCalls {
    /// How a file is opened.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
        package static let readOnly = Flags(rawValue: O_RDONLY)
        package static let writeOnly = Flags(rawValue: O_WRONLY)
        package static let readWrite = Flags(rawValue: O_RDWR)
        package static let create = Flags(rawValue: O_CREAT)
        package static let truncate = Flags(rawValue: O_TRUNC)
        package static let exclusive = Flags(rawValue: O_EXCL)
        package static let append = Flags(rawValue: O_APPEND)
        package static let nonblocking = Flags(rawValue: O_NONBLOCK)
        package static let directory = Flags(rawValue: O_DIRECTORY)
    }

    // MARK: Open files

    package static func open(_ path: FilePath, _ flags: Flags, mode: UInt32 = 0o666) -> Int {
        outcome {
            unsafe withCPath(path) {
                unsafe Int(Glibc.open($0, flags.rawValue | O_CLOEXEC | O_NOCTTY, mode))
            }
        }
    }

    package static func close(_ fd: Int32) -> Int {
        Glibc.close(fd) == 0 ? 0 : -Int(errno)
    }

    /// Fills `bytes` from `offset` on; short only at the end of the file or for a file of no size.
    package static func read(
        _ fd: Int32,
        at offset: UInt64,
        into bytes: inout MutableRawSpan
    )
        -> Int
    {
        guard let offset = Int(exactly: offset) else { return -Int(EINVAL) }
        return unsafe bytes.withUnsafeMutableBytes { room in
            // SAFETY: writes at most `count` bytes.
            outcome { unsafe pread(fd, room.baseAddress, room.count, offset) }
        }
    }

    /// Reads on from where the descriptor is.
    package static func read(_ fd: Int32, into bytes: inout MutableRawSpan) -> Int {
        unsafe bytes.withUnsafeMutableBytes { room in
            // SAFETY: writes at most `count` bytes.
            outcome { unsafe Glibc.read(fd, room.baseAddress, room.count) }
        }
    }

    /// Writes some or all of `bytes` at `offset`.
    package static func write(_ fd: Int32, at offset: UInt64, _ bytes: RawSpan) -> Int {
        guard let offset = Int(exactly: offset) else { return -Int(EINVAL) }
        return unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: reads `count` bytes.
            outcome { unsafe pwrite(fd, buffer.baseAddress, buffer.count, offset) }
        }
    }

    /// Writes some or all of `bytes` where the descriptor is, or at the end when it appends.
    package static func write(_ fd: Int32, _ bytes: RawSpan) -> Int {
        unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: reads `count` bytes.
            outcome { unsafe Glibc.write(fd, buffer.baseAddress, buffer.count) }
        }
    }

    /// Copies inside the kernel and returns how many bytes; `EXDEV` and others where it cannot.
    package static func copy(
        from: Int32,
        at fromOffset: UInt64,
        to: Int32,
        at toOffset: UInt64,
        bytes: Int
    ) -> Int {
        guard var source = off_t(exactly: fromOffset), var target = off_t(exactly: toOffset) else {
            return -Int(EINVAL)
        }
        // SAFETY: reads and writes the two offsets.
        return outcome { unsafe copy_file_range(from, &source, to, &target, bytes, 0) }
    }

    package static func synchronize(_ fd: Int32) -> Int { outcome { Int(fsync(fd)) } }

    /// Makes the file's blocks beforehand, as far as the file system can.
    package static func truncate(_ fd: Int32, to bytes: UInt64) -> Int {
        guard let bytes = off_t(exactly: bytes) else { return -Int(EINVAL) }
        return outcome { Int(ftruncate(fd, bytes)) }
    }

    package static func truncate(_ path: FilePath, to bytes: UInt64) -> Int {
        guard let bytes = off_t(exactly: bytes) else { return -Int(EINVAL) }
        return outcome { unsafe withCPath(path) { unsafe Int(Glibc.truncate($0, bytes)) } }
    }

    // MARK: Status

    package static func status(_ path: FilePath, followingLinks: Bool) -> (Int, FileStatus?) {
        var value = stat()
        let result = outcome {
            unsafe withCPath(path) { name in
                // SAFETY: fills one structure.
                unsafe Int(followingLinks ? stat(name, &value) : lstat(name, &value))
            }
        }
        return (result, result == 0 ? FileStatus(value) : nil)
    }

    package static func status(of fd: Int32) -> (Int, FileStatus?) {
        var value = stat()
        // SAFETY: fills one structure.
        let result = outcome { Int(unsafe fstat(fd, &value)) }
        return (result, result == 0 ? FileStatus(value) : nil)
    }

    package static func fileSystem(_ path: FilePath) -> (Int, FileSystemStatus?) {
        var value = statvfs()
        let result = outcome {
            // SAFETY: fills one structure.
            unsafe withCPath(path) { unsafe Int(statvfs($0, &value)) }
        }
        return (result, result == 0 ? FileSystemStatus(value) : nil)
    }

    package static func fileSystem(of fd: Int32) -> (Int, FileSystemStatus?) {
        var value = statvfs()
        // SAFETY: fills one structure.
        let result = outcome { Int(unsafe fstatvfs(fd, &value)) }
        return (result, result == 0 ? FileSystemStatus(value) : nil)
    }

    // MARK: Changes

    package static func setMode(_ path: FilePath, _ mode: UInt32, followingLinks: Bool) -> Int {
        outcome {
            unsafe withCPath(path) {
                unsafe Int(
                    fchmodat(AT_FDCWD, $0, mode, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW)
                )
            }
        }
    }

    package static func setMode(of fd: Int32, _ mode: UInt32) -> Int {
        outcome { Int(fchmod(fd, mode)) }
    }

    package static func setOwner(
        _ path: FilePath,
        uid: UInt32,
        gid: UInt32,
        followingLinks: Bool
    ) -> Int {
        outcome {
            unsafe withCPath(path) {
                unsafe Int(
                    fchownat(AT_FDCWD, $0, uid, gid, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW)
                )
            }
        }
    }

    package static func setOwner(of fd: Int32, uid: UInt32, gid: UInt32) -> Int {
        outcome { Int(fchown(fd, uid, gid)) }
    }

    /// Seconds since 1970.
    package static func setTimes(
        _ path: FilePath,
        access: Int64,
        modification: Int64,
        followingLinks: Bool
    ) -> Int {
        let times = [
            timespec(tv_sec: Int(access), tv_nsec: 0),
            timespec(tv_sec: Int(modification), tv_nsec: 0),
        ]
        return outcome {
            unsafe withCPath(path) {
                // SAFETY: reads two times.
                unsafe Int(
                    utimensat(AT_FDCWD, $0, times, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW)
                )
            }
        }
    }

    package static func setTimes(of fd: Int32, access: Int64, modification: Int64) -> Int {
        let times = [
            timespec(tv_sec: Int(access), tv_nsec: 0),
            timespec(tv_sec: Int(modification), tv_nsec: 0),
        ]
        // SAFETY: reads two times.
        return outcome { Int(unsafe futimens(fd, times)) }
    }

    package static func makeDirectory(_ path: FilePath, mode: UInt32) -> Int {
        outcome { unsafe withCPath(path) { unsafe Int(mkdir($0, mode)) } }
    }

    package static func removeDirectory(_ path: FilePath) -> Int {
        outcome { unsafe withCPath(path) { unsafe Int(rmdir($0)) } }
    }

    package static func remove(_ path: FilePath) -> Int {
        outcome { unsafe withCPath(path) { unsafe Int(unlink($0)) } }
    }

    package static func rename(_ from: FilePath, to: FilePath) -> Int {
        outcome {
            unsafe withCPath(from) { old in
                unsafe withCPath(to) { unsafe Int(Glibc.rename(old, $0)) }
            }
        }
    }

    package static func link(_ from: FilePath, to: FilePath) -> Int {
        outcome {
            unsafe withCPath(from) { old in unsafe withCPath(to) { unsafe Int(Glibc.link(old, $0)) }
            }
        }
    }

    package static func symbolicLink(_ target: FilePath, at path: FilePath) -> Int {
        outcome {
            unsafe withCPath(target) { old in
                unsafe withCPath(path) { unsafe Int(symlink(old, $0)) }
            }
        }
    }

    package static func readLink(_ path: FilePath) -> (Int, FilePath) {
        var room = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = outcome {
            unsafe withCPath(path) { name in
                unsafe room.withUnsafeMutableBytes { bytes in
                    // SAFETY: writes at most `count` bytes.
                    guard let start = unsafe bytes.bindMemory(to: CChar.self).baseAddress else {
                        return 0
                    }
                    return unsafe Glibc.readlink(name, start, bytes.count)
                }
            }
        }
        return (min(count, 0), count > 0 ? Array(room[..<count]) : [])
    }

    /// The canonical path of a file that is there. C: `realpath`.
    package static func canonical(_ path: FilePath) -> (Int, FilePath) {
        var result: FilePath = []
        let status = outcome {
            unsafe withCPath(path) { name in
                // SAFETY: the answer is copied and freed.
                guard let found = unsafe realpath(name, nil) else { return -1 }
                defer { unsafe free(found) }
                unsafe result = Self.bytes(of: found)
                return 0
            }
        }
        return (status, result)
    }

    package static func changeDirectory(_ path: FilePath) -> Int {
        outcome { unsafe withCPath(path) { unsafe Int(chdir($0)) } }
    }

    package static var workingDirectory: FilePath {
        var room = [CChar](repeating: 0, count: Int(PATH_MAX))
        // SAFETY: writes at most `count` bytes with a zero at the end.
        guard unsafe getcwd(&room, room.count) != nil else { return [UInt8(ascii: ".")] }
        return unsafe room.withUnsafeBufferPointer { list in
            guard let start = list.baseAddress else { return [] }
            return unsafe bytes(of: start)
        }
    }

    /// Whether the process may read, write (`W_OK` 2) or run a file. C: `access`.
    package static func mayWrite(_ path: FilePath) -> Bool {
        outcome { unsafe withCPath(path) { unsafe Int(access($0, W_OK)) } } == 0
    }

    static func bytes(of string: UnsafePointer<CChar>) -> [UInt8] {
        let count = unsafe strlen(string)
        // SAFETY: `count` bytes before the zero.
        return unsafe Array(UnsafeRawBufferPointer(start: string, count: count))
    }

    /// How many files this process may have open at once. C: `getrlimit`.
    package static var openFileLimit: Int? {
        var limit = rlimit()
        // SAFETY: fills one structure.
        guard unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0, limit.rlim_cur != .max else {
            return nil
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// The bytes a pipe holds before its writer waits; other descriptors are left alone.
    package static func setPipeBytes(_ fd: Int32, _ bytes: Int32) {
        _ = hawser_set_pipe_bytes(fd, bytes)
    }
}
