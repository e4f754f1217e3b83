// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@Suite("Public keys and certificates")
struct PublicKeyTests {
    @Test("Fingerprints, art and babble are OpenSSH's")
    func fingerprints() throws {
        // `for k in *.pub; do ssh-keygen -lv -f $k; ssh-keygen -l -E md5 -f $k; ssh-keygen -B …`
        var expected = ""
        for name in [
            "ca", "dsa", "ecdsa", "ecdsa384", "ecdsa521", "ed25519-cert", "ed25519", "rsa-cert",
            "rsa",
        ] {
            let line = try Vectors.line(name + ".pub")
            let key = line.key
            let tail = "\(line.comment) (\(key.type.shortName))\n"
            expected += "\(key.bits) \(key.fingerprint()) \(tail)"
            expected += Randomart.picture(of: key) + "\n"
            expected += "\(key.bits) \(key.fingerprint(.md5)) \(tail)"
            let digest = Fingerprint(of: key, .sha1).digest
            expected += "\(key.bits) \(BubbleBabble.encode(digest)) \(tail)"
        }
        #expect(try Vectors.text("fingerprints") == expected)
    }

    @Test("Bubble Babble of its own document")
    func bubbleBabble() {
        // "The Bubble Babble Binary Data Encoding", §4.
        #expect(BubbleBabble.encode([]) == "xexax")
        #expect(
            BubbleBabble.encode(Array("1234567890".utf8)) == "xesef-disof-gytuf-katof-movif-baxux"
        )
        #expect(BubbleBabble.encode(Array("Pineapple".utf8)) == "xigak-nyryk-humil-bosek-sonax")
    }

    @Test("A blob is written as it was read", arguments: Vectors.plain)
    func blob(name: String) throws {
        let line = try Vectors.line(name + ".pub")
        #expect(try PublicKey(line.key.material).blob == line.key.blob)
        #expect(line.text + "\n" == (try Vectors.text(name + ".pub")))
    }

    @Test(
        "A blob cut anywhere, or with a byte more, is an error",
        arguments: ["ed25519", "rsa-cert", "ecdsa"]
    )
    func truncated(name: String) throws {
        let blob = try Vectors.line(name + ".pub").key.blob
        for count in 0..<blob.count {
            #expect(throws: KeyError.self) { try PublicKey(blob: Array(blob.prefix(count))) }
        }
        #expect(throws: KeyError.self) { try PublicKey(blob: blob + [0]) }
    }

    @Test("Changed bits never crash, and never leave a certificate's signature good")
    func bitFlips() throws {
        let blob = try Vectors.line("ed25519-cert.pub").key.blob
        for index in blob.indices {
            var changed = blob
            changed[index] ^= 1 << UInt8(index % 8)
            guard let key = try? PublicKey(blob: changed) else { continue }
            #expect(throws: KeyError.self) { try key.verifyCertificate() }
        }
    }

    @Test("A certificate says what ssh-keygen was told")
    func certificate() throws {
        let key = try Vectors.line("ed25519-cert.pub").key
        let certificate = try #require(key.certificate)
        #expect(key.type == .ed25519Certificate)
        #expect(key.plain == (try Vectors.line("ed25519.pub").key))
        #expect(certificate.kind == .user)
        #expect(certificate.serial == 42)
        #expect(certificate.keyID == "user id")
        #expect(certificate.principals == ["alice", "bob"])
        #expect(certificate.validAfter < certificate.validBefore)
        #expect(certificate.criticalOptions.map(\.name) == ["force-command"])
        #expect(try certificate.criticalOptions.first?.text() == "/bin/true")
        #expect(certificate.extensions.contains { $0.name == "permit-pty" })
        #expect(certificate.signatureKey == (try Vectors.line("ca.pub").key))
        try key.verifyCertificate()
        try Vectors.line("rsa-cert.pub").key.verifyCertificate()
    }

    @Test("An RSA modulus that is even, or out of bounds, is refused")
    func badRSA() {
        #expect(throws: KeyError.self) {
            try PublicKey(.rsa(exponent: [3], modulus: [UInt8](repeating: 0xfe, count: 128)))
        }
        #expect(throws: KeyError.self) {
            try PublicKey(.rsa(exponent: [3], modulus: [UInt8](repeating: 0xff, count: 3000)))
        }
        #expect(throws: KeyError.self) {
            try PublicKey(.rsa(exponent: [1], modulus: [UInt8](repeating: 0xff, count: 128)))
        }
    }

    @Test("A line's type must be that of its key")
    func lineType() throws {
        let line = try Vectors.text("ed25519.pub")
        let base64 = line.split(separator: " ")[1]
        #expect(throws: KeyError.typeMismatch) { try PublicKeyLine.parse("ssh-rsa \(base64)") }
        #expect(throws: KeyError.unknownType("ssh-foo")) {
            try PublicKeyLine.parse("ssh-foo \(base64)")
        }
        #expect(try PublicKeyLine.parse("  ssh-ed25519\t\(base64)  a b \r\n").comment == "a b")
    }

    @Test("Each type has one row, and its names lead back to it")
    func rows() {
        for type in KeyType.allCases {
            #expect(KeyType(name: type.name) == type)
            #expect(type.plain.certificate.plain == type.plain)
            #expect(type.certificate.isCertificate)
        }
        for algorithm in PublicKeyAlgorithm.all {
            #expect(PublicKeyAlgorithm(name: algorithm.name) == algorithm)
        }
        #expect(
            PublicKeyAlgorithm(name: "rsa-sha2-512-cert-v01@openssh.com")?.keyType
                == .rsaCertificate
        )
    }
}
