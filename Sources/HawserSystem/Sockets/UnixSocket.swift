// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Unix stream sockets: safe creation, who is at the other end, descriptors across.
package enum UnixSocket {
    /// Who is at the other end. C: `SO_PEERCRED`.
    package struct Peer: Equatable, Sendable {
        package let pid: Int32
        package let uid: UInt32
        package let gid: UInt32
    }

    package static func peer(of fd: Int32) -> Peer? {
        var credentials = hawser_ucred()
        var count = socklen_t(MemoryLayout<hawser_ucred>.size)
        // SAFETY: the kernel's structure has this layout; writes at most its size.
        guard unsafe getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &count) == 0 else {
            return nil
        }
        return Peer(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }

    /// Connects to the socket at `path`; the result does not wait. A path of more than 107 bytes is
    /// reached by way of a descriptor of its file.
    package static func connect(_ path: String) throws(SystemError) -> Int32 {
        guard let address = SocketAddress.unix(path) else {
            let file = try Descriptor.open(path, pathOnly)
            defer { Descriptor.close(file) }
            return try connect("/proc/self/fd/\(file)")
        }
        let fd = try Socket.make(AF_UNIX)
        do throws(SystemError) {
            _ = try Socket.connect(fd, to: address)
            return fd
        } catch {
            Descriptor.close(fd)
            throw SystemError("connect", path, number: error.number)
        }
    }

    /// A listening socket at `path` that only its owner can connect to, from its first moment on.
    ///
    /// It is made under a temporary name beside it and linked to `path`, which fails with `EEXIST`
    /// when something is there already: nothing is ever replaced. Where these names are too long for
    /// a socket, a shorter one in the same directory is used.
    package static func listening(at path: String, temporary: String) throws(SystemError) -> Int32 {
        if let address = SocketAddress.unix(temporary) {
            return try listening(at: path, address, temporary)
        }
        guard path.octets.count < Int(PATH_MAX) else {
            throw SystemError("bind", path, number: ENAMETOOLONG)
        }
        let parent = Files.parent(of: path)
        let directory = try Descriptor.open(parent, pathOnly | O_DIRECTORY)
        defer { Descriptor.close(directory) }
        let name = ".hawser-\(getpid())-\(Clock.nanoseconds)"
        guard let address = SocketAddress.unix("/proc/self/fd/\(directory)/\(name)") else {
            throw SystemError("bind", path, number: ENAMETOOLONG)
        }
        return try listening(at: path, address, "\(parent)/\(name)")
    }

    private static func listening(
        at path: String,
        _ address: SocketAddress,
        _ temporary: String
    ) throws(SystemError) -> Int32 {
        let fd = try Socket.make(AF_UNIX)
        let mask = umask(0o177)
        defer { umask(mask) }
        do throws(SystemError) {
            try Socket.bind(fd, to: address)
            defer { _ = unsafe temporary.withCOctets { unsafe unlink($0) } }
            guard listen(fd, 1024) == 0 else { throw SystemError("listen", path) }
            let linked = unsafe temporary.withCOctets { temporary in
                unsafe path.withCOctets { unsafe link(temporary, $0) }
            }
            guard linked == 0 else { throw SystemError("link", path) }
            return fd
        } catch {
            Descriptor.close(fd)
            throw SystemError(error.call, path, number: error.number)
        }
    }

    // O_PATH, behind _GNU_SOURCE.
    private static let pathOnly: Int32 = 0o10_000_000

    /// Removes the socket at `path` if nobody listens there any more. Only for who alone may make
    /// one there.
    package static func removeStale(_ path: String) {
        do throws(SystemError) {
            Descriptor.close(try connect(path))
        } catch {
            guard error.number == ECONNREFUSED,
                let status = Files.status(path, followingLinks: false), status.isSocket,
                status.uid == geteuid()
            else { return }
            Files.remove(path)
        }
    }

    /// The paths at which sockets of this machine listen. C: /proc/net/unix.
    package static var listeningPaths: [String] {
        guard let bytes = try? Files.read("/proc/net/unix") else { return [] }
        var paths: [String] = []
        for line in String(octets: bytes).split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ", maxSplits: 7)
            // Flags 00010000: it accepts connections.
            guard fields.count == 8, fields[3] == "00010000", fields[7].hasPrefix("/") else {
                continue
            }
            paths.append(String(fields[7]))
        }
        return paths
    }

    /// A listening socket at `path` whose file has the mode 0666 without `mask`. With `replacing`,
    /// what is at `path` is removed before. C: `bind`, `listen`.
    package static func listening(
        at path: String,
        mask bits: UInt32,
        replacing: Bool
    ) throws(SystemError) -> Int32 {
        guard let address = SocketAddress.unix(path) else {
            throw SystemError("bind", path, number: ENAMETOOLONG)
        }
        let fd = try Socket.make(AF_UNIX)
        if replacing { _ = unsafe path.withCOctets { unsafe unlink($0) } }
        let before = umask(bits & 0o777)
        defer { umask(before) }
        do throws(SystemError) {
            try Socket.bind(fd, to: address)
            guard listen(fd, 128) == 0 else { throw SystemError("listen", path) }
            return fd
        } catch {
            Descriptor.close(fd)
            throw SystemError(error.call, path, number: error.number)
        }
    }

    // MARK: Descriptors across (SCM_RIGHTS, unix(7))

    /// Sends one byte with descriptors.
    package static func send(_ descriptors: [Int32], over fd: Int32) throws(SystemError) {
        let header = 16
        var control = [UInt8](repeating: 0, count: (header + descriptors.count * 4 + 7) & ~7)
        store(UInt64(header + descriptors.count * 4), in: &control, at: 0)
        store(UInt32(bitPattern: SOL_SOCKET), in: &control, at: 8)
        store(1 as UInt32, in: &control, at: 12)  // SCM_RIGHTS
        for (index, number) in descriptors.enumerated() {
            store(UInt32(bitPattern: number), in: &control, at: header + 4 * index)
        }
        var byte: UInt8 = 0
        while true {
            // SAFETY: the message and what it points to live to the end of the call.
            let sent = unsafe withMessage(&byte, &control) { unsafe sendmsg(fd, $0, 0) }
            if sent >= 0 { return }
            switch errno {
            case EINTR: continue
            case EAGAIN: Descriptor.waitUntilReady(fd, forWriting: true)
            default: throw SystemError("sendmsg")
            }
        }
    }

    /// Receives one byte with exactly `count` descriptors, which are not inherited. Throws `EPROTO`
    /// when another number came, and `EAGAIN` when nothing has and `waits` is false.
    package static func receive(
        _ count: Int,
        over fd: Int32,
        waits: Bool = true
    ) throws(SystemError) -> [Int32] {
        let header = 16
        var control = [UInt8](repeating: 0, count: (header + count * 4 + 7) & ~7)
        var byte: UInt8 = 0
        while true {
            // SAFETY: as in `send`.
            let received = unsafe withMessage(&byte, &control) {
                unsafe recvmsg(fd, $0, Int32(MSG_CMSG_CLOEXEC))
            }
            if received > 0 { break }
            if received == 0 { throw SystemError("recvmsg", number: ECONNRESET) }
            switch errno {
            case EINTR: continue
            case EAGAIN where waits: Descriptor.waitUntilReady(fd, forWriting: false)
            default: throw SystemError("recvmsg")
            }
        }
        let length = Int(load(control, at: 0, bytes: 8))
        let found = max(0, min(length, control.count) - header) / 4
        let descriptors = (0..<found).map {
            Int32(truncatingIfNeeded: load(control, at: header + 4 * $0, bytes: 4))
        }
        guard load(control, at: 12, bytes: 4) == 1, found == count else {
            descriptors.forEach(Descriptor.close)
            throw SystemError("recvmsg", number: EPROTO)
        }
        return descriptors
    }

    private static func withMessage(
        _ byte: inout UInt8,
        _ control: inout [UInt8],
        _ call: (UnsafeMutablePointer<msghdr>) -> Int
    ) -> Int {
        unsafe withUnsafeMutableBytes(of: &byte) { data in
            var part = unsafe iovec(iov_base: data.baseAddress, iov_len: 1)
            return unsafe control.withUnsafeMutableBytes { room in
                unsafe withUnsafeMutablePointer(to: &part) { part in
                    var message = unsafe msghdr()
                    unsafe message.msg_iov = part
                    unsafe message.msg_iovlen = 1
                    unsafe message.msg_control = room.baseAddress
                    unsafe message.msg_controllen = room.count
                    return unsafe call(&message)
                }
            }
        }
    }

    private static func store<Value: FixedWidthInteger>(
        _ value: Value,
        in bytes: inout [UInt8],
        at offset: Int
    ) {
        for index in 0..<MemoryLayout<Value>.size {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
        }
    }

    private static func load(_ bytes: [UInt8], at offset: Int, bytes count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
}

extension UnixSocket {
    /// A listening socket at a path where nothing is yet, for this user alone.
    package static func listening(at path: String) throws(SystemError) -> Int32 {
        try listening(at: path, mask: 0o177, replacing: false)
    }
}

extension Descriptor {
    /// How many descriptors this process may have.
    package static var limit: Int { max(64, Int(hawser_descriptor_limit())) }
}
