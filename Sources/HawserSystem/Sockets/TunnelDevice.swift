// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// A network interface whose packets a process reads and writes. C: /dev/net/tun, `TUNSETIFF`.
package enum TunnelDevice {
    package enum Mode: Sendable { case pointToPoint, ethernet }

    /// Opens one, by its number or the next free one; gives its descriptor and name.
    package static func open(
        _ mode: Mode,
        unit: UInt32?
    ) throws(SystemError) -> (descriptor: Int32, name: String) {
        let prefix = mode == .pointToPoint ? "tun" : "tap"
        let wanted = prefix + (unit.map { "\($0)" } ?? "%d")
        let fd = try Descriptor.open("/dev/net/tun", O_RDWR | O_NONBLOCK)
        // struct ifreq: 16 bytes of name, then the flags.
        var request = [UInt8](repeating: 0, count: 40)
        for (index, byte) in wanted.utf8.prefix(15).enumerated() { request[index] = byte }
        // IFF_TUN or IFF_TAP, with IFF_NO_PI: nothing before a packet.
        let flags: UInt16 = (mode == .pointToPoint ? 1 : 2) | 0x1000
        request[16] = UInt8(truncatingIfNeeded: flags)
        request[17] = UInt8(truncatingIfNeeded: flags >> 8)
        // SAFETY: TUNSETIFF reads and writes one `struct ifreq` of 40 bytes.
        guard unsafe ioctl(fd, 0x4004_54ca as UInt, &request) == 0 else {
            let error = SystemError("ioctl", wanted)
            Descriptor.close(fd)
            throw error
        }
        let name = String(decoding: request.prefix(16).prefix { $0 != 0 }, as: UTF8.self)
        return (fd, name)
    }
}
