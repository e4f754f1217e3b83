// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// A process that holds secrets: what keeps others from looking into it.
package enum SecretProcess {
    /// No core dumps, no tracing by other processes of the user. C: `PR_SET_DUMPABLE`.
    package static func hide() {
        _ = hawser_set_dumpable(0)
        _ = hawser_set_limit(hawser_limit_core_bytes(), 0, 0)
    }

    /// Keeps all memory out of the swap space, where this process may lock as much as it likes.
    /// With a limit it would fail in the middle of its work instead. C: `mlockall`.
    package static func lockMemory() {
        guard hawser_may_lock_all_memory() != 0 else { return }
        // Current and future pages, each once it is used.
        _ = mlockall(1 | 2 | 4)
    }

    /// Gives up the group that a set-group-ID program file has lent. C: `setresgid`.
    package static func dropLentGroup() throws(PrivilegeError) {
        let group = getgid()
        guard getegid() != group else { return }
        try check("setresgid", setresgid(group, group, group))
    }
}
