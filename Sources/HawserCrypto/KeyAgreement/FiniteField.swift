// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A group of integers modulo a safe prime. Numbers are magnitudes, big-endian.
package struct FiniteFieldGroup: Equatable, Sendable {
    package let prime: [UInt8]
    package let generator: [UInt8]

    package init(prime: [UInt8], generator: [UInt8]) {
        self.prime = Array(prime.drop(while: { $0 == 0 }))
        self.generator = Array(generator.drop(while: { $0 == 0 }))
    }

    /// The size of the prime in bits.
    package var bits: Int {
        guard let first = prime.first else { return 0 }
        return prime.count * 8 - first.leadingZeroBitCount
    }

    /// Oakley group 2, 1024 bits (RFC 2409 §6.2), which SSH calls group 1 (RFC 4253 §8.1).
    package static let group1 = FiniteFieldGroup(words: OakleyPrimes.bits1024)
    /// 2048 bits (RFC 3526 §3).
    package static let group14 = FiniteFieldGroup(words: OakleyPrimes.bits2048)
    /// 4096 bits (RFC 3526 §5).
    package static let group16 = FiniteFieldGroup(words: OakleyPrimes.bits4096)
    /// 8192 bits (RFC 3526 §7).
    package static let group18 = FiniteFieldGroup(words: OakleyPrimes.bits8192)

    /// A group of RFC 2409 or RFC 3526, whose generator is 2.
    private init(words: [UInt64]) {
        let prime = words.flatMap { word in
            stride(from: 56, through: 0, by: -8).map {
                UInt8(truncatingIfNeeded: word >> UInt64($0))
            }
        }
        self.init(prime: prime, generator: [2])
    }
}

/// Diffie-Hellman in a finite field (RFC 4253 §8, RFC 4419).
package final class FiniteFieldAgreement: KeyAgreementInitiator {
    package let publicValue: [UInt8]
    private let prime: BigNumber
    private let exponent: BigNumber

    /// Throws `CryptoError.badParameter` for a group that cannot be used: an even prime, one of
    /// fewer than 512 or more than 16384 bits, or a generator outside it.
    package init(_ group: FiniteFieldGroup, _ random: any RandomSource) throws(CryptoError) {
        let prime = BigNumber(group.prime)
        let generator = BigNumber(group.generator)
        guard prime.isOdd, (512...16384).contains(prime.bits) else {
            throw .badParameter("group of \(prime.bits) bits")
        }
        guard generator.bits > 1, generator.compare(prime.minusOne()) < 0 else {
            throw .badParameter("generator of a group")
        }
        // Twice the strength of the longest key that is derived (RFC 4419 §6.2), its top bit set.
        let exponentBytes = min(Self.exponentBytes, prime.bits / 8 - 1)
        var bytes = random.bytes(exponentBytes)
        bytes[0] |= 0x80
        let exponent = BigNumber(bytes)
        bytes.wipe()
        guard let value = generator.power(exponent, modulo: prime) else {
            throw .badParameter("group")
        }
        self.prime = prime
        self.exponent = exponent
        publicValue = value.magnitude
    }

    package func finish(_ peer: [UInt8]) throws(CryptoError) -> SharedSecret {
        let value = BigNumber(peer)
        // RFC 4253 §8: not outside [1, p-1]; 1 and p-1 would give the secret away.
        guard value.bits > 1, value.compare(prime.minusOne()) < 0 else {
            throw .badParameter("public value of Diffie-Hellman")
        }
        guard let shared = value.power(exponent, modulo: prime) else {
            throw .badParameter("public value of Diffie-Hellman")
        }
        return SharedSecret(number: SecretBytes(shared.magnitude))
    }

    private static let exponentBytes = 64
}
