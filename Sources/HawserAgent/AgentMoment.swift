// SPDX-License-Identifier: Apache-2.0

/// When something happens, on both clocks that an agent needs.
package struct AgentMoment: Sendable {
    /// Of a clock that never goes back.
    package let nanoseconds: UInt64
    /// Seconds since 1970, for certificates.
    package let epochSeconds: UInt64

    package init(nanoseconds: UInt64, epochSeconds: UInt64) {
        self.nanoseconds = nanoseconds
        self.epochSeconds = epochSeconds
    }

    /// The moment so many seconds later, or the last one that the clock can tell.
    func adding(seconds: UInt32) -> UInt64 {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(UInt64(seconds) * 1_000_000_000)
        return overflow ? .max : sum
    }
}
