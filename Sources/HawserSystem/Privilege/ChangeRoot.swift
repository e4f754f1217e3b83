// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// chroot(2), entered completely.
package enum ChangeRoot {
    /// Makes `directory` the root of this process and its working directory.
    package static func enter(_ directory: String) throws(PrivilegeError) {
        // SAFETY: each call reads the path and keeps nothing.
        try check("chdir \(directory)", unsafe directory.withCOctets { unsafe chdir($0) })
        try check("chroot \(directory)", unsafe directory.withCOctets { unsafe chroot($0) })
        try check("chdir /", unsafe chdir("/"))
    }
}
