// SPDX-License-Identifier: Apache-2.0

internal import CHawserStart
import Glibc

/// Waiting with less memory, for a process that has had nothing to do for a while
/// (docs/decisions/0011-resting.md).
enum Rest {
    /// What is left of a wait of `milliseconds` (-1: no bound) after a part of it, if it is worth
    /// a rest: going to rest and waking up cost half a millisecond.
    static func left(of milliseconds: Int32, after nanoseconds: UInt64) -> Int32? {
        guard milliseconds >= 0 else { return -1 }
        let left = Int64(milliseconds) - Int64(clamping: nanoseconds / 1_000_000)
        return left >= 100 ? Int32(clamping: left) : nil
    }

    /// As poll(2), after giving back what is free, and for the time of the wait what can be made
    /// again. C: `hawser_rest`.
    static func wait(
        _ entries: UnsafeMutablePointer<pollfd>?,
        _ count: UInt32,
        _ milliseconds: Int32
    ) -> Int32 {
        Memory.trim()
        // SAFETY: `count` entries.
        return unsafe hawser_rest(entries, count, milliseconds)
    }
}
