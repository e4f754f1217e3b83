// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// Whether an agent is locked, and what opens it.
struct AgentLock {
    private var salt: [UInt8] = []
    private var verifier: SecretBytes?
    /// Attempts since the last success, for the growing delay.
    private var failures: UInt64 = 0
    /// When the next attempt may be looked at, on the clock of `AgentMoment`.
    private(set) var nextAttemptAt: UInt64 = 0

    var isLocked: Bool { verifier != nil }

    /// False when it is locked already.
    mutating func lock(_ passphrase: SecretBytes, random: any RandomSource) -> Bool {
        guard verifier == nil, !passphrase.isEmpty else { return false }
        salt = random.bytes(16)
        verifier = derive(passphrase)
        return true
    }

    /// False when the passphrase is another one, or there is no lock.
    mutating func unlock(_ passphrase: SecretBytes, at now: AgentMoment) -> Bool {
        guard let verifier, !passphrase.isEmpty else { return false }
        guard derive(passphrase) == verifier else {
            failures += 1
            nextAttemptAt = now.nanoseconds &+ delayNanoseconds
            return false
        }
        self.verifier = nil
        failures = 0
        return true
    }

    /// How long the answer to a failed attempt is held back, and the next attempt with it: 0.1 s for
    /// each failure, 10 s at most.
    var delayNanoseconds: UInt64 { min(failures, 100) * 100_000_000 }

    private func derive(_ passphrase: SecretBytes) -> SecretBytes {
        BcryptPBKDF.deriveKey(
            passphrase: passphrase.exposed,
            salt: salt,
            rounds: Self.rounds,
            bytes: 32
        )
    }

    /// The verifier never leaves the process, so that one round is enough.
    private static let rounds = 1
}
