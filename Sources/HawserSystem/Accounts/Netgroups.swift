// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Groups of hosts and users across a network. C: `innetgr`.
package enum Netgroups {
    package static func contains(_ group: String, host: String) -> Bool {
        // SAFETY: the strings live to the end of the call.
        unsafe innetgr(group, host, nil, nil) != 0
    }

    package static func contains(_ group: String, user: String) -> Bool {
        // SAFETY: as above.
        unsafe innetgr(group, nil, user, nil) != 0
    }
}
