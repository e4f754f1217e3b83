// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// A bound on the bytes that pass in a second (`-l`).
struct RateLimit {
    /// Kbit/s as the option has it; 0: no bound.
    private let bitsPerSecond: UInt64
    private var nextTime: UInt64 = 0

    init(kilobitsPerSecond: UInt64) {
        bitsPerSecond = kilobitsPerSecond &* 1024
    }

    var isBounded: Bool { bitsPerSecond > 0 }

    /// How much one request may ask for: a tenth of a second's worth.
    func portion(_ bytes: Int) -> Int {
        guard isBounded else { return bytes }
        return max(1024, min(bytes, Int(clamping: bitsPerSecond / 80)))
    }

    /// Nanoseconds until the next bytes may pass; 0: now.
    var delay: UInt64 {
        guard isBounded else { return 0 }
        let now = Clock.nanoseconds
        return nextTime > now ? nextTime - now : 0
    }

    mutating func passed(_ bytes: Int) {
        guard isBounded else { return }
        let cost = UInt64(bytes) &* 8 &* 1_000_000_000 / bitsPerSecond
        nextTime = max(nextTime, Clock.nanoseconds) &+ cost
    }
}
