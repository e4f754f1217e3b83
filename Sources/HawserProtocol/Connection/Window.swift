// SPDX-License-Identifier: Apache-2.0

/// What the peer may still send on a channel (RFC 4254 §5.2), and when to give it more.
///
/// `remaining` + what the program holds + `drained` = `sizeBytes`. A peer that has used up exactly
/// what it knew of, and whose next byte then took noticeably long, has waited for us: its window is
/// too small for the round trip and is doubled. When the program holds the bytes, the peer has
/// none, or both waited for new keys, nothing is learnt and the size stays.
struct ReceiveWindow {
    /// What the peer may have under way, in bytes.
    private(set) var sizeBytes: Int
    /// What the peer may send before the next adjustment.
    private(set) var remainingBytes: Int
    /// What the program has passed on and the peer does not know of.
    private var drainedBytes = 0
    /// By how much the next adjustment makes the window larger.
    private var growthBytes = 0
    private var probe: Probe?

    /// From an adjustment until the first byte that the peer can have sent only because of it.
    private struct Probe {
        var sent: Instant
        /// What the peer could send without that adjustment.
        var bytesBefore: Int
        /// When the last of these bytes came.
        var exhausted: Instant?
    }

    init(sizeBytes: Int = ConnectionLimits.initialWindowBytes) {
        self.sizeBytes = sizeBytes
        remainingBytes = sizeBytes
    }

    /// What the program has been told of and has not passed on.
    var heldBytes: Int { sizeBytes - remainingBytes - drainedBytes }

    /// The peer sent `count` bytes, the last key exchange having ended at `lastExchange`. False when
    /// that was more than it may.
    mutating func receive(_ count: Int, at now: Instant, lastExchange: Instant) -> Bool {
        guard count <= remainingBytes else { return false }
        remainingBytes -= count
        if let probe {
            if lastExchange <= probe.sent {
                measure(count, at: now)
            } else {
                self.probe = nil
            }
        }
        return true
    }

    /// The program passed on `count` bytes. What to tell the peer now, if anything.
    mutating func drain(_ count: Int, at now: Instant) -> Int? {
        drainedBytes += min(count, heldBytes)
        let bound = min(
            sizeBytes / ConnectionLimits.windowAdjustFraction,
            ConnectionLimits.windowAdjustBytes
        )
        guard drainedBytes >= bound else { return nil }
        let adjustment = drainedBytes + growthBytes
        if probe == nil { probe = Probe(sent: now, bytesBefore: remainingBytes) }
        sizeBytes += growthBytes
        growthBytes = 0
        drainedBytes = 0
        remainingBytes += adjustment
        return adjustment
    }

    private mutating func measure(_ count: Int, at now: Instant) {
        guard var current = probe else { return }
        if let exhausted = current.exhausted {
            let waited = now.nanosecondsSince(exhausted)
            let took = now.nanosecondsSince(current.sent)
            if waited > took / 16, heldBytes <= sizeBytes / 4 {
                growthBytes = min(sizeBytes, ConnectionLimits.maximumWindowBytes - sizeBytes)
            }
            probe = nil
            return
        }
        current.bytesBefore -= count
        if current.bytesBefore == 0 { current.exhausted = now }
        probe = current.bytesBefore < 0 ? nil : current
    }
}

extension Instant {
    /// Zero when `earlier` is not earlier.
    fileprivate func nanosecondsSince(_ earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}
