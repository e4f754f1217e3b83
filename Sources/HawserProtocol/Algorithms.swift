// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The algorithms by name, in the order in which they are offered: OpenSSH 10.5's, but AES-GCM
/// before ChaCha20 where the processor has instructions for it.
package enum Algorithms {
    /// One family: what is offered, and everything that can be asked for, as `ssh -Q` lists it.
    package struct Family: Sendable {
        package let offered: [String]
        package let all: [String]
    }

    /// What a client offers. A server offers `serverKeyExchange`.
    package static let keyExchange = Family(
        offered: serverKeyExchange.offered + [
            "diffie-hellman-group-exchange-sha256",
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group18-sha512",
            "diffie-hellman-group14-sha256",
        ],
        all: serverKeyExchange.all
    )

    /// Whether a key exchange holds against quantum computers too: all of them are hybrids.
    package static func isPostQuantum(keyExchange name: String) -> Bool {
        name.hasPrefix("mlkem768") || name.hasPrefix("sntrup761")
    }

    /// Finite fields cost a server much and an attacker little (CVE-2002-20001), so that a server
    /// offers none unless it is told to.
    package static let serverKeyExchange = Family(
        offered: [
            "mlkem768x25519-sha256",
            "sntrup761x25519-sha512",
            "sntrup761x25519-sha512@openssh.com",
            "curve25519-sha256",
            "curve25519-sha256@libssh.org",
            "ecdh-sha2-nistp256",
            "ecdh-sha2-nistp384",
            "ecdh-sha2-nistp521",
        ],
        all: [
            "diffie-hellman-group1-sha1",
            "diffie-hellman-group14-sha1",
            "diffie-hellman-group14-sha256",
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group18-sha512",
            "diffie-hellman-group-exchange-sha1",
            "diffie-hellman-group-exchange-sha256",
            "ecdh-sha2-nistp256",
            "ecdh-sha2-nistp384",
            "ecdh-sha2-nistp521",
            "curve25519-sha256",
            "curve25519-sha256@libssh.org",
            "sntrup761x25519-sha512",
            "sntrup761x25519-sha512@openssh.com",
            "mlkem768x25519-sha256",
            "mlkem768nistp256-sha256",
        ]
    )

    package static let ciphers = Family(
        offered: (CipherAlgorithm.isAESFast
            ? ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"]
            : ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"]) + [
                "aes256-gcm@openssh.com",
                "aes128-ctr",
                "aes192-ctr",
                "aes256-ctr",
            ],
        all: CipherAlgorithm.allCases.map(\.name)
    )

    /// The ciphers that need no MAC.
    package static let authenticatedCiphers = CipherAlgorithm.allCases.filter(\.isAEAD).map(\.name)

    package static let macs = Family(
        offered: [
            "umac-64-etm@openssh.com",
            "umac-128-etm@openssh.com",
            "hmac-sha2-256-etm@openssh.com",
            "hmac-sha2-512-etm@openssh.com",
            "hmac-sha1-etm@openssh.com",
            "umac-64@openssh.com",
            "umac-128@openssh.com",
            "hmac-sha2-256",
            "hmac-sha2-512",
            "hmac-sha1",
        ],
        all: MACAlgorithm.allCases.map(\.name)
    )

    package static let compression = ["none", "zlib@openssh.com", "zlib"]

    /// Signature algorithms of host and user keys, those of certificates first.
    package static let publicKey = Family(
        offered: certificates + plainKeys,
        all: [
            "ssh-ed25519",
            "ssh-ed25519-cert-v01@openssh.com",
            "sk-ssh-ed25519@openssh.com",
            "sk-ssh-ed25519-cert-v01@openssh.com",
            "ssh-mldsa44-ed25519@openssh.com",
            "ssh-mldsa44-ed25519-cert-v01@openssh.com",
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "ecdsa-sha2-nistp384",
            "ecdsa-sha2-nistp384-cert-v01@openssh.com",
            "ecdsa-sha2-nistp521",
            "ecdsa-sha2-nistp521-cert-v01@openssh.com",
            "sk-ecdsa-sha2-nistp256@openssh.com",
            "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
            "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "ssh-rsa",
            "ssh-rsa-cert-v01@openssh.com",
            "rsa-sha2-256",
            "rsa-sha2-256-cert-v01@openssh.com",
            "rsa-sha2-512",
            "rsa-sha2-512-cert-v01@openssh.com",
        ]
    )

    private static let certificates = [
        "ssh-ed25519-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "rsa-sha2-512-cert-v01@openssh.com",
        "rsa-sha2-256-cert-v01@openssh.com",
    ]

    private static let plainKeys = [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        "rsa-sha2-512",
        "rsa-sha2-256",
    ]

    /// What an authority may have signed a certificate with (`CASignatureAlgorithms`).
    package static let certificateSignatures = Family(
        offered: plainKeys,
        all: publicKey.all.filter { !$0.contains("-cert-v01@") }
    )

    /// Plain key types.
    package static let keyTypes = keyAndCertificateTypes.filter { !$0.contains("-cert-v01@") }

    /// Types of certificates.
    package static let certificateTypes = keyAndCertificateTypes.filter {
        $0.contains("-cert-v01@")
    }

    /// Types of keys and certificates, as `ssh -Q key` lists them.
    package static let keyAndCertificateTypes = publicKey.all.filter {
        !$0.hasPrefix("rsa-sha2-") && !$0.hasPrefix("webauthn-")
    }
}
