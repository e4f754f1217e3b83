// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import Testing

@testable import HawserKeys

/// RFC 4419 §6.1 and moduli(5).
struct SafePrimesTests {
    /// The second Oakley group's prime (RFC 2409 §6.2), which is safe.
    static let oakley = """
        FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
        EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
        EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF
        """

    @Test("A safe prime is a group, its neighbours are not")
    func screening() throws {
        let text = "20240101000000 2 2 0 1023 0 \(Self.oakley)"
        let line = try #require(ModuliLine(Array(text.utf8)))
        // Its remainder modulo 24 is 23, modulo 10 it is 7.
        #expect(SafePrimes.screen(line, trials: 4, generator: 2) == .noGenerator)
        guard case .group(let five) = SafePrimes.screen(line, trials: 4, generator: nil) else {
            Issue.record("not a group")
            return
        }
        #expect(five.generator == 5)
        var known = line
        known.generator = 2
        guard case .group(let group) = SafePrimes.screen(known, trials: 4, generator: nil) else {
            Issue.record("not a group")
            return
        }
        #expect(group.text(time: "1") == "1 2 6 4 1023 2 \(Self.oakley)")
        #expect(SafePrimes.screen(known, trials: 4, generator: 5) == .noGenerator)
        known.number[known.number.count - 1] -= 4
        #expect(SafePrimes.screen(known, trials: 4, generator: nil) == .composite)
        known.tests |= ModuliLine.Test.composite
        #expect(SafePrimes.screen(known, trials: 4, generator: nil) == .skipped)
    }

    @Test("The sieve leaves no small factor, and loses no prime", arguments: [1, 2])
    func sieve(seed: UInt64) throws {
        var start = SeededRandom(seed: seed).bytes(64)
        start[0] = 0x60
        let plan = try #require(SafePrimes.Plan(bits: 512, start: start))
        let (lines, _) = SafePrimes.candidates(plan)
        #expect(lines.count > 500)
        for line in lines.prefix(20) {
            let q = BigNumber(line.number)
            #expect(q.isOdd && line.size == 510)
            for prime in [3, 5, 7, 11, 13, 1_048_573] as [UInt32] {
                let rest = try #require(q.remainder(modulo: BigNumber(prime))).magnitude
                let value = rest.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                #expect(value != 0 && (2 * UInt64(value) + 1) % UInt64(prime) != 0)
            }
        }
        // Every safe prime in the first numbers of the range is among the candidates.
        let kept = Set(lines.map(\.number))
        for offset in stride(from: UInt32(0), to: 2000, by: 2) {
            var number = plan.start
            let low = UInt32(number[62]) << 8 | UInt32(number[63])
            guard low + offset <= 0xffff else { break }
            number[62] = UInt8((low + offset) >> 8)
            number[63] = UInt8((low + offset) & 0xff)
            if kept.contains(number) { continue }
            var line = ModuliLine(candidate: number)
            line.generator = 2
            #expect(SafePrimes.screen(line, trials: 1, generator: nil) == .composite)
        }
    }

    @Test(
        "What is no line of a moduli file",
        arguments: [
            "", "# 1 2 3", "1 2 6 100 1023", "1 9 6 100 3 2 F", "1 2 6 100 99999999 2 F",
            "1 2 6 100 5 2 F", "1 2 6 100 3 2 G", "1 2 -1 100 3 2 F", "1 2 6 100 3 2 0",
        ]
    )
    func malformed(line: String) {
        #expect(ModuliLine(Array(line.utf8)) == nil)
    }
}
