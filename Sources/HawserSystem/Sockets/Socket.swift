// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Stream sockets.
package enum Socket {
    /// A new socket of a family that is not inherited and does not wait. C: `socket`.
    package static func make(_ family: Int32) throws(SystemError) -> Int32 {
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let fd = socket(family, kind, 0)
        guard fd >= 0 else { throw SystemError("socket") }
        return fd
    }

    package enum ConnectResult { case connected, inProgress }

    /// Begins to connect. C: `connect`.
    package static func connect(
        _ fd: Int32,
        to address: SocketAddress
    ) throws(SystemError)
        -> ConnectResult
    {
        let result = unsafe address.withC { unsafe Glibc.connect(fd, $0, $1) }
        if result == 0 { return .connected }
        guard errno == EINPROGRESS || errno == EINTR else { throw SystemError("connect") }
        // Within this host the other end has answered by now, and asking is cheaper than waiting.
        guard address.isLoopback else { return .inProgress }
        let again = unsafe address.withC { unsafe Glibc.connect(fd, $0, $1) }
        if again == 0 || errno == EISCONN { return .connected }
        guard errno == EALREADY || errno == EINPROGRESS else { throw SystemError("connect") }
        return .inProgress
    }

    /// What became of a connection that was in progress. C: `getsockopt(SO_ERROR)`.
    package static func connectError(_ fd: Int32) -> Int32 { option(fd, SOL_SOCKET, SO_ERROR) ?? 0 }

    /// Connects within `milliseconds` (nil: the system's own bound). The result does not wait.
    package static func connected(
        to address: SocketAddress,
        from local: SocketAddress? = nil,
        milliseconds: Int32? = nil
    ) throws(SystemError) -> Int32 {
        let fd = try make(address.family)
        do throws(SystemError) {
            if let local { try bind(fd, to: local) }
            if try connect(fd, to: address) == .inProgress {
                guard
                    Descriptor.waitUntilReady(
                        fd,
                        forWriting: true,
                        milliseconds: milliseconds ?? -1
                    )
                else { throw SystemError("connect", number: ETIMEDOUT) }
                let error = connectError(fd)
                if error != 0 { throw SystemError("connect", number: error) }
            }
            return fd
        } catch {
            Descriptor.close(fd)
            throw error
        }
    }

    package static func bind(_ fd: Int32, to address: SocketAddress) throws(SystemError) {
        let result = unsafe address.withC { unsafe Glibc.bind(fd, $0, $1) }
        guard result == 0 else { throw SystemError("bind", address.host) }
    }

    /// A listening socket on an address, of one network interface alone if one is named. An IPv6
    /// socket takes IPv6 only. What it accepts sends small messages at once.
    package static func listening(
        on address: SocketAddress,
        interface: String? = nil,
        backlog: Int32 = 128
    ) throws(SystemError) -> Int32 {
        let fd = try make(address.family)
        do throws(SystemError) {
            if let interface { try bind(fd, toInterface: interface) }
            setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
            setNoDelay(fd)
            if address.isIPv6 { setOption(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
            try bind(fd, to: address)
            guard listen(fd, backlog) == 0 else { throw SystemError("listen", address.host) }
            return fd
        } catch {
            Descriptor.close(fd)
            throw error
        }
    }

    package enum Accepted {
        case connection(Int32, SocketAddress)
        case nothing
        case failed(Int32)
    }

    /// Takes one waiting connection; it is not inherited. C: `accept4`.
    package static func accept(_ listener: Int32) -> Accepted {
        let (fd, address) = unsafe SocketAddress.filled { address, count in
            unsafe accept4(
                listener,
                address,
                count,
                Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            )
        }
        if fd >= 0 { return .connection(fd, address) }
        switch errno {
        case EAGAIN, EINTR, ECONNABORTED: return .nothing
        default: return .failed(errno)
        }
    }

    /// The other end's address, or nil when it is not a connected socket.
    package static func peer(of fd: Int32) -> SocketAddress? {
        let (result, address) = unsafe SocketAddress.filled { unsafe getpeername(fd, $0, $1) }
        return result == 0 ? address : nil
    }

    /// Our end's address.
    package static func local(of fd: Int32) -> SocketAddress? {
        let (result, address) = unsafe SocketAddress.filled { unsafe getsockname(fd, $0, $1) }
        return result == 0 ? address : nil
    }

    /// Sends nothing more; the peer reads an end. C: `shutdown(SHUT_WR)`.
    package static func finishWriting(_ fd: Int32) {
        _ = shutdown(fd, Int32(SHUT_WR))
    }

    // MARK: Network interfaces

    /// Lets a socket speak through one network interface only; that of a VRF is a routing domain.
    /// C: `setsockopt(SO_BINDTODEVICE)`.
    package static func bind(_ fd: Int32, toInterface name: String) throws(SystemError) {
        let name = name.octets.map { CChar(bitPattern: $0) } + [0]
        // SAFETY: reads the name with its final zero, and keeps no pointer.
        let result = unsafe setsockopt(
            fd,
            SOL_SOCKET,
            SO_BINDTODEVICE,
            name,
            socklen_t(clamping: name.count)
        )
        guard result == 0 else { throw SystemError("setsockopt(SO_BINDTODEVICE)") }
    }

    /// The interface that a socket is bound to, as one that was accepted is where its listener was;
    /// nil for none. C: `getsockopt(SO_BINDTODEVICE)`.
    package static func interface(of fd: Int32) -> String? {
        var name = [CChar](repeating: 0, count: Int(IFNAMSIZ) + 1)
        var count = socklen_t(IFNAMSIZ)
        // SAFETY: writes at most `count` bytes; the last of the array stays zero.
        guard unsafe getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, &name, &count) == 0 else {
            return nil
        }
        let text = text(name)
        return text.isEmpty ? nil : text
    }

    // MARK: Options

    /// Sends small messages at once.
    package static func setNoDelay(_ fd: Int32) {
        setOption(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// How much that was written the system may hold without sending it, in bytes; nil: as much as it
    /// likes. A socket takes nothing more until about half of it is gone.
    package static func setUnsentLimit(_ fd: Int32, _ bytes: Int?) {
        let limit = bytes.map { Int32(clamping: $0) } ?? -1
        setOption(fd, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, limit)
    }

    package static func setKeepAlive(_ fd: Int32) {
        setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
    }

    /// The type of service of what is sent (RFC 2474).
    package static func setTypeOfService(_ fd: Int32, _ value: Int32) {
        guard let address = local(of: fd) else { return }
        if address.isIPv6 {
            setOption(fd, Int32(IPPROTO_IPV6), IPV6_TCLASS, value)
        } else if address.family == AF_INET {
            setOption(fd, Int32(IPPROTO_IP), IP_TOS, value)
        }
    }

    private static func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        // SAFETY: reads one number.
        _ = unsafe setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func option(_ fd: Int32, _ level: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var count = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: writes one number.
        guard unsafe getsockopt(fd, level, name, &value, &count) == 0 else { return nil }
        return value
    }
}
