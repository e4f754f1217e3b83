// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// What a read or a write of a descriptor came to.
package enum Transfer: Equatable, Sendable {
    case bytes(Int)
    /// Nothing now; poll says when.
    case wouldBlock
    /// The other end is closed: nothing more to read, or no one to write to.
    case ended
    case failed(Int32)

    /// How many bytes it moved.
    package var count: Int {
        guard case .bytes(let count) = self else { return 0 }
        return count
    }

    /// Nothing more will be moved.
    package var isOver: Bool {
        switch self {
        case .bytes, .wouldBlock: false
        case .ended, .failed: true
        }
    }
}

/// Calls on descriptors, which loops hold as numbers.
package enum Descriptor {
    package static let standardInput: Int32 = 0
    package static let standardOutput: Int32 = 1
    package static let standardError: Int32 = 2

    /// C: `read`.
    package static func read(_ fd: Int32, into bytes: inout MutableRawSpan) -> Transfer {
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            // SAFETY: writes at most `count` bytes to the buffer.
            retrying { unsafe Glibc.read(fd, buffer.baseAddress, buffer.count) }
        }
        if count > 0 { return .bytes(count) }
        if count == 0 { return .ended }
        switch errno {
        case EAGAIN: return .wouldBlock
        // The terminal's other end is gone, the peer has reset the connection.
        case EIO, ECONNRESET, EPIPE: return .ended
        default: return .failed(errno)
        }
    }

    /// C: `write`.
    package static func write(_ fd: Int32, _ bytes: RawSpan) -> Transfer {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: reads `count` bytes of the buffer.
            retrying { unsafe Glibc.write(fd, buffer.baseAddress, buffer.count) }
        }
        if count >= 0 { return .bytes(count) }
        switch errno {
        case EAGAIN: return .wouldBlock
        case EPIPE, ECONNRESET, EIO: return .ended
        default: return .failed(errno)
        }
    }

    /// The number of the error that the last call ended with, if it did; set it to 0 before.
    package static var lastError: Int32 {
        get { errno }
        set { errno = newValue }
    }

    /// Writes everything, waiting as long as it takes; false when the other end is gone.
    @discardableResult
    package static func writeAll(_ fd: Int32, _ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            switch write(fd, bytes.rawBytes.extracting(droppingFirst: start)) {
            case .bytes(let count): start += count
            case .wouldBlock: waitUntilReady(fd, forWriting: true)
            case .ended, .failed: return false
            }
        }
        return true
    }

    /// Reads `count` bytes, waiting at most `milliseconds` for each part of them (-1: without bound);
    /// nil when the other end is gone or too slow. The bytes are in no other buffer.
    package static func readExactly(
        _ fd: Int32,
        count: Int,
        milliseconds: Int32 = -1
    ) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            if milliseconds >= 0 {
                guard waitUntilReady(fd, forWriting: false, milliseconds: milliseconds) else {
                    return nil
                }
            }
            var span = bytes.mutableRawBytes
            var rest = span.suffix(from: filled)
            switch read(fd, into: &rest) {
            case .bytes(let more): filled += more
            case .wouldBlock: waitUntilReady(fd, forWriting: false)
            case .ended, .failed: return nil
            }
        }
        return bytes
    }

    /// Reads one message behind its length (uint32), as agents and our helpers frame them; nil when
    /// it is empty, longer than `limitBytes`, or `readExactly` gives up.
    package static func readMessage(
        _ fd: Int32,
        limitBytes: Int,
        milliseconds: Int32 = -1
    ) -> [UInt8]? {
        guard let head = readExactly(fd, count: 4, milliseconds: milliseconds) else { return nil }
        let count = Int(head.rawBytes.bigEndianUInt32(at: 0))
        guard count > 0, count <= limitBytes else { return nil }
        return readExactly(fd, count: count, milliseconds: milliseconds)
    }

    /// Reads to the end, at most `limit` bytes; `expected` is how many there probably are.
    package static func readAll(_ fd: Int32, limit: Int, expected: Int = 16383) -> [UInt8]? {
        var result: [UInt8] = []
        // One more, so that the end is seen without another turn of the same size.
        var chunk = [UInt8](repeating: 0, count: Swift.min(Swift.max(expected, 0), 65535) + 1)
        while result.count <= limit {
            var span = chunk.mutableRawBytes
            switch read(fd, into: &span) {
            case .bytes(let count): result += chunk[0..<count]
            case .wouldBlock: waitUntilReady(fd, forWriting: false)
            case .ended: return result
            case .failed: return nil
            }
        }
        return nil
    }

    /// Waits for one descriptor, at most `milliseconds`; false when the time is over. C: `poll`.
    @discardableResult
    package static func waitUntilReady(
        _ fd: Int32,
        forWriting: Bool,
        milliseconds: Int32 = -1
    ) -> Bool {
        var entry = pollfd(fd: fd, events: Int16(forWriting ? POLLOUT : POLLIN), revents: 0)
        // SAFETY: one entry.
        return retrying { Int(unsafe poll(&entry, 1, milliseconds)) } > 0
    }

    package static func close(_ fd: Int32) {
        guard fd >= 0 else { return }
        _ = Glibc.close(fd)
    }

    /// Makes reads and writes return `wouldBlock` instead of waiting. The flag belongs to the open
    /// file: other processes that share it see it too.
    package static func setNonblocking(_ fd: Int32, _ isOn: Bool = true) {
        let flags = fcntl(fd, F_GETFL)
        guard flags >= 0 else { return }
        let wanted = isOn ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
        if wanted != flags { _ = fcntl(fd, F_SETFL, wanted) }
    }

    package static func isNonblocking(_ fd: Int32) -> Bool {
        let flags = fcntl(fd, F_GETFL)
        return flags >= 0 && flags & O_NONBLOCK != 0
    }

    /// A descriptor of an open file of this process alone for the pipe or pseudo terminal that `fd` is,
    /// which never waits. `O_NONBLOCK` on `fd` itself would be seen by everyone who shares its open
    /// file: their writes would fail, and whoever of them takes it away first lets the others wait.
    /// Nil for what is neither, or cannot be opened anew: another user's, or without /proc.
    package static func reopened(_ fd: Int32, forWriting: Bool) -> Int32? {
        let mode = fcntl(fd, F_GETFL)
        let wanted = forWriting ? O_WRONLY : O_RDONLY
        guard mode >= 0, mode & O_ACCMODE == wanted || mode & O_ACCMODE == O_RDWR else {
            return nil
        }
        let link = "/proc/self/fd/\(fd)"
        var name = [CChar](repeating: 0, count: 64)
        // SAFETY: writes at most `count` bytes.
        let count = unsafe readlink(link, &name, name.count)
        guard count > 0 else { return nil }
        // Not a named pipe, which tells a new reader of no end that has come before, nor /dev/tty,
        // which is each process' own.
        let target = name[..<count].lazy.map { UInt8(bitPattern: $0) }
        guard target.starts(with: "pipe:[".utf8) || target.starts(with: "/dev/pts/".utf8) else {
            return nil
        }
        let copy = unsafe Glibc.open(link, wanted | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return copy >= 0 ? copy : nil
    }

    package static func setCloseOnExec(_ fd: Int32, _ isOn: Bool = true) {
        _ = fcntl(fd, F_SETFD, isOn ? FD_CLOEXEC : 0)
    }

    package static func isOpen(_ fd: Int32) -> Bool { fcntl(fd, F_GETFD) >= 0 }

    package static func isTerminal(_ fd: Int32) -> Bool { isatty(fd) == 1 }

    /// Puts the place of a file that is open back by so many bytes.
    package static func moveBack(_ fd: Int32, byteCount: Int) {
        _ = lseek(fd, -off_t(byteCount), SEEK_CUR)
    }

    /// A copy that is not inherited. C: `fcntl(F_DUPFD_CLOEXEC)`.
    package static func duplicate(
        _ fd: Int32,
        atLeast minimum: Int32 = 3
    ) throws(SystemError)
        -> Int32
    {
        let copy = fcntl(fd, F_DUPFD_CLOEXEC, minimum)
        guard copy >= 0 else { throw SystemError("dup") }
        return copy
    }

    /// Makes `target` mean what `fd` means. C: `dup2`.
    package static func replace(_ target: Int32, with fd: Int32) throws(SystemError) {
        guard dup2(fd, target) >= 0 else { throw SystemError("dup2") }
    }

    /// A pipe that is not inherited. C: `pipe2`.
    package static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        // SAFETY: writes two numbers.
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("pipe") }
        return (ends[0], ends[1])
    }

    /// Two connected Unix stream sockets that are not inherited. C: `socketpair`.
    package static func socketPair() throws(SystemError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        // SAFETY: writes two numbers.
        guard
            unsafe socketpair(
                AF_UNIX,
                Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
                0,
                &ends
            ) == 0
        else { throw SystemError("socketpair") }
        return (ends[0], ends[1])
    }

    /// Opens a file that is not inherited. C: `open`.
    package static func open(
        _ path: String,
        _ flags: Int32,
        mode: UInt32 = 0o600
    ) throws(SystemError) -> Int32 {
        let fd = unsafe path.withCOctets { unsafe Glibc.open($0, flags | O_CLOEXEC, mode) }
        guard fd >= 0 else { throw SystemError("open", path) }
        return fd
    }

    /// Points the three standard descriptors that are closed at /dev/null, so that no file or
    /// socket takes their numbers.
    package static func ensureStandardDescriptors() {
        for fd in 0...2 where !isOpen(Int32(fd)) {
            _ = unsafe Glibc.open("/dev/null", O_RDWR)
        }
    }

    /// Points the standard descriptors at /dev/null.
    package static func useNull(_ descriptors: [Int32]) {
        guard let null = try? open("/dev/null", O_RDWR) else { return }
        for fd in descriptors { _ = dup2(null, fd) }
        if null > 2 { close(null) }
    }

    /// Locks an open file for this process and its copies alone; false when another has it.
    /// C: `flock(LOCK_EX | LOCK_NB)`.
    package static func lock(_ fd: Int32) -> Bool { flock(fd, LOCK_EX | LOCK_NB) == 0 }

    /// Closes every descriptor from `first` on. C: `close_range`.
    package static func closeAll(from first: Int32) {
        _ = close_range(UInt32(first), .max, 0)
    }
}

/// Repeats a call that a signal interrupted.
func retrying(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
