// SPDX-License-Identifier: Apache-2.0

/// When typed keys are sent, so that the moments of their packets do not tell how someone types
/// (ssh_config(5), ObscureKeystrokeTiming): on a clock, and with packets that look like keys for a
/// while after the last one.
///
///     idle ──typed──▶ running: send at once, the clock starts
///     running ──typed──▶ held until the clock's next beat
///     running ──beat──▶ what is held, else a fake key; idle when there was none for long enough
struct KeystrokeTiming {
    /// Between two beats, in nanoseconds.
    let interval: UInt64
    /// The next beat; nil while idle.
    private(set) var nextBeat: UInt64?
    /// Until then fake keys are sent.
    private var fakesEnd: UInt64 = 0

    init(milliseconds: Int) {
        interval = UInt64(max(1, milliseconds)) * 1_000_000
    }

    enum Action: Equatable {
        case sendNow
        case hold
    }

    /// A key is typed. `tail` says how long fake keys follow it, in nanoseconds.
    mutating func typed(at now: UInt64, tail: UInt64) -> Action {
        fakesEnd = now + tail
        guard nextBeat == nil else { return .hold }
        nextBeat = now + interval
        return .sendNow
    }

    enum Beat: Equatable {
        case early
        case sendHeld
        case sendFake
        /// Nobody types any more: the clock has stopped.
        case stopped
    }

    /// The time of a beat may have come.
    mutating func beat(at now: UInt64, holdsKeys: Bool) -> Beat {
        guard let beat = nextBeat else { return .stopped }
        guard now >= beat else { return .early }
        guard holdsKeys || now < fakesEnd else {
            nextBeat = nil
            return .stopped
        }
        // Beats that were missed are not made up for.
        nextBeat = beat + ((now - beat) / interval + 1) * interval
        return holdsKeys ? .sendHeld : .sendFake
    }

    /// Something that is no key was sent: the clock stops.
    mutating func stop() { nextBeat = nil }

    /// What one chunk of keys may hold, in bytes: a key and its escape sequence, not a paste.
    static let maximumKeyBytes = 32
    /// The shortest time for fake keys after the last one, in nanoseconds.
    static let minimumTail: UInt64 = 1_024_000_000
    /// What chance may add to that, in milliseconds.
    static let tailSpread: UInt32 = 2048
    /// A ping with this is as long as one typed byte.
    static let fakeKey = Array("PING!".utf8)
}
