// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("sntrup761, NTRU Prime round 3")
struct SNTRUP761Tests {
    @Test("Both sides get the same key, and a changed ciphertext gives another")
    func roundTrip() throws {
        let random = SeededRandom(seed: 761)
        let pair = SNTRUP761.generate(random)
        #expect(pair.publicKey.count == SNTRUP761.publicKeyBytes)
        let sealed = try SNTRUP761.encapsulate(publicKey: pair.publicKey, random)
        #expect(sealed.ciphertext.count == SNTRUP761.ciphertextBytes)
        #expect(sealed.sharedKey.count == SNTRUP761.sharedKeyBytes)
        let opened = try SNTRUP761.decapsulate(sealed.ciphertext, secretKey: pair.secretKey)
        #expect(opened == sealed.sharedKey)

        for index in [0, 500, 1006, 1007, 1038] {
            var changed = sealed.ciphertext
            changed[index] ^= 1
            let other = try SNTRUP761.decapsulate(changed, secretKey: pair.secretKey)
            #expect(other != sealed.sharedKey)
        }
    }

    @Test("Keys and ciphertexts of a wrong length are refused")
    func lengths() throws {
        let random = SeededRandom(seed: 1)
        #expect(throws: CryptoError.self) {
            _ = try SNTRUP761.encapsulate(publicKey: [1, 2, 3], random)
        }
        #expect(throws: CryptoError.self) {
            _ = try SNTRUP761.decapsulate([1, 2, 3], secretKey: SecretBytes([]))
        }
    }

    @Test("Any bytes decode to numbers in range, and encoding is undone by decoding")
    func mixedRadix() {
        let random = SeededRandom(seed: 2)
        let values = (0..<761).map { _ in random.uniform(below: 4591) }
        let bytes = MixedRadix.encode(values, modulus: 4591)
        #expect(bytes.count == SNTRUP761.publicKeyBytes)
        let same = MixedRadix.decode(bytes, modulus: 4591, count: 761) == values
        #expect(same)
        let thirds = (0..<761).map { _ in random.uniform(below: 1531) }
        let fewer = MixedRadix.encode(thirds, modulus: 1531)
        #expect(fewer.count == ModularPolynomial.roundedBytes)
        let sameThirds = MixedRadix.decode(fewer, modulus: 1531, count: 761) == thirds
        #expect(sameThirds)
        let junk = [UInt8](repeating: 0xff, count: SNTRUP761.publicKeyBytes)
        let decoded = MixedRadix.decode(junk, modulus: 4591, count: 761)
        let inRange = decoded.allSatisfy { $0 < 4591 }
        #expect(inRange)
    }

    @Test("A short polynomial has exactly its weight")
    func weight() {
        let short = SmallPolynomial.randomShort(SeededRandom(seed: 3))
        #expect(short.coefficients.filter { $0 != 0 }.count == SmallPolynomial.weight)
        #expect(SmallPolynomial(encoded: short.encoded()).coefficients == short.coefficients)
    }

    @Test("A polynomial times its inverse is one, modulo 3")
    func inverse() throws {
        let random = SeededRandom(seed: 4)
        var inverted = false
        for _ in 0..<4 where !inverted {
            let polynomial = SmallPolynomial.random(random)
            guard let inverse = polynomial.invertedModuloThree() else { continue }
            inverted = true
            let product = polynomial.multiplied(by: inverse).coefficients
            #expect(product[0] == 1 && product[1...].allSatisfy { $0 == 0 })
        }
        #expect(inverted)
    }

    @Test("A short polynomial times three times its inverse is one, modulo 4591")
    func modularInverse() {
        let short = SmallPolynomial.randomShort(SeededRandom(seed: 5))
        let product = ModularPolynomial.reciprocalOfTriple(short)
            .tripled().multiplied(by: short).coefficients
        #expect(product[0] == 1 && product[1...].allSatisfy { $0 == 0 })
    }
}
