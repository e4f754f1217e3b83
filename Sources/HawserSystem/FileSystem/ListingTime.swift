// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// Moments as ls(1) and logs write them, in the system's time zone.
package enum ListingTime {
    /// `Nov 21 07:38`, or `Nov 21  2019` when it is not within the last half year. C: `strftime`.
    package static func text(of seconds: Int64, now: Int64) -> String {
        let isRecent = seconds <= now && now - seconds < 365 * 24 * 3600 / 2
        return format(seconds, isRecent ? "%b %e %H:%M" : "%b %e  %Y")
    }

    /// `20261121-07:38:43`.
    package static func logText(of seconds: Int64) -> String { format(seconds, "%Y%m%d-%H:%M:%S") }

    private static func format(_ seconds: Int64, _ format: String) -> String {
        var moment = time_t(seconds)
        var parts = unsafe tm()
        var room = [CChar](repeating: 0, count: 64)
        // SAFETY: fills one structure; writes at most `count` bytes.
        guard unsafe localtime_r(&moment, &parts) != nil else { return "0" }
        let count = unsafe strftime(&room, room.count, format, &parts)
        return String(octets: room[..<count].map { UInt8(bitPattern: $0) })
    }
}
