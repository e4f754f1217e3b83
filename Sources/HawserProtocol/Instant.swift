// SPDX-License-Identifier: Apache-2.0

/// A moment of a clock that never goes back, as the program's clock counts it.
package struct Instant: Comparable, Hashable, Sendable {
    /// Since some fixed point, for example the start of the machine.
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (first: Instant, second: Instant) -> Bool {
        first.nanoseconds < second.nanoseconds
    }

    /// The moment after `duration`; the far end of time when that is too far.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0 else { return instant }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, far) = instant.nanoseconds.addingReportingOverflow(whole)
        guard !overflow, !far else { return Instant(nanoseconds: .max) }
        let (exact, beyond) = sum.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return Instant(nanoseconds: beyond ? .max : exact)
    }

    /// How long after `other` this is; zero when it is before.
    package static func - (instant: Instant, other: Instant) -> Duration {
        guard instant > other else { return .zero }
        return .nanoseconds(Int64(clamping: instant.nanoseconds - other.nanoseconds))
    }
}
