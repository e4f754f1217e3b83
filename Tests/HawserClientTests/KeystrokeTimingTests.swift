// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserClient

/// ssh_config(5), ObscureKeystrokeTiming.
@Suite("The moments at which typed keys are sent")
struct KeystrokeTimingTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let start: UInt64 = 5_000_000_000

    private func moment(_ milliseconds: UInt64) -> UInt64 {
        Self.start + milliseconds * Self.millisecond
    }

    @Test("The first key goes at once, further ones at the beats of the clock")
    func keys() {
        var timing = KeystrokeTiming(milliseconds: 20)
        #expect(timing.typed(at: moment(0), tail: 1000 * Self.millisecond) == .sendNow)
        #expect(timing.nextBeat == moment(20))
        #expect(timing.typed(at: moment(3), tail: 1000 * Self.millisecond) == .hold)
        #expect(timing.beat(at: moment(19), holdsKeys: true) == .early)
        #expect(timing.beat(at: moment(20), holdsKeys: true) == .sendHeld)
        #expect(timing.nextBeat == moment(40))
    }

    @Test("Fake keys follow for as long as they are to, then the clock stops")
    func fakes() {
        var timing = KeystrokeTiming(milliseconds: 20)
        _ = timing.typed(at: moment(0), tail: 50 * Self.millisecond)
        #expect(timing.beat(at: moment(20), holdsKeys: false) == .sendFake)
        #expect(timing.beat(at: moment(40), holdsKeys: false) == .sendFake)
        #expect(timing.beat(at: moment(60), holdsKeys: false) == .stopped)
        #expect(timing.nextBeat == nil)
        #expect(timing.typed(at: moment(70), tail: 1) == .sendNow)
    }

    @Test("A key that is held goes out even when the time of fake keys is over")
    func late() {
        var timing = KeystrokeTiming(milliseconds: 20)
        _ = timing.typed(at: moment(0), tail: 5 * Self.millisecond)
        _ = timing.typed(at: moment(1), tail: 5 * Self.millisecond)
        #expect(timing.beat(at: moment(20), holdsKeys: true) == .sendHeld)
        #expect(timing.beat(at: moment(40), holdsKeys: false) == .stopped)
    }

    @Test("Missed beats are not made up for, and the clock keeps its beat")
    func missed() {
        var timing = KeystrokeTiming(milliseconds: 20)
        _ = timing.typed(at: moment(0), tail: 1000 * Self.millisecond)
        #expect(timing.beat(at: moment(95), holdsKeys: false) == .sendFake)
        #expect(timing.nextBeat == moment(100))
    }
}
