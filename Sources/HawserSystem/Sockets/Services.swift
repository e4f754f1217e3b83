// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The names of services. C: `getservbyname`.
package enum Services {
    /// The TCP port of a service, or nil.
    package static func port(of name: String) -> UInt16? {
        // SAFETY: reads one entry, which stays until the next call; programs have one thread.
        guard let entry = unsafe getservbyname(name, "tcp") else { return nil }
        return UInt16(bigEndian: UInt16(truncatingIfNeeded: unsafe entry.pointee.s_port))
    }
}
