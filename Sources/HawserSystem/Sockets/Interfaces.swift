// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// The network interfaces of this machine. C: `getifaddrs`.
package enum Interfaces {
    /// The addresses of every interface that is up.
    package static var addresses: [SocketAddress] { addresses(of: nil) }

    /// The number of an interface; nil when there is none of that name. C: `if_nametoindex`.
    package static func number(of name: String) -> UInt32? {
        // SAFETY: reads the name and keeps no pointer.
        let number = unsafe name.withCOctets { unsafe if_nametoindex($0) }
        return number == 0 ? nil : number
    }

    /// The addresses of one interface, if it is up.
    package static func addresses(of name: String?) -> [SocketAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        unsafe list = nil
        // SAFETY: the list is freed after it has been copied.
        guard unsafe getifaddrs(&list) == 0 else { return [] }
        defer { unsafe freeifaddrs(list) }
        var result: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            unsafe next = entry.pointee.ifa_next
            guard let address = unsafe entry.pointee.ifa_addr,
                unsafe entry.pointee.ifa_flags & UInt32(IFF_UP) != 0
            else { continue }
            if let name, unsafe String(cOctets: entry.pointee.ifa_name) != name { continue }
            let count: Int
            switch unsafe Int32(address.pointee.sa_family) {
            case AF_INET: count = MemoryLayout<sockaddr_in>.size
            case AF_INET6: count = MemoryLayout<sockaddr_in6>.size
            default: continue
            }
            unsafe result.append(
                SocketAddress(bytes: Array(UnsafeRawBufferPointer(start: address, count: count)))
            )
        }
        return result
    }
}
