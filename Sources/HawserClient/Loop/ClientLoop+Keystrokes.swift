// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// Keys typed at a terminal on their way to the server.
extension ClientLoop {
    /// Sends what was typed, now or at the next beat of the clock (`ObscureKeystrokeTiming`).
    func sendTyped(_ bytes: RawSpan, _ session: ClientSession) {
        guard session.hasTerminal, connection.peerSupportsPing,
            let timing = keystrokes.timing(settings),
            bytes.byteCount <= KeystrokeTiming.maximumKeyBytes
        else {
            sendHeldKeys()
            keystrokes.timing?.stop()
            return session.send(bytes, self)
        }
        var current = timing
        let spread = UInt64(keystrokes.random.uniform(below: KeystrokeTiming.tailSpread))
        let tail = KeystrokeTiming.minimumTail + spread * 1_000_000
        let action = current.typed(at: Clock.nanoseconds, tail: tail)
        keystrokes.timing = current
        switch action {
        case .sendNow:
            session.send(bytes, self)
            awaitBeat()
        case .hold: keystrokes.held.append((session, [UInt8](copying: bytes)))
        }
    }

    private func awaitBeat() {
        guard let next = keystrokes.timing?.nextBeat else { return }
        timers.add(at: next) { [weak self] in self?.beat() }
    }

    private func beat() {
        let holdsKeys = !keystrokes.held.isEmpty
        switch keystrokes.timing?.beat(at: Clock.nanoseconds, holdsKeys: holdsKeys) {
        case .sendHeld: sendHeldKeys()
        case .sendFake: connection.sendPing(KeystrokeTiming.fakeKey)
        case .early: break
        case .stopped, nil: return
        }
        awaitBeat()
    }

    /// Sends what waits for a beat, now.
    func sendHeldKeys() {
        let held = keystrokes.held
        keystrokes.held = []
        for (session, bytes) in held where !session.isClosed { session.send(bytes.rawBytes, self) }
    }
}

/// The clock of typed keys and what waits for it.
struct Keystrokes {
    var timing: KeystrokeTiming?
    var held: [(ClientSession, [UInt8])] = []
    let random = SystemRandom()

    /// The clock; nil where there is to be none.
    mutating func timing(_ settings: ClientSettings) -> KeystrokeTiming? {
        if let timing { return timing }
        let milliseconds = settings.options.obscureKeystrokeTiming?.milliseconds ?? 20
        guard milliseconds > 0 else { return nil }
        let made = KeystrokeTiming(milliseconds: milliseconds)
        timing = made
        return made
    }
}
