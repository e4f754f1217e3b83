// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserProtocol

/// A sender of 32 KiB packets and a reader that drains at once, a given time apart.
struct ReceiveWindowModel {
    var latencyNanoseconds: UInt64
    var bytesPerMillisecond: UInt64
    var keysAreAlwaysNew = false
    /// Someone waits for single bytes on the same connection.
    var isShared = false
    var window = ReceiveWindow()
    /// How long the last run took.
    private(set) var nanoseconds: UInt64 = 0

    init(latencyNanoseconds: UInt64, bytesPerMillisecond: UInt64) {
        self.latencyNanoseconds = latencyNanoseconds
        self.bytesPerMillisecond = bytesPerMillisecond
    }

    private func exchange(_ arrival: Instant) -> Instant {
        keysAreAlwaysNew ? arrival : Instant(nanoseconds: 0)
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
            precondition(window.receive(count, at: arrival, lastExchange: exchange(arrival)))
            if let bytes = window.drain(count, at: arrival, isShared: isShared) {
                adjustments.append((arrival.nanoseconds + latencyNanoseconds, bytes))
            }
        }
        nanoseconds = now - 1_000_000_000
        return window.sizeBytes
    }
}

@Suite("Windows, RFC 4254 §5.2")
struct WindowTests {
    private let start = Instant(nanoseconds: 0)

    @Test("More than the window is refused")
    func beyond() {
        var window = ReceiveWindow(sizeBytes: 100)
        let now = Instant(nanoseconds: 1)
        let first = window.receive(100, at: now, lastExchange: start)
        #expect(first)
        let second = window.receive(1, at: now, lastExchange: start)
        #expect(!second)
    }

    @Test("Giving back more than was held gives no more than that")
    func drainTooMuch() {
        var window = ReceiveWindow(sizeBytes: 100)
        let now = Instant(nanoseconds: 1)
        _ = window.receive(60, at: now, lastExchange: start)
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
                let count = min(100, window.remainingBytes)
                _ = window.receive(count, at: Instant(nanoseconds: now), lastExchange: start)
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

    @Test("Where someone types, little is under way on a short path")
    func sharedNear() {
        var near = ReceiveWindowModel(latencyNanoseconds: 50_000, bytesPerMillisecond: 500_000)
        near.window = ReceiveWindow(sizeBytes: ConnectionLimits.bulkWindowBytes)
        var other = near
        let alone = other.run(bytes: 100 << 20)
        #expect(alone == ConnectionLimits.bulkWindowBytes)
        near.isShared = true
        let shared = near.run(bytes: 400 << 20)
        #expect(shared == ConnectionLimits.sharedWindowBytes)
    }

    @Test("Where someone types, a long path keeps what it needs")
    func sharedFar() {
        // 2 MB under way.
        var alone = ReceiveWindowModel(latencyNanoseconds: 10_000_000, bytesPerMillisecond: 100_000)
        alone.window = ReceiveWindow(sizeBytes: ConnectionLimits.bulkWindowBytes)
        var shared = alone
        _ = alone.run(bytes: 2 << 30)
        shared.isShared = true
        let bytes = shared.run(bytes: 2 << 30)
        #expect(bytes <= 8 << 20)
        #expect(shared.nanoseconds < alone.nanoseconds * 106 / 100)
    }

    @Test("What came after a key exchange says nothing about the window")
    func exchangeInBetween() {
        var far = ReceiveWindowModel(latencyNanoseconds: 50_000_000, bytesPerMillisecond: 1_000_000)
        far.keysAreAlwaysNew = true
        let bytes = far.run(bytes: 400 << 20)
        #expect(bytes == ConnectionLimits.initialWindowBytes)
    }
}
