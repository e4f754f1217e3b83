// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("Hashes and HMAC")
struct HashTests {
    // FIPS 180-4 examples; RFC 1321, appendix A.5.
    @Test(
        "The digest of abc",
        arguments: [
            (HashAlgorithm.md5, "900150983cd24fb0d6963f7d28e17f72"),
            (.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                .sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
            ),
            (
                .sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ]
    )
    func abc(algorithm: HashAlgorithm, digest: String) {
        #expect(algorithm.hash(Array("abc".utf8)) == hex(digest))
        var hasher = Hasher(algorithm)
        for byte in "abc".utf8 { hasher.update([byte]) }
        let inParts = hasher.finalize()
        #expect(inParts == hex(digest))
    }

    // RFC 4231, test case 2; RFC 2202, test case 2.
    @Test(
        "HMAC of the RFCs' second test case",
        arguments: [
            (HashAlgorithm.md5, "750c783e6ab0b503eaa86e310a5db738"),
            (.sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (.sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                .sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                    + "8e2240ca5e69e2c78b3239ecfab21649"
            ),
            (
                .sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                    + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
            ),
        ]
    )
    func hmac(algorithm: HashAlgorithm, tag: String) {
        let made = HMAC.tag(
            algorithm,
            key: Array("Jefe".utf8),
            Array("what do ya want for nothing?".utf8)
        )
        #expect(made == hex(tag))
    }

    // RFC 4231, test case 6: a key longer than a block.
    @Test(
        "HMAC of a key that is longer than a block, twice with one context",
        arguments: [
            (
                HashAlgorithm.sha256,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            (
                .sha512,
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
                    + "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
            ),
        ]
    )
    func longKey(algorithm: HashAlgorithm, tag: String) {
        var hmac = HMAC(algorithm, key: [UInt8](repeating: 0xaa, count: 131))
        let message = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        for _ in 0..<2 {
            let made = hmac.tag(of: message.rawBytes)
            #expect(made == hex(tag))
        }
    }

    @Test("The same seed gives the same bytes, another seed others")
    func seeded() {
        #expect(SeededRandom(seed: 1).bytes(100) == SeededRandom(seed: 1).bytes(100))
        #expect(SeededRandom(seed: 1).bytes(100) != SeededRandom(seed: 2).bytes(100))
        let random = SeededRandom(seed: 3)
        let drawn = (0..<1000).map { _ in random.uniform(below: 3) }
        #expect(Set(drawn) == [0, 1, 2])
    }
}
