// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@testable import HawserProtocol

@Suite("What a key signs, RFC 4252 §7 and §9")
struct SignedRequestTests {
    /// The fields of a message in the order of its figure.
    private func fields(_ values: [String]) -> [UInt8] {
        var writer = WireWriter()
        for value in values { writer.write(text: value) }
        return writer.take()
    }

    @Test("publickey: session, 50, user, service, method, TRUE, algorithm, key")
    func publicKey() {
        let data = SignedRequest.publicKey(
            sessionIdentifier: Array("session".utf8),
            user: Array("alice".utf8),
            service: "ssh-connection",
            algorithm: "rsa-sha2-512",
            keyBlob: Array("key".utf8),
            boundHostKey: nil
        )
        #expect(
            data == fields(["session"]) + [50] + fields(["alice", "ssh-connection", "publickey"])
                + [1] + fields(["rsa-sha2-512", "key"])
        )
    }

    @Test("publickey-hostbound: the server's host key follows the user's")
    func hostBound() {
        let data = SignedRequest.publicKey(
            sessionIdentifier: Array("session".utf8),
            user: Array("alice".utf8),
            service: "ssh-connection",
            algorithm: "ssh-ed25519",
            keyBlob: Array("key".utf8),
            boundHostKey: Array("host".utf8)
        )
        let method = "publickey-hostbound-v00@openssh.com"
        #expect(
            data == fields(["session"]) + [50] + fields(["alice", "ssh-connection", method]) + [1]
                + fields(["ssh-ed25519", "key", "host"])
        )
    }

    @Test("hostbased: the client's host and the user's name on it follow its key")
    func hostBased() {
        let data = SignedRequest.hostBased(
            sessionIdentifier: Array("session".utf8),
            user: Array("alice".utf8),
            service: "ssh-connection",
            algorithm: "ssh-ed25519",
            keyBlob: Array("key".utf8),
            clientHostName: "client.example.",
            clientUser: "bob"
        )
        #expect(
            data == fields(["session"]) + [50]
                + fields(["alice", "ssh-connection", "hostbased", "ssh-ed25519", "key"])
                + fields(["client.example.", "bob"])
        )
    }

    @Test("An RSA key signs with what both the user allows and the server takes")
    func algorithms() throws {
        // The server of a pair announces ssh-ed25519 and rsa-sha2-512.
        let pair = try ConnectionPair.authenticated()
        let allowed = [
            "ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512",
        ]
        let rsa = pair.client.publicKeyAlgorithm(for: .rsa, allowed: allowed)
        #expect(rsa == "rsa-sha2-512")
        let certificate = pair.client.publicKeyAlgorithm(for: .rsaCertificate, allowed: allowed)
        #expect(certificate == "rsa-sha2-512-cert-v01@openssh.com")
        let ecdsa = pair.client.publicKeyAlgorithm(for: .ecdsaP256, allowed: allowed)
        #expect(ecdsa == nil)
        let before = try ConnectionPair()
        let unsaid = before.client.publicKeyAlgorithm(for: .rsa, allowed: allowed)
        #expect(unsaid == "rsa-sha2-256")
    }
}
