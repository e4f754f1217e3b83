// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
package import HawserProtocol

/// What this program calls itself to clients.
package enum ServerVersion {
    package static let software = "Hawser_0.1"
}

/// The lists of algorithms that a configuration leads to.
package enum AlgorithmDefaults {
    /// The host key algorithms, in order of preference.
    package static func hostKey(_ settings: ServerSettings) -> [String] {
        settings.names("hostkeyalgorithms") ?? signatures
    }

    /// The algorithms of users' keys.
    package static func publicKey(_ settings: ServerSettings) -> [String] {
        settings.names("pubkeyacceptedalgorithms") ?? signatures
    }

    package static func proposal(
        _ settings: ServerSettings,
        hostKeys: [HostKeyOffer]
    ) -> Proposal {
        let available = Set(hostKeys.flatMap(\.algorithms))
        return Proposal(
            keyExchange: settings.names("kexalgorithms") ?? keyExchange,
            hostKey: hostKey(settings).filter(available.contains),
            ciphers: settings.names("ciphers") ?? ciphers,
            macs: settings.names("macs") ?? macs,
            compression: settings.first("compression") == "no"
                ? ["none"] : ["none", "zlib@openssh.com"]
        )
    }

    static let signatures = [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "rsa-sha2-512", "rsa-sha2-256",
    ]
    static let keyExchange = [
        "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
    ]
    static let ciphers = [
        "chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
        "aes128-ctr", "aes192-ctr", "aes256-ctr",
    ]
    static let macs = [
        "umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com", "umac-64@openssh.com",
        "umac-128@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
    ]
}
