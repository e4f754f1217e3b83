// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserConfig
import HawserSystem

/// How long a session looks for a master before it makes a connection that nothing can hold up but
/// its own server. In nanoseconds.
struct SharingPatience {
    private let start: UInt64
    /// For another who logs in, and perhaps asks a person.
    private let login: UInt64
    /// Once a master or a login of another's has failed under our hands.
    private let trouble: UInt64

    init(_ settings: ClientSettings, since start: UInt64) {
        self.start = start
        // A wait as long as the user's own for a server.
        if let seconds = settings.options.connectTimeout, seconds > 0 {
            trouble = UInt64(min(seconds, 10)) * 1_000_000_000
            login = max(2 * trouble, 5_000_000_000)
        } else {
            trouble = 10_000_000_000
            login = 60_000_000_000
        }
    }

    func isOver(isTroubled: Bool) -> Bool {
        Clock.nanoseconds - start >= (isTroubled ? trouble : login)
    }
}
