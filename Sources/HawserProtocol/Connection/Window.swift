// SPDX-License-Identifier: Apache-2.0

/// What the peer may still send on a channel (RFC 4254 §5.2), and when to give it more.
///
/// `remaining` + what the program holds + `drained` = `sizeBytes`. A peer that has used up exactly
/// what it knew of, and whose next byte then took noticeably long, has waited for us: its window is
/// too small for the round trip and is doubled. When the program holds the bytes, the peer has
/// none, or both waited for new keys, nothing is learnt and the size stays.
///
/// Where the connection is shared with someone who waits for single bytes, whatever the peer has
/// under way is in front of these. A window with which the peer did not wait is halved then, down to
/// `ConnectionLimits.sharedWindowBytes`, less and less often when that turned out to be too little.
struct ReceiveWindow {
    /// What the peer may have under way, in bytes.
    private(set) var sizeBytes: Int
    /// What the peer may send before the next adjustment.
    private(set) var remainingBytes: Int
    /// What the program has passed on and the peer does not know of.
    private var drainedBytes = 0
    /// By how much the next adjustment makes the window larger.
    private var growthBytes = 0
    /// What is still to be kept back to make the window smaller.
    private var surplusBytes = 0
    private var probe: Probe?
    /// How many probes in a row have shown that the peer does not wait.
    private var easyProbes: UInt8 = 0
    /// After how many of them the window is halved.
    private var patience: UInt8 = 1
    private var hasShrunk = false

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

    /// The program passed on `count` bytes; someone waits for other bytes of the connection if it
    /// `isShared`. What to tell the peer now, if anything.
    mutating func drain(_ count: Int, at now: Instant, isShared: Bool = false) -> Int? {
        drainedBytes += min(count, heldBytes)
        if isShared { shrink() }
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

    /// Keeps back what makes the window too large for a shared connection.
    private mutating func shrink() {
        if surplusBytes == 0, easyProbes >= patience {
            surplusBytes = max(
                0,
                sizeBytes - max(sizeBytes / 2, ConnectionLimits.sharedWindowBytes)
            )
            easyProbes = 0
            hasShrunk = surplusBytes > 0
            probe = nil
        }
        let kept = min(surplusBytes, drainedBytes)
        surplusBytes -= kept
        drainedBytes -= kept
        sizeBytes -= kept
    }

    private mutating func measure(_ count: Int, at now: Instant) {
        guard var current = probe else { return }
        if let exhausted = current.exhausted {
            let waited = now.nanosecondsSince(exhausted)
            let took = now.nanosecondsSince(current.sent)
            // A small window has few messages, and the next one takes its own time to come.
            if waited <= took / (sizeBytes < Self.manyMessagesBytes ? 4 : 16) {
                noteEase()
            } else if heldBytes <= sizeBytes / 4 {
                grow()
            }
            probe = nil
            return
        }
        current.bytesBefore -= count
        if current.bytesBefore == 0 { current.exhausted = now }
        if current.bytesBefore < 0 {
            noteEase()
            probe = nil
        } else {
            probe = current
        }
    }

    /// The peer had something left when it learnt of more.
    private mutating func noteEase() {
        easyProbes = min(easyProbes + 1, Self.mostPatience)
        if easyProbes > 2 { hasShrunk = false }
    }

    /// The peer waited.
    private mutating func grow() {
        if hasShrunk { patience = min(patience * 2, Self.mostPatience) }
        hasShrunk = false
        easyProbes = 0
        surplusBytes = 0
        growthBytes = min(sizeBytes, ConnectionLimits.maximumWindowBytes - sizeBytes)
    }

    /// From this size on a window has 32 messages or more.
    private static let manyMessagesBytes = 1 << 20
    /// With so many round trips from one halving in vain to the next, it costs one in a hundred bytes.
    private static let mostPatience: UInt8 = 64
}

extension Instant {
    /// Zero when `earlier` is not earlier.
    fileprivate func nanosecondsSince(_ earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}
