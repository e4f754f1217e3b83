// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// The machine's clocks.
package enum Clock {
    /// Nanoseconds of a clock that never goes back and counts a suspended machine's sleep too.
    package static var nanoseconds: UInt64 {
        var time = timespec()
        // SAFETY: writes one value.
        _ = unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Seconds since 1970, as certificates and `expiry-time` count.
    package static var epochSeconds: UInt64 {
        // SAFETY: no result pointer.
        UInt64(max(0, time(nil)))
    }
}

extension Clock {
    /// Waits; a signal may end it early.
    package static func sleep(nanoseconds: UInt64) {
        var time = timespec(
            tv_sec: Int(clamping: nanoseconds / 1_000_000_000),
            tv_nsec: Int(nanoseconds % 1_000_000_000)
        )
        // SAFETY: reads one value.
        _ = unsafe nanosleep(&time, nil)
    }
}
