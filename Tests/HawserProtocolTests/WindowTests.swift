// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserProtocol

/// A sender of 32 KiB packets and a reader that drains at once, a given time apart.
struct ReceiveWindowModel {
    var latencyNanoseconds: UInt64
    var bytesPerMillisecond: UInt64
    private var window = ReceiveWindow()

    init(latencyNanoseconds: UInt64, bytesPerMillisecond: UInt64) {
        self.latencyNanoseconds = latencyNanoseconds
        self.bytesPerMillisecond = bytesPerMillisecond
    }

    /// Sends so many bytes and returns the size of the window at the end.
    mutating func run(bytes: Int) -> Int {
        var now: UInt64 = 1_000_000_000
        var credit = window.remainingBytes
        var adjustments: [(at: UInt64, bytes: Int)] = []
        var left = bytes
        while left > 0 {
            while let first = adjustments.first, first.at <= now {
                credit += first.bytes
                adjustments.removeFirst()
            }
            let count = min(32768, credit, left)
            guard count > 0 else {
                now = adjustments.first?.at ?? now + 1
                continue
            }
            credit -= count
            left -= count
            now += UInt64(count) * 1_000_000 / bytesPerMillisecond
            let arrival = Instant(nanoseconds: now + latencyNanoseconds)
            precondition(window.receive(count, at: arrival))
            if let bytes = window.drain(count, at: arrival) {
                adjustments.append((arrival.nanoseconds + latencyNanoseconds, bytes))
            }
        }
        return window.sizeBytes
    }
}

@Suite("Windows, RFC 4254 §5.2")
struct WindowTests {
    @Test("More than the window is refused")
    func beyond() {
        var window = ReceiveWindow(sizeBytes: 100)
        let now = Instant(nanoseconds: 1)
        let first = window.receive(100, at: now)
        #expect(first)
        let second = window.receive(1, at: now)
        #expect(!second)
    }

    @Test("Giving back more than was held gives no more than that")
    func drainTooMuch() {
        var window = ReceiveWindow(sizeBytes: 100)
        let now = Instant(nanoseconds: 1)
        _ = window.receive(60, at: now)
        let drained = window.drain(1000, at: now)
        #expect(drained == 60)
        #expect(window.remainingBytes == 100)
        let again = window.drain(1000, at: now)
        #expect(again == nil)
    }

    @Test("A slow reader does not make the window grow")
    func slowReader() {
        var window = ReceiveWindow(sizeBytes: 1000)
        var now: UInt64 = 0
        for _ in 0..<100 {
            while window.remainingBytes > 0 {
                _ = window.receive(min(100, window.remainingBytes), at: Instant(nanoseconds: now))
            }
            now += 1_000_000
            _ = window.drain(250, at: Instant(nanoseconds: now))
        }
        #expect(window.sizeBytes == 1000)
    }

    @Test("A window grows when the sender waits for it, and not when the reader is slow")
    func windowGrowth() throws {
        var far = ReceiveWindowModel(latencyNanoseconds: 50_000_000, bytesPerMillisecond: 1_000_000)
        let farBytes = far.run(bytes: 400 << 20)
        #expect(farBytes > 4 * ConnectionLimits.initialWindowBytes)
        var near = ReceiveWindowModel(latencyNanoseconds: 100_000, bytesPerMillisecond: 1_000_000)
        let nearBytes = near.run(bytes: 400 << 20)
        #expect(nearBytes == ConnectionLimits.initialWindowBytes)
    }
}
