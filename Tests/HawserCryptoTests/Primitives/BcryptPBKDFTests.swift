// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("bcrypt_pbkdf(3)")
struct BcryptPBKDFTests {
    // OpenBSD, regress/lib/libutil/bcrypt_pbkdf.
    @Test("The key for password/salt with 4 rounds is the known one")
    func knownKey() {
        let key = BcryptPBKDF.deriveKey(
            passphrase: Array("password".utf8),
            salt: Array("salt".utf8),
            rounds: 4,
            bytes: 32
        )
        #expect(
            key.exposed == [
                0x5b, 0xbf, 0x0c, 0xc2, 0x93, 0x58, 0x7f, 0x1c, 0x36, 0x35, 0x55, 0x5c, 0x27, 0x79,
                0x65, 0x98, 0xd4, 0x7e, 0x57, 0x90, 0x71, 0xbf, 0x42, 0x7e, 0x9d, 0x8f, 0xbe, 0x84,
                0x2a, 0xba, 0x34, 0xd9,
            ]
        )
    }

    @Test("A longer key is not the shorter one with more behind it")
    func spread() {
        let short = BcryptPBKDF.deriveKey(passphrase: [1], salt: [2], rounds: 1, bytes: 32).exposed
        let long = BcryptPBKDF.deriveKey(passphrase: [1], salt: [2], rounds: 1, bytes: 48).exposed
        #expect(long.count == 48)
        #expect(stride(from: 0, to: 48, by: 2).map { long[$0] } == Array(short[0..<24]))
    }
}
