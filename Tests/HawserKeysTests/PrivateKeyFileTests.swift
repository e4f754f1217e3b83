// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserWire
import Testing

@Suite("Private key files")
struct PrivateKeyFileTests {
    @Test("A file without passphrase holds the key of its .pub file", arguments: Vectors.plain)
    func plain(name: String) throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes(name))
        let line = try Vectors.line(name + ".pub")
        #expect(key.publicKey == line.key)
        #expect(key.comment == line.comment)
        #expect(try PrivateKeyFile.publicKey(in: Vectors.bytes(name)) == line.key)
        #expect(try !PrivateKeyFile.isEncrypted(Vectors.bytes(name)))
    }

    @Test("Every cipher of PROTOCOL.key opens with its passphrase", arguments: Vectors.ciphers)
    func encrypted(cipher: String) throws {
        let contents = try Vectors.bytes("ed25519." + cipher)
        let key = try PrivateKeyFile.parse(contents, passphrase: Vectors.passphrase)
        #expect(key.publicKey == (try Vectors.line("ed25519.pub").key))
        #expect(key.comment == "test ed25519")
        #expect(throws: KeyError.needsPassphrase) { try PrivateKeyFile.parse(contents) }
        #expect(throws: KeyError.wrongPassphrase) {
            try PrivateKeyFile.parse(contents, passphrase: SecretBytes([1]))
        }
        #expect(try PrivateKeyFile.publicKey(in: contents) == key.publicKey)
        #expect(try PrivateKeyFile.isEncrypted(contents))
    }

    @Test("PEM and PKCS#8 give the same key", arguments: Vectors.old + Vectors.foreign)
    func old(name: String) throws {
        let contents = try Vectors.bytes(name)
        let isEncrypted = try PrivateKeyFile.isEncrypted(contents)
        #expect(isEncrypted == (name.split(separator: ".").count == 3))
        let key = try PrivateKeyFile.parse(
            contents,
            passphrase: isEncrypted ? Vectors.passphrase : nil
        )
        #expect(key.publicKey == (try Vectors.line(Vectors.publicName(name)).key))
        if isEncrypted {
            #expect(throws: KeyError.needsPassphrase) { try PrivateKeyFile.parse(contents) }
            #expect(throws: KeyError.wrongPassphrase) {
                try PrivateKeyFile.parse(contents, passphrase: SecretBytes([1]))
            }
        }
    }

    @Test("OpenSSL's Ed25519 file is read")
    func ed25519PKCS8() throws {
        #expect(try PrivateKeyFile.parse(Vectors.bytes("ed25519.PKCS8")).type == .ed25519)
    }

    @Test(
        "A PEM or PKCS#8 file is written as OpenSSH writes it",
        arguments: Vectors.plain.dropFirst()
    )
    func writtenAlike(name: String) throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes(name))
        let random = SeededRandom(seed: 1)
        let pem = try PrivateKeyFile.serialize(key, format: .pem, random: random)
        #expect(try pem.exposed == Vectors.bytes(name + ".PEM"))
        let pkcs8 = try PrivateKeyFile.serialize(key, format: .pkcs8, random: random)
        #expect(try pkcs8.exposed == Vectors.bytes(name + ".PKCS8"))
    }

    @Test(
        "What is written is read back",
        arguments: Vectors.plain,
        [PrivateKeyFile.Format.openSSH, .pem, .pkcs8]
    )
    func roundTrip(name: String, format: PrivateKeyFile.Format) throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes(name))
        let random = SeededRandom(seed: 2)
        let clear = try PrivateKeyFile.serialize(key, format: format, random: random)
        #expect(try PrivateKeyFile.parse(clear.exposed).publicKey == key.publicKey)
        let sealed = try PrivateKeyFile.serialize(
            key,
            format: format,
            protection: .init(passphrase: Vectors.passphrase, rounds: 1),
            random: random
        )
        let again = try PrivateKeyFile.parse(sealed.exposed, passphrase: Vectors.passphrase)
        #expect(again.publicKey == key.publicKey)
    }

    @Test("Every cipher is written and read back", arguments: CipherAlgorithm.allCases)
    func everyCipher(cipher: CipherAlgorithm) throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes("ed25519"))
        let sealed = try PrivateKeyFile.serialize(
            key,
            protection: .init(passphrase: Vectors.passphrase, cipher: cipher, rounds: 1),
            random: SeededRandom(seed: 3)
        )
        let again = try PrivateKeyFile.parse(sealed.exposed, passphrase: Vectors.passphrase)
        #expect(again.publicKey == key.publicKey)
        #expect(again.comment == key.comment)
    }

    @Test("A new key of each type survives its file", arguments: 0..<4)
    func generated(index: Int) throws {
        let random = SeededRandom(seed: 4)
        let kinds: [PrivateKey.NewKey] = [
            .ed25519, .ecdsa(.p384), .mldsa44Ed25519, .rsa(bits: 1024),
        ]
        let key = try PrivateKey.generate(kinds[index], comment: [0xff, 0x41], random: random)
        let file = try PrivateKeyFile.serialize(key, random: random)
        let again = try PrivateKeyFile.parse(file.exposed)
        #expect(again.publicKey == key.publicKey)
        #expect(again.commentBytes == [0xff, 0x41])
        let message = Array("message".utf8)
        let signature = try again.sign(message.rawBytes)
        try key.publicKey.verify(signature: signature, over: message.rawBytes)
    }

    @Test(
        "A file cut anywhere is an error",
        arguments: ["ed25519", "ecdsa.PEM", "ecdsa.PKCS8", "ecdsa.PEM.encrypted"]
    )
    func truncated(name: String) throws {
        let contents = try Vectors.bytes(name)
        // Without the last line end the file is whole.
        for count in 0..<contents.count - 1 {
            #expect(throws: KeyError.self) {
                try PrivateKeyFile.parse(
                    Array(contents.prefix(count)),
                    passphrase: Vectors.passphrase
                )
            }
        }
    }

    @Test(
        "A body cut anywhere is an error",
        arguments: ["ed25519", "ed25519.aes256-ctr", "ecdsa.PKCS8", "rsa.PEM", "dsa.PKCS8"]
    )
    func truncatedBody(name: String) throws {
        let (first, body, last) = try Self.parts(of: name)
        for count in stride(from: 0, to: body.count, by: name.contains("aes") ? 7 : 1) {
            let cut = first + "\n" + Base64.encode(Array(body.prefix(count))) + "\n" + last
            #expect(throws: KeyError.self) {
                try PrivateKeyFile.parse(Array(cut.utf8), passphrase: Vectors.passphrase)
            }
        }
    }

    @Test(
        "A changed bit gives an error or the same key, never another key and never a crash",
        arguments: ["ed25519", "ecdsa", "ecdsa.PKCS8", "rsa.PEM"]
    )
    func bitFlips(name: String) throws {
        let (first, body, last) = try Self.parts(of: name)
        let expected = try Vectors.line(Vectors.publicName(name)).key
        for index in body.indices {
            var changed = body
            changed[index] ^= 1 << UInt8(index % 8)
            let text = first + "\n" + Base64.encode(changed) + "\n" + last
            if let key = try? PrivateKeyFile.parse(Array(text.utf8)) {
                #expect(key.publicKey == expected)
            }
        }
    }

    /// The armour's first line, the bytes inside and the last line.
    static func parts(of name: String) throws -> (String, [UInt8], String) {
        let lines = try Vectors.text(name).split(separator: "\n")
        let body = lines.dropFirst().dropLast().joined()
        return (
            String(lines[0]), try #require(Base64.decode(body.utf8)), String(lines[lines.count - 1])
        )
    }
}
