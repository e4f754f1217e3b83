// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@Suite("Public keys in files of others")
struct PublicKeyFileTests {
    @Test(
        "RFC 4716 files are written and read as OpenSSH does",
        arguments: ["rsa", "ecdsa", "dsa", "ed25519"]
    )
    func rfc4716(name: String) throws {
        let key = try Vectors.line(name + ".pub").key
        let text = try Vectors.text(name + ".rfc4716")
        let comment = "\(key.bits)-bit \(key.type.shortName), converted by me@here from OpenSSH"
        #expect(RFC4716.text(key, comment: comment) == text)
        for end in ["\n", "\r", "\r\n"] {
            let other = text.split(separator: "\n").joined(separator: end) + end
            guard case .publicKey(let read) = try RFC4716.parse(Array(other.utf8)) else {
                Issue.record("a public key")
                return
            }
            #expect(read == key)
        }
    }

    @Test("A header goes on over a backslash at its end (RFC 4716 §3.3.2)")
    func continuation() throws {
        let key = try Vectors.line("ed25519.pub").key
        let text = """
            ---- BEGIN SSH2 PUBLIC KEY ----
            Subject: me
            Comment: "a long\\
            one without colon"
            \(Base64.encode(key.blob))
            ---- END SSH2 PUBLIC KEY ----
            """
        guard case .publicKey(let read) = try RFC4716.parse(Array(text.utf8)) else {
            Issue.record("a public key")
            return
        }
        #expect(read == key)
    }

    @Test("PKCS#8 and PKCS#1 files are OpenSSH's", arguments: ["rsa", "ecdsa", "dsa"])
    func pem(name: String) throws {
        let key = try Vectors.line(name + ".pub").key
        let contents = try Vectors.bytes(name + ".spki")
        #expect(PublicKeyFile.pkcs8(key) == contents)
        #expect(try PublicKeyFile.parse(contents) == key)
        if name == "rsa" {
            let contents = try Vectors.bytes("rsa.pkcs1")
            #expect(PublicKeyFile.pem(key) == contents)
            #expect(try PublicKeyFile.parse(contents) == key)
        }
        for count in 0..<contents.count - 1 {
            #expect(throws: KeyError.self) {
                try PublicKeyFile.parse(Array(contents.prefix(count)))
            }
        }
    }
}
