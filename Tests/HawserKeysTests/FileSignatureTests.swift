// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserKeys

/// PROTOCOL.sshsig.
struct FileSignatureTests {
    let key: PrivateKey

    init() throws {
        key = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: 1))
    }

    func digest(_ message: String, _ hash: FileSignature.Hash) -> [UInt8] {
        var digest = hash.digest
        let bytes = Array(message.utf8)
        digest.update(bytes.rawBytes)
        return digest.finish()
    }

    func sign(_ message: String, hash: FileSignature.Hash = .sha512) throws -> FileSignature {
        let bytes = FileSignature.bytesToSign(
            namespace: "file",
            hash: hash,
            digest: digest(message, hash)
        )
        return FileSignature(
            publicKey: key.publicKey,
            namespace: "file",
            hash: hash,
            signature: try key.sign(bytes.rawBytes)
        )
    }

    func isVerified(_ signature: FileSignature, _ digest: [UInt8], _ namespace: String) -> Bool {
        do {
            try signature.verify(digest: digest, namespace: namespace)
            return true
        } catch {
            return false
        }
    }

    @Test("A signature is good for its message and namespace alone", arguments: ["", "hello"])
    func goodness(message: String) throws {
        for hash in FileSignature.Hash.allCases {
            let text = try sign(message, hash: hash).armored
            let signature = try FileSignature(armored: text)
            #expect(signature.hash == hash)
            try signature.verify(digest: digest(message, hash), namespace: "file")
            #expect(throws: KeyError.badSignature) {
                try signature.verify(digest: digest(message + ".", hash), namespace: "file")
            }
            #expect(throws: KeyError.self) {
                try signature.verify(digest: digest(message, hash), namespace: "git")
            }
        }
    }

    @Test("A signature of OpenSSH 9.2 over \"hello\" and a line end is good")
    func vector() throws {
        let text = """
            -----BEGIN SSH SIGNATURE-----
            U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgn45eKJ1InaFV97HFaOk/jY7m6v
            kW8Te9ZWDRJfH7dE4AAAABeAAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUxOQAA
            AEAo0WwzuHEe6M1NqyM3cMeLnFtrvUHplQiV4d9OmdGR7s1OEW10f/7SzqQ90WQmmW96QC
            DLUJIwlZVNSmNEkv4L
            -----END SSH SIGNATURE-----

            """
        let signature = try FileSignature(armored: Array(text.utf8))
        try signature.verify(digest: digest("hello\n", .sha512), namespace: "x")
        #expect(signature.armored == Array(text.utf8))
        for (text, error) in [
            ("-----BEGIN", FileSignature.ArmorError.truncated), ("\n" + text, .missingHeader),
            (String(text.prefix(200)), .missingFooter),
        ] {
            #expect(throws: error) { try FileSignature(armored: Array(text.utf8)) }
        }
    }

    @Test("No flipped bit and no missing byte leaves a signature good")
    func damage() throws {
        let whole = try sign("hello").blob
        let digest = digest("hello", .sha512)
        func isGood(_ bytes: [UInt8]) -> Bool {
            guard let signature = try? FileSignature(blob: bytes) else { return false }
            return isVerified(signature, digest, "file")
        }
        #expect(isGood(whole))
        for index in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[index] ^= 1 << UInt8(bit)
                #expect(!isGood(damaged), "bit \(bit) of byte \(index)")
            }
            #expect(!isGood(Array(whole[..<index])))
        }
        #expect(!isGood(whole + [0]))
    }

    @Test("RSA signs files with SHA-2 only")
    func rsa() throws {
        let key = try PrivateKey.generate(.rsa(bits: 2048), random: SeededRandom(seed: 1))
        let digest = digest("x", .sha256)
        let bytes = FileSignature.bytesToSign(namespace: "n", hash: .sha256, digest: digest)
        for (algorithm, isGood) in [("ssh-rsa", false), ("rsa-sha2-256", true)] {
            let signature = FileSignature(
                publicKey: key.publicKey,
                namespace: "n",
                hash: .sha256,
                signature: try key.sign(bytes.rawBytes, algorithm: algorithm)
            )
            #expect(isVerified(signature, digest, "n") == isGood)
        }
    }

    @Test(
        "Who may sign",
        arguments: [
            ("a@b", true), ("*@b,!c@b", true), ("!a@b,*", false), ("A@B", false),
            ("a@b namespaces=\"file\"", true), ("a@b namespaces=\"git\"", false),
            ("a@b valid-after=\"20200101Z\"", true), ("a@b valid-after=\"20400101Z\"", false),
            ("a@b valid-before=\"20400101Z\"", true), ("a@b valid-before=\"20200101Z\"", false),
            ("a@b cert-authority", false), ("a@b unknown", false), ("\"a@b,x y\"", true),
            ("a@b namespaces=\"file", false), ("#a@b", false), ("", false),
        ]
    )
    func allowed(line: String, isAllowed: Bool) throws {
        let file = AllowedSigners(contents: Array("\(line) \(key.publicKey.text) me\n".utf8))
        let moment = AllowedSigners.Moment(
            seconds: 1_900_000_000,
            calendar: { UInt64(exactly: $0.secondsAsUTC) },
            text: { "\($0)" }
        )
        let verdict = file.allow(
            key.publicKey,
            for: "a@b",
            namespace: "file",
            at: moment,
            complain: { _ in }
        )
        #expect(verdict == isAllowed)
    }
}
