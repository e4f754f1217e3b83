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
