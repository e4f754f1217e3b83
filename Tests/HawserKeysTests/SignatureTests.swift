// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserKeys
import HawserWire
import Testing

@Suite("Signatures (RFC 4253 §6.6, RFC 5656, RFC 8332, RFC 8709)")
struct SignatureTests {
    let message = Array("The quick brown fox".utf8)

    @Test("What a key signs, it verifies, and nothing else", arguments: Vectors.plain)
    func signAndVerify(name: String) throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes(name))
        for algorithm in key.type.signatureAlgorithms {
            let signature = try key.sign(message.rawBytes, algorithm: algorithm.name)
            try key.publicKey.verify(
                signature: signature,
                over: message.rawBytes,
                allowing: [algorithm.name]
            )
            let other = message + [0]
            #expect(throws: KeyError.badSignature) {
                try key.publicKey.verify(
                    signature: signature,
                    over: other.rawBytes,
                    allowing: [algorithm.name]
                )
            }
            #expect(throws: KeyError.self) {
                try key.publicKey.verify(
                    signature: signature + [0],
                    over: message.rawBytes,
                    allowing: [algorithm.name]
                )
            }
        }
    }

    @Test("Signatures made by OpenSSH verify", arguments: Vectors.plain)
    func theirs(name: String) throws {
        // ssh-keygen -Y sign -n file message; the envelope is PROTOCOL.sshsig.
        let body = try Vectors.text(name + ".sig").split(separator: "\n").dropFirst().dropLast()
        let envelope = try #require(Base64.decode(body.joined().utf8))
        var reader = WireReader(envelope.rawBytes)
        let magic = [UInt8](copying: try reader.readFixed(6))
        let version = try reader.readUInt32()
        #expect(magic == Array("SSHSIG".utf8) && version == 1)
        let key = try PublicKey(blob: reader.readBytes())
        #expect(key == (try Vectors.line(name + ".pub").key))
        let space = try reader.readBytes()
        let reserved = try reader.readBytes()
        let hash = try reader.readBytes()
        let signature = try reader.readBytes()
        try reader.expectEnd()
        var writer = WireWriter()
        writer.write(fixed: Array("SSHSIG".utf8))
        writer.write(string: space)
        writer.write(string: reserved)
        writer.write(string: hash)
        writer.write(string: HashAlgorithm.sha512.hash(try Vectors.bytes("message")))
        let signed = writer.take()
        try key.verify(signature: signature, over: signed.rawBytes)
    }

    @Test("The composite key needs both of its parts")
    func composite() throws {
        let key = try PrivateKey.generate(.mldsa44Ed25519, random: SeededRandom(seed: 5))
        let signature = try key.sign(message.rawBytes)
        try key.publicKey.verify(signature: signature, over: message.rawBytes)
        for offset in [60, signature.count - 1] {
            var changed = signature
            changed[offset] ^= 1
            #expect(throws: KeyError.badSignature) {
                try key.publicKey.verify(signature: changed, over: message.rawBytes)
            }
        }
    }

    @Test("RSA with SHA-1 is refused unless it is allowed by name")
    func sha1() throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes("rsa"))
        let signature = try key.sign(message.rawBytes, algorithm: "ssh-rsa")
        #expect(throws: KeyError.algorithmNotAllowed("ssh-rsa")) {
            try key.publicKey.verify(signature: signature, over: message.rawBytes)
        }
        try key.publicKey.verify(
            signature: signature,
            over: message.rawBytes,
            allowing: ["ssh-rsa"]
        )
        #expect(throws: KeyError.algorithmNotAllowed("ssh-rsa")) {
            try key.publicKey.verify(
                signature: signature,
                over: message.rawBytes,
                allowing: ["rsa-sha2-512", "ssh-ed25519"]
            )
        }
    }

    @Test("A certificate's algorithm name allows the signature of its key")
    func certificateName() throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes("rsa"))
        let certified = try key.certified(by: Vectors.line("rsa-cert.pub").key)
        let name = "rsa-sha2-256-cert-v01@openssh.com"
        let signature = try certified.sign(message.rawBytes, algorithm: name)
        try certified.publicKey.verify(
            signature: signature,
            over: message.rawBytes,
            allowing: [name]
        )
    }

    @Test("An RSA key that is too short is refused")
    func shortRSA() throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes("rsa"))
        let signature = try key.sign(message.rawBytes)
        #expect(throws: KeyError.invalidKeyLength(bits: 1024)) {
            try key.publicKey.verify(
                signature: signature,
                over: message.rawBytes,
                minimumRSABits: 2048
            )
        }
    }

    @Test("A key does not sign with another type's algorithm")
    func otherType() throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes("ed25519"))
        #expect(throws: KeyError.algorithmNotAllowed("rsa-sha2-256")) {
            try key.sign(message.rawBytes, algorithm: "rsa-sha2-256")
        }
    }

    @Test("A signature cut anywhere is an error", arguments: Vectors.plain)
    func truncated(name: String) throws {
        let key = try PrivateKeyFile.parse(Vectors.bytes(name))
        let signature = try key.sign(message.rawBytes)
        for count in 0..<signature.count {
            #expect(throws: KeyError.self) {
                try key.publicKey.verify(
                    signature: Array(signature.prefix(count)),
                    over: message.rawBytes
                )
            }
        }
    }
}
