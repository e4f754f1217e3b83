// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// What systemd(1) gives to and wants from a service: sd_listen_fds(3) and sd_notify(3).
package enum ServiceManager {
    /// The listening sockets that this process was started with: descriptors from 3 on. Ask once,
    /// before any fork: the variables name this process, and are taken away.
    package static func takeListeningSockets() -> [Int32] {
        defer {
            for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { Environment.remove(name) }
        }
        guard Environment.value("LISTEN_PID") == String(getpid()),
            let count = Environment.value("LISTEN_FDS").flatMap({ Int32($0) }),
            (1...256).contains(count)
        else { return [] }
        return (3..<3 + count).filter { fd in
            guard isListening(fd) else { return false }
            Descriptor.setCloseOnExec(fd)
            Descriptor.setNonblocking(fd)
            return true
        }
    }

    private static func isListening(_ fd: Int32) -> Bool {
        var value: Int32 = 0
        var count = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: writes one number.
        return unsafe getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &count) == 0 && value != 0
    }

    /// Tells the service manager a state, such as `READY=1`; nothing without one.
    package static func notify(_ state: String) {
        guard let path = Environment.value("NOTIFY_SOCKET"), path.octets.count < 108,
            path.hasPrefix("/") || path.hasPrefix("@")
        else { return }
        var name = path.octets
        // A name in the abstract space begins with a zero.
        if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
        let address = SocketAddress(bytes: [UInt8(AF_UNIX), 0] + name)
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { return }
        defer { Descriptor.close(fd) }
        guard unsafe address.withC({ unsafe connect(fd, $0, $1) }) == 0 else { return }
        _ = Descriptor.write(fd, state.octets.rawBytes)
    }

    /// Microseconds of the clock that `RELOADING=1` wants.
    package static var monotonicMicroseconds: UInt64 { Clock.nanoseconds / 1000 }
}
