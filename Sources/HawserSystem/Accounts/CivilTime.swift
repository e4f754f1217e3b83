// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// Moments as people write them, in the system's time zone.
package enum CivilTime {
    /// Days since 1970 of this moment, UTC, as shadow(5) counts them.
    package static var today: Int { Int(Clock.epochSeconds / 86400) }

    /// As ctime(3) writes a moment (seconds since 1970), without the line end.
    package static func text(of seconds: Int64) -> String {
        var moment = time_t(seconds)
        var buffer = [CChar](repeating: 0, count: 64)
        // SAFETY: ctime_r needs 26 bytes.
        guard unsafe ctime_r(&moment, &buffer) != nil else { return "" }
        return String(octets: buffer.prefix { $0 > 13 }.map { UInt8(bitPattern: $0) })
    }

    /// The moment, in seconds since 1970, that a local date and time mean.
    package static func seconds(
        year: Int,
        month: Int,
        day: Int,
        hour: Int,
        minute: Int,
        second: Int
    ) -> Int64 {
        var parts = unsafe tm()
        unsafe parts.tm_year = Int32(clamping: year - 1900)
        unsafe parts.tm_mon = Int32(clamping: month - 1)
        unsafe parts.tm_mday = Int32(clamping: day)
        unsafe parts.tm_hour = Int32(clamping: hour)
        unsafe parts.tm_min = Int32(clamping: minute)
        unsafe parts.tm_sec = Int32(clamping: second)
        unsafe parts.tm_isdst = -1
        return unsafe Int64(mktime(&parts))
    }

    /// A moment (seconds since 1970) as `YYYYMMDDhhmmss`, UTC.
    package static func compactTimestamp(of seconds: Int64) -> String {
        timestamp(of: seconds, isUTC: true).filter { $0.isNumber }
    }

    /// A moment (seconds since 1970) as `YYYY-MM-DDThh:mm:ss`.
    package static func timestamp(of seconds: Int64, isUTC: Bool = false) -> String {
        var moment = time_t(seconds)
        var parts = unsafe tm()
        // SAFETY: each fills one structure.
        let isKnown =
            isUTC
            ? unsafe gmtime_r(&moment, &parts) != nil : unsafe localtime_r(&moment, &parts) != nil
        guard isKnown else { return "\(seconds)" }
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let year = unsafe String(Int(parts.tm_year) + 1900)
        let date = unsafe year + "-" + digits(parts.tm_mon + 1, 2) + "-" + digits(parts.tm_mday, 2)
        return unsafe date + "T" + digits(parts.tm_hour, 2) + ":" + digits(parts.tm_min, 2) + ":"
            + digits(parts.tm_sec, 2)
    }
}
