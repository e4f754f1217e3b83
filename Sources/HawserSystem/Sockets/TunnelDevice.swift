// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// A network interface of which this process is the other end: each read is a packet or frame, each
/// write too. C: `TUNSETIFF`, Linux's Documentation/networking/tuntap.
package enum TunnelDevice {
    package enum Layer: Sendable {
        /// IP packets, `tunN`.
        case packets
        /// Ethernet frames, `tapN`.
        case frames
    }

    /// Opens device `unit`, or one that is free; the descriptor does not wait. The name is the
    /// device's, `tun0`.
    package static func open(
        _ layer: Layer,
        unit: UInt32?
    ) throws(SystemError) -> (descriptor: Int32, name: String) {
        let fd = try Descriptor.open("/dev/net/tun", O_RDWR | O_NONBLOCK)
        let wanted = (layer == .packets ? "tun" : "tap") + (unit.map { "\($0)" } ?? "%d")
        // struct ifreq: a name of 16 bytes, then the flags.
        var request = [UInt8](repeating: 0, count: 40)
        for (index, byte) in wanted.utf8.prefix(15).enumerated() { request[index] = byte }
        // IFF_TUN or IFF_TAP, with IFF_NO_PI: nothing before a packet.
        let flags: UInt16 = (layer == .packets ? 1 : 2) | 0x1000
        request[16] = UInt8(truncatingIfNeeded: flags)
        request[17] = UInt8(truncatingIfNeeded: flags >> 8)
        // SAFETY: TUNSETIFF reads and writes one `struct ifreq` of 40 bytes.
        guard unsafe ioctl(fd, 0x4004_54ca as UInt, &request) == 0 else {
            let error = SystemError("TUNSETIFF", wanted)
            Descriptor.close(fd)
            throw error
        }
        return (fd, String(octets: request.prefix(16).prefix { $0 != 0 }))
    }
}
