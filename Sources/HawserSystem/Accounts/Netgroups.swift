// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// Groups of hosts and users across a network. C: `innetgr`.
package enum Netgroups {
    package static func contains(_ group: String, host: String) -> Bool {
        // SAFETY: the strings live to the end of the call.
        unsafe group.withCOctets { group in
            unsafe host.withCOctets { unsafe innetgr(group, $0, nil, nil) != 0 }
        }
    }

    package static func contains(_ group: String, user: String) -> Bool {
        // SAFETY: as above.
        unsafe group.withCOctets { group in
            unsafe user.withCOctets { unsafe innetgr(group, nil, $0, nil) != 0 }
        }
    }
}
