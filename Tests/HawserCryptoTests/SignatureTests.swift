// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("Signatures on raw numbers")
struct SignatureTests {
    private let message = Array("a message".utf8)
    private let other = Array("another".utf8)

    // RFC 8032 §7.1, test 2.
    @Test("Ed25519 of the RFC's second test")
    func ed25519() throws {
        let seed = SecretBytes(
            hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        )
        let key = try Ed25519.publicKey(seed: seed)
        #expect(key == hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
        let signature = try Ed25519.sign([0x72].rawBytes, seed: seed)
        #expect(
            signature
                == hex(
                    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
                )
        )
        #expect(Ed25519.verify(signature, over: [0x72].rawBytes, publicKey: key) == true)
        #expect(Ed25519.verify(signature, over: [0x73].rawBytes, publicKey: key) == false)
        #expect(Ed25519.verify([1], over: [0x72].rawBytes, publicKey: key) == false)
    }

    @Test(
        "RSA signs and verifies with each hash",
        arguments: [HashAlgorithm.sha1, .sha256, .sha512]
    )
    func rsa(hash: HashAlgorithm) throws {
        let key = try RSA.generate(bits: 1024)
        #expect(RSA.isConsistent(key))
        let signature = try RSA.sign(message.rawBytes, hash: hash, key: key)
        #expect(signature.count == 128)
        let numbers = key.publicNumbers
        #expect(RSA.verify(signature, over: message.rawBytes, hash: hash, key: numbers) == true)
        #expect(RSA.verify(signature, over: other.rawBytes, hash: hash, key: numbers) == false)
        #expect(RSA.verify([], over: message.rawBytes, hash: hash, key: numbers) == false)
        #expect(
            RSA.verify(signature + [0], over: message.rawBytes, hash: hash, key: numbers) == false
        )
    }

    @Test("An RSA key has as many bits as were asked for", arguments: [1024, 1025, 1030, 1151])
    func rsaBits(bits: Int) throws {
        let key = try RSA.generate(bits: bits)
        #expect(BigNumber(key.publicNumbers.modulus).bits == bits)
        #expect(RSA.isConsistent(key))
        let signature = try RSA.sign(message.rawBytes, hash: .sha256, key: key)
        #expect(signature.count == (bits + 7) / 8)
        let numbers = key.publicNumbers
        #expect(RSA.verify(signature, over: message.rawBytes, hash: .sha256, key: numbers) == true)
        #expect(
            RSA.verify(signature, over: other.rawBytes, hash: .sha256, key: numbers) == false
        )
    }

    @Test("ECDSA signs and verifies, and agrees on a secret", arguments: NISTCurve.allCases)
    func ecdsa(curve: NISTCurve) throws {
        let (scalar, point) = try curve.generate()
        #expect(try curve.point(scalar: scalar) == point)
        let (r, s) = try curve.sign(message.rawBytes, scalar: scalar)
        #expect(curve.verify(r: r, s: s, over: message.rawBytes, point: point) == true)
        #expect(curve.verify(r: r, s: s, over: other.rawBytes, point: point) == false)
        #expect(curve.verify(r: s, s: r, over: message.rawBytes, point: point) == false)
        #expect(curve.verify(r: [], s: [], over: message.rawBytes, point: point) == false)
        var offCurve = point
        offCurve[point.count - 1] ^= 1
        #expect(!curve.isValid(point: offCurve))
        #expect(!curve.isValid(point: [0]))
        let peer = try curve.generate()
        let first = try curve.agree(scalar: scalar, peer: peer.point)
        #expect(try first == curve.agree(scalar: peer.scalar, peer: point))
    }

    @Test("ML-DSA-44 signs and verifies, and the context counts")
    func mldsa44() throws {
        let seed = SecretBytes([UInt8](repeating: 7, count: 32))
        let key = try MLDSA44.publicKey(seed: seed)
        #expect(key.count == MLDSA44.publicKeyBytes)
        let signature = try MLDSA44.sign(message.rawBytes, context: [1], seed: seed)
        #expect(signature.count == MLDSA44.signatureBytes)
        #expect(
            MLDSA44.verify(signature, over: message.rawBytes, context: [1], publicKey: key) == true
        )
        #expect(
            MLDSA44.verify(signature, over: message.rawBytes, context: [2], publicKey: key) == false
        )
        #expect(
            MLDSA44.verify(signature, over: other.rawBytes, context: [1], publicKey: key) == false
        )
        #expect(MLDSA44.verify([], over: message.rawBytes, context: [1], publicKey: key) == false)
    }

    @Test("Seeds of a wrong length throw")
    func seeds() {
        #expect(throws: CryptoError.self) { _ = try Ed25519.publicKey(seed: SecretBytes([1])) }
        #expect(throws: CryptoError.self) { _ = try MLDSA44.publicKey(seed: SecretBytes([1])) }
    }
}
