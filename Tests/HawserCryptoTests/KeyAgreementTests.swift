// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("Key agreements")
struct KeyAgreementTests {
    @Test("Both sides get the same secret", arguments: KeyAgreementAlgorithm.allCases)
    func agreement(algorithm: KeyAgreementAlgorithm) throws {
        let random = SeededRandom(seed: 42)
        let client = try algorithm.initiate(random)
        let server = try algorithm.respond(to: client.publicValue, random)
        let secret = try client.finish(server.reply)
        #expect(secret.encoded == server.secret.encoded)
        #expect(secret.encoded.count > 4)
    }

    @Test("Values of a wrong length throw on both sides", arguments: KeyAgreementAlgorithm.allCases)
    func lengths(algorithm: KeyAgreementAlgorithm) throws {
        let random = SeededRandom(seed: 43)
        for bad in [[], [0], [1], [UInt8](repeating: 4, count: 31)] as [[UInt8]] {
            // A finite-field method takes any number from 2 on.
            if algorithm.group != nil, bad.count == 31 { continue }
            #expect(throws: CryptoError.self) {
                _ = try algorithm.respond(to: bad, random)
            }
            let client = try algorithm.initiate(random)
            #expect(throws: CryptoError.self) { _ = try client.finish(bad) }
        }
    }

    // RFC 7748 §5.2, first vector.
    @Test("X25519 of the RFC's first vector")
    func x25519() throws {
        let random = FixedRandom(
            hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
        )
        let shared = try X25519Agreement(random).agree(
            hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
        )
        #expect(
            shared.exposed
                == hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
        )
    }

    // RFC 7748 §6.1.
    @Test("Bob of the RFC agrees with Alice on their secret")
    func x25519Pair() throws {
        let bob = X25519Agreement(
            FixedRandom(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
        )
        #expect(
            bob.publicValue
                == hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        )
        let alice = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        #expect(
            try bob.agree(alice).exposed
                == hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
        )
        let secret = try bob.finish(alice)
        #expect(secret.encoded.exposed.prefix(5) == [0, 0, 0, 32, 0x4a])
    }

    // RFC 5903 §8.1.
    @Test("ECDH on nistp256 gives the secret of the RFC")
    func p256() throws {
        let scalar = SecretBytes(
            hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")
        )
        let peer = hex(
            "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
                + "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
        )
        #expect(
            try NISTCurve.p256.agree(scalar: scalar, peer: peer).exposed
                == hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
        )
        var outside = peer
        outside[64] ^= 1
        #expect(throws: CryptoError.self) {
            _ = try NISTCurve.p256.agree(scalar: scalar, peer: outside)
        }
        #expect(NISTCurve.p256.isValid(point: peer))
        #expect(!NISTCurve.p256.isValid(point: outside))
        #expect(!NISTCurve.p256.isValid(point: [0]))
    }

    // RFC 3526 §5 and §7. (A base to the power of p - 1 is 1 for a prime p.)
    @Test("The large groups have their sizes and ends", arguments: [(4096, 16), (8192, 18)])
    func largeGroups(bits: Int, number: Int) throws {
        let group = number == 16 ? FiniteFieldGroup.group16 : .group18
        #expect(group.bits == bits)
        #expect(group.generator == [2])
        #expect(group.prime.prefix(12) == hex("ffffffffffffffffc90fdaa2")[...])
        #expect(group.prime.suffix(8) == [UInt8](repeating: 0xff, count: 8)[...])
        let prime = BigNumber(group.prime)
        let power = try #require(BigNumber(3).power(prime.minusOne(), modulo: prime))
        #expect(power.magnitude == [1])
    }

    @Test("A value of small order is refused")
    func smallOrder() {
        #expect(throws: CryptoError.self) {
            _ = try X25519Agreement(SeededRandom(seed: 1)).agree([UInt8](repeating: 0, count: 32))
        }
    }

    @Test("Values that would give the secret away are refused")
    func degenerate() throws {
        let group = FiniteFieldGroup.group14
        let agreement = try FiniteFieldAgreement(group, SeededRandom(seed: 5))
        var almost = group.prime
        almost[almost.count - 1] -= 1
        for value in [[], [1], almost, group.prime, group.prime + [0]] as [[UInt8]] {
            #expect(throws: CryptoError.self) { _ = try agreement.finish(value) }
        }
    }

    @Test("Groups that are none are refused")
    func badGroups() {
        let random = SeededRandom(seed: 6)
        let prime = FiniteFieldGroup.group14.prime
        for (prime, generator) in [
            ([], [2]), ([7], [2]), (prime, []), (prime, [1]), (prime, prime),
            (Array(prime.dropLast()) + [0xfe], [2]),
        ] as [([UInt8], [UInt8])] {
            #expect(throws: CryptoError.self) {
                _ = try FiniteFieldAgreement(
                    FiniteFieldGroup(prime: prime, generator: generator),
                    random
                )
            }
        }
    }

    @Test(
        "The fixed groups have their sizes and are safe primes",
        arguments: [
            (FiniteFieldGroup.group1, 1024), (.group14, 2048),
        ]
    )
    func groups(group: FiniteFieldGroup, bits: Int) {
        #expect(group.bits == bits)
        let prime = BigNumber(group.prime)
        #expect(prime.isProbablyPrime(rounds: 10))
        #expect(prime.halved().isProbablyPrime(rounds: 10))
    }
}

/// Gives away fixed bytes, over and over.
private final class FixedRandom: RandomSource {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func fill(_ target: inout MutableRawSpan) {
        for index in 0..<target.byteCount { target[byteAt: index] = bytes[index % bytes.count] }
    }
}
