// SPDX-License-Identifier: Apache-2.0

/// `MaxStartups`: how many connections may be open that have not authenticated yet.
package struct StartupLimits: Equatable, Sendable {
    /// From so many on, new connections are dropped with a probability of `rate` percent, which
    /// rises evenly to certainty at `full`.
    package var start: Int
    /// Percent.
    package var rate: Int
    package var full: Int

    package init(start: Int, rate: Int, full: Int) {
        self.start = start
        self.rate = rate
        self.full = full
    }

    /// What becomes of one more connection.
    package enum Decision: Equatable, Sendable {
        case accept
        /// Beyond doubt.
        case refuse
        /// Refuse when a uniform number below 100 is less than this.
        case refuseBelow(percent: Int)
    }

    package func decision(unauthenticated: Int) -> Decision {
        if unauthenticated < start { return .accept }
        if unauthenticated >= full || rate >= 100 { return .refuse }
        let (above, span) = (unauthenticated - start, full - start)
        guard span > 0 else { return .refuse }
        return .refuseBelow(percent: rate + (100 - rate) * above / span)
    }
}
