// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
import HawserWire

/// Descriptors, children and signals as the server's processes use them: plain numbers, never
/// blocking, every result a value.
package enum Plumbing {
    /// What became of a read or a write.
    package enum Transfer: Equatable, Sendable {
        case moved(Int)
        /// Nothing now; wait.
        case wouldBlock
        /// Read: the other end has closed. Write: nobody reads any more.
        case ended
        case failed(errno: Int32)
    }

    /// Reads what there is, up to the span's size. C: `read`.
    package static func read(_ descriptor: Int32, into span: inout MutableRawSpan) -> Transfer {
        while true {
            let count = unsafe span.withUnsafeMutableBytes { buffer in
                // SAFETY: writes at most `buffer.count` bytes into it.
                unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            }
            if count > 0 { return .moved(count) }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            // A terminal whose last user has gone, a client that reset its connection.
            case EIO, ECONNRESET: return .ended
            default: return .failed(errno: errno)
            }
        }
    }

    /// Writes as much as goes. C: `write`.
    package static func write(_ descriptor: Int32, _ span: RawSpan) -> Transfer {
        guard span.byteCount > 0 else { return .moved(0) }
        while true {
            let count = unsafe span.withUnsafeBytes { buffer in
                // SAFETY: reads at most `buffer.count` bytes from it.
                unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count)
            }
            if count >= 0 { return .moved(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EPIPE, ECONNRESET, EIO: return .ended
            default: return .failed(errno: errno)
            }
        }
    }

    /// Writes everything, waiting as long as it takes. False when the other end has gone.
    @discardableResult
    package static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            switch write(descriptor, bytes.rawBytes.extracting(offset..<bytes.count)) {
            case .moved(let count): offset += count
            case .wouldBlock:
                var set = PollSet()
                set.add(descriptor, reading: false, writing: true)
                set.wait(nanoseconds: nil)
            default: return false
            }
        }
        return true
    }

    package static func close(_ descriptor: Int32) {
        _ = Glibc.close(descriptor)
    }

    /// Ends our direction of a socket. C: `shutdown(SHUT_WR)`.
    package static func finishWriting(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    package static func setNonBlocking(_ descriptor: Int32, _ value: Bool = true) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0 else { return }
        _ = fcntl(descriptor, F_SETFL, value ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)
    }

    package static func setCloseOnExec(_ descriptor: Int32, _ value: Bool = true) {
        _ = fcntl(descriptor, F_SETFD, value ? FD_CLOEXEC : 0)
    }

    /// A copy of a descriptor, numbered 3 or above, closed on exec.
    package static func duplicate(_ descriptor: Int32) -> Int32? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        return copy < 0 ? nil : copy
    }

    /// Makes `target` a copy of `descriptor` that exec keeps.
    package static func place(_ descriptor: Int32, at target: Int32) {
        if descriptor == target {
            setCloseOnExec(descriptor, false)
        } else {
            _ = dup2(descriptor, target)
        }
    }

    /// A pipe; both ends are closed on exec.
    package static func pipe() -> (reading: Int32, writing: Int32)? {
        var ends: [Int32] = [0, 0]
        // SAFETY: fills two numbers.
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { return nil }
        return (ends[0], ends[1])
    }

    /// Two connected sockets; both are closed on exec.
    package static func socketPair() -> (Int32, Int32)? {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue) | O_CLOEXEC
        // SAFETY: fills two numbers.
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { return nil }
        return (ends[0], ends[1])
    }

    /// Opens a file to append a log to.
    package static func openLog(_ path: String) -> Int32? {
        let descriptor = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        return descriptor < 0 ? nil : descriptor
    }

    package static func openNull() -> Int32? {
        let descriptor = unsafe Glibc.open("/dev/null", O_RDWR | O_CLOEXEC)
        return descriptor < 0 ? nil : descriptor
    }

    /// Nameless memory that holds `bytes` and can be given to another process.
    package static func memoryFile(_ name: String, _ bytes: [UInt8]) -> Int32? {
        let descriptor = unsafe memfd_create(name, 1)  // MFD_CLOEXEC
        guard descriptor >= 0 else { return nil }
        guard writeAll(descriptor, bytes) else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Everything in a memory file, whatever its offset.
    package static func contents(ofMemoryFile descriptor: Int32) -> [UInt8]? {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_size < 1 << 30 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: fills the rest of the array at most.
                unsafe pread(
                    descriptor,
                    buffer.baseAddress?.advanced(by: offset),
                    buffer.count - offset,
                    off_t(offset)
                )
            }
            guard count > 0 else { return nil }
            offset += count
        }
        return bytes
    }

    // MARK: Time

    /// Of the monotonic clock.
    package static func nanoseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Since 1970.
    package static func seconds() -> Int64 { Int64(time(nil)) }

    /// As ctime(3) writes a moment, without the line end.
    package static func text(ofTime seconds: Int64) -> String {
        var moment = time_t(seconds)
        var text = [CChar](repeating: 0, count: 64)
        // SAFETY: ctime_r needs 26 bytes.
        guard unsafe ctime_r(&moment, &text) != nil else { return "" }
        let bytes = text.prefix(while: { $0 != 0 && $0 != 10 }).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The moment that a civil time of the system's time zone means.
    package static func localTime(
        year: Int,
        month: Int,
        day: Int,
        hour: Int,
        minute: Int,
        second: Int
    ) -> Int64 {
        var parts = unsafe tm()
        unsafe parts.tm_year = Int32(clamping: year - 1900)
        unsafe parts.tm_mon = Int32(clamping: month - 1)
        unsafe parts.tm_mday = Int32(clamping: day)
        unsafe parts.tm_hour = Int32(clamping: hour)
        unsafe parts.tm_min = Int32(clamping: minute)
        unsafe parts.tm_sec = Int32(clamping: second)
        unsafe parts.tm_isdst = -1
        return unsafe Int64(mktime(&parts))
    }
}

/// Descriptors to wait for, and what is known of them afterwards. C: `ppoll`.
package struct PollSet {
    private var entries: [pollfd] = []

    package init() {}

    /// Whether there is nothing in it.
    package var isEmpty: Bool { entries.isEmpty }

    package mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds a descriptor and returns its place. Errors and hang-ups are always told.
    @discardableResult
    package mutating func add(_ descriptor: Int32, reading: Bool, writing: Bool = false) -> Int {
        let events = (reading ? Int16(POLLIN) : 0) | (writing ? Int16(POLLOUT) : 0)
        entries.append(pollfd(fd: descriptor, events: events, revents: 0))
        return entries.count - 1
    }

    /// Waits until something is ready or so much time has passed; nil waits for ever. Returns
    /// early when a signal comes.
    package mutating func wait(nanoseconds: UInt64?) {
        let count = nfds_t(entries.count)
        var limit = timespec()
        if let nanoseconds {
            limit.tv_sec = Int(clamping: nanoseconds / 1_000_000_000)
            limit.tv_nsec = Int(nanoseconds % 1_000_000_000)
        }
        // SAFETY: the kernel changes `count` entries and keeps no pointer.
        let ready =
            nanoseconds == nil
            ? unsafe ppoll(&entries, count, nil, nil)
            : unsafe ppoll(&entries, count, &limit, nil)
        if ready < 0 { for index in entries.indices { entries[index].revents = 0 } }
    }

    /// Whether reading will not wait: there are bytes, or an end, or an error to be told.
    package func canRead(_ place: Int) -> Bool {
        entries[place].revents & Int16(POLLIN | POLLHUP | POLLERR | POLLNVAL) != 0
    }

    package func canWrite(_ place: Int) -> Bool {
        entries[place].revents & Int16(POLLOUT | POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// Whether nobody is at the other end any more.
    package func hasHungUp(_ place: Int) -> Bool {
        entries[place].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
    }
}
