// SPDX-License-Identifier: Apache-2.0

import Glibc

/// chroot(2), entered completely.
package enum ChangeRoot {
    /// Makes `directory` the root of this process and its working directory.
    package static func enter(_ directory: String) throws(PrivilegeError) {
        // SAFETY: each call reads the path and keeps nothing.
        try check("chdir \(directory)", unsafe chdir(directory))
        try check("chroot \(directory)", unsafe chroot(directory))
        try check("chdir /", unsafe chdir("/"))
    }
}
