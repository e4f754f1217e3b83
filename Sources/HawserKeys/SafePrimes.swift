// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto

/// A line of a moduli file, moduli(5): a group, or a number that may become one.
package struct ModuliLine: Equatable, Sendable {
    /// The second field.
    package enum Kind: Int, Sendable {
        case unknown = 0
        case unstructured = 1
        /// p, where (p - 1) / 2 is prime, too.
        case safe = 2
        case schnorr = 3
        /// q, where 2 q + 1 may be prime, too: what a sieve leaves.
        case sophieGermain = 4
        case strong = 5
    }

    /// What is known of the number; bits of the third field.
    package enum Test {
        package static let composite: UInt32 = 1
        package static let sieve: UInt32 = 2
        package static let millerRabin: UInt32 = 4
    }

    package var kind: Kind
    package var tests: UInt32
    package var trials: UInt32
    /// Bits of the number, less one (or not, as makers of candidates differ).
    package var size: Int
    /// Zero: not chosen yet.
    package var generator: UInt32
    /// A magnitude, big-endian.
    package var number: [UInt8]

    /// nil for a comment and for everything that is no such line.
    package init?(_ line: [UInt8]) {
        guard line.first != UInt8(ascii: "#") else { return nil }
        var words = LineWords(line)
        guard words.next() != nil,
            let kind = words.next().flatMap({ Int($0) }).flatMap({ Kind(rawValue: $0) }),
            let tests = words.next().flatMap({ UInt32($0) }),
            let trials = words.next().flatMap({ UInt32($0) }),
            let size = words.next().flatMap({ Int($0) }), (1...Self.maximumBits).contains(size),
            let generator = words.next().flatMap({ UInt32($0, radix: 16) }),
            let number = words.next().flatMap({ Hexadecimal.decode($0) })
        else { return nil }
        self.kind = kind
        self.tests = tests
        self.trials = trials
        self.size = size
        self.generator = generator
        self.number = Magnitude.stripped(number)
        guard [size, size + 1].contains(Magnitude.bits(self.number)) else { return nil }
    }

    /// A number that a sieve has left, q.
    init(candidate number: [UInt8]) {
        kind = .sophieGermain
        tests = Test.sieve
        trials = 0
        size = Magnitude.bits(number) - 1
        generator = 0
        self.number = number
    }

    /// The line without its end; `time` as `YYYYMMDDhhmmss`.
    package func text(time: String) -> String {
        let hex = String(
            decoding: Hexadecimal.encode(number).utf8.map {
                $0 >= UInt8(ascii: "a") ? $0 - 0x20 : $0
            }.drop(while: { $0 == UInt8(ascii: "0") }),
            as: UTF8.self
        )
        let generator = String(generator, radix: 16)
        return "\(time) \(kind.rawValue) \(tests) \(trials) \(size) \(generator) \(hex)"
    }

    private static let maximumBits = 1 << 16
}

/// Finds safe primes for group exchange (RFC 4419 §6.1): first a sieve leaves numbers q such that
/// neither q nor 2 q + 1 has a small factor, then Miller-Rabin decides.
package enum SafePrimes {
    /// The sizes that groups may have, in bits of p.
    package static let bits = 512...16384

    /// How a search goes.
    package struct Plan: Sendable {
        /// The first q: odd, one bit shorter than p.
        package let start: [UInt8]
        /// How many odd numbers from there on are looked at.
        package let count: Int
        /// No factor below this is left.
        package let limit: Int

        /// For a group of `bits` bits; enough numbers that a few primes are to be expected.
        ///
        /// - Parameter start: where to begin; made odd. nil unless it has that many bits.
        package init?(bits: Int, start: [UInt8]) {
            let stripped = Magnitude.stripped(start)
            guard SafePrimes.bits.contains(bits), Magnitude.bits(stripped) == bits - 1,
                let last = stripped.last
            else { return nil }
            self.start = stripped.dropLast() + [last | 1]
            // Safe primes thin out with the square of their length.
            let scale = (bits + 511) / 512
            count = (1 << 18) * scale * scale
            limit = bits <= 1024 ? 1 << 20 : bits <= 2048 ? 1 << 24 : 1 << 26
        }
    }

    /// What the sieve leaves of a plan, in order.
    package static func candidates(_ plan: Plan) -> (lines: [ModuliLine], smallPrimes: Int) {
        var isComposite = [Bool](repeating: false, count: plan.count)
        let chunks = chunks(of: plan.start)
        let primes = smallPrimes(below: plan.limit)
        for prime in primes {
            let step = UInt64(prime)
            var rest: UInt64 = 0
            for chunk in chunks { rest = (rest << 32 | UInt64(chunk)) % step }
            // start + 2 i = 0, and start + 2 i = (prime - 1) / 2, modulo the prime.
            let half = (step + 1) / 2
            for target in [0, (step - 1) / 2] {
                var index = Int((target + step - rest) % step * half % step)
                while index < plan.count {
                    isComposite[index] = true
                    index += prime
                }
            }
        }
        let lines = isComposite.indices.lazy.filter { !isComposite[$0] }.map {
            ModuliLine(candidate: sum(plan.start, UInt64($0) * 2))
        }
        return (Array(lines), primes.count)
    }

    /// What became of a line.
    package enum Outcome: Equatable, Sendable {
        /// A group, tested as often as was asked.
        case group(ModuliLine)
        case composite
        /// No generator of ours suits it, or not the one that was asked for.
        case noGenerator
        /// Not tested: of a kind, or with a history, that is no candidate.
        case skipped
    }

    /// Decides about a line.
    ///
    /// - Parameters:
    ///   - trials: rounds of Miller-Rabin, for q and for p.
    ///   - wanted: the generator, 2, 3 or 5; nil for any.
    package static func screen(
        _ line: ModuliLine,
        trials: UInt32,
        generator wanted: UInt32?
    )
        -> Outcome
    {
        guard line.tests & ModuliLine.Test.composite == 0, line.tests != 0,
            line.size + 1 >= minimumScreenedBits
        else { return .skipped }
        let p: [UInt8]
        let q: [UInt8]
        switch line.kind {
        case .safe:
            p = line.number
            q = BigNumber(p).halved().magnitude
        case .sophieGermain:
            q = line.number
            p = doubledPlusOne(q)
        default: return .skipped
        }
        guard p.last.map({ $0 & 1 == 1 }) == true, q.last.map({ $0 & 1 == 1 }) == true else {
            return .composite
        }
        var generator = line.generator
        if generator == 0 {
            guard let suitable = suitableGenerator(p, wanted) else { return .noGenerator }
            generator = suitable
        } else if let wanted, wanted != generator {
            return .noGenerator
        }
        // Most fail at once: one round each before the many.
        let (first, second) = (BigNumber(q), BigNumber(p))
        for rounds in [1, Int(trials)] {
            guard first.isProbablyPrime(rounds: rounds), second.isProbablyPrime(rounds: rounds)
            else { return .composite }
        }
        var group = line
        group.kind = .safe
        group.tests |= ModuliLine.Test.millerRabin
        group.trials = line.trials &+ trials
        group.size = Magnitude.bits(p) - 1
        group.generator = generator
        group.number = p
        return .group(group)
    }

    private static let minimumScreenedBits = 511

    /// A generator of all residues, or all squares, modulo a safe prime: by quadratic reciprocity
    /// its remainders tell.
    private static func suitableGenerator(_ p: [UInt8], _ wanted: UInt32?) -> UInt32? {
        let rest = p.reduce(UInt32(0)) { ($0 * 256 + UInt32($1)) % 120 }
        let suits: [(generator: UInt32, isSuitable: Bool)] = [
            (2, rest % 24 == 11), (3, rest % 12 == 5), (5, rest % 10 == 3 || rest % 10 == 7),
        ]
        return suits.first { $0.isSuitable && (wanted == nil || wanted == $0.generator) }?.generator
    }

    /// The odd primes below a limit.
    private static func smallPrimes(below limit: Int) -> [Int] {
        // Index i stands for 2 i + 1.
        var isComposite = [Bool](repeating: false, count: limit / 2)
        var index = 1
        while (2 * index + 1) * (2 * index + 1) < limit {
            if !isComposite[index] {
                let prime = 2 * index + 1
                var multiple = prime * prime / 2
                while multiple < isComposite.count {
                    isComposite[multiple] = true
                    multiple += prime
                }
            }
            index += 1
        }
        return (1..<isComposite.count).filter { !isComposite[$0] }.map { 2 * $0 + 1 }
    }

    /// A magnitude in digits of 32 bits, the highest first.
    private static func chunks(of magnitude: [UInt8]) -> [UInt32] {
        let padded = [UInt8](repeating: 0, count: (4 - magnitude.count % 4) % 4) + magnitude
        return stride(from: 0, to: padded.count, by: 4).map { start in
            padded[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    private static func sum(_ magnitude: [UInt8], _ addend: UInt64) -> [UInt8] {
        var digits = magnitude
        var carry = addend
        var index = digits.count
        while carry > 0, index > 0 {
            index -= 1
            carry += UInt64(digits[index])
            digits[index] = UInt8(truncatingIfNeeded: carry)
            carry >>= 8
        }
        while carry > 0 {
            digits.insert(UInt8(truncatingIfNeeded: carry), at: 0)
            carry >>= 8
        }
        return digits
    }

    private static func doubledPlusOne(_ magnitude: [UInt8]) -> [UInt8] {
        var carry: UInt8 = 1
        var digits = magnitude
        for index in digits.indices.reversed() {
            let high = digits[index] >> 7
            digits[index] = digits[index] << 1 | carry
            carry = high
        }
        return carry == 0 ? digits : [carry] + digits
    }
}
