// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
package import HawserProtocol

/// The lists of algorithms that a configuration leads to.
package enum AlgorithmDefaults {
    /// The host key algorithms, in order of preference.
    package static func hostKey(_ settings: ServerSettings) -> [String] {
        settings.names("hostkeyalgorithms") ?? Algorithms.publicKey.offered
    }

    /// The algorithms of users' keys.
    package static func publicKey(_ settings: ServerSettings) -> [String] {
        settings.names("pubkeyacceptedalgorithms") ?? Algorithms.publicKey.offered
    }

    /// How users' keys may sign, certified or not: `server-sig-algs` (RFC 8308 §3.1). While the
    /// user's name may still change what is accepted, that is everything.
    package static func signature(
        _ settings: ServerSettings,
        mayVary: Bool = false
    ) -> [String] {
        var names: [String] = []
        for name in publicKey(settings) + (mayVary ? Algorithms.publicKey.offered : []) {
            guard let signature = PublicKeyAlgorithm(name: name)?.signature.name,
                !names.contains(signature)
            else { continue }
            names.append(signature)
        }
        return names
    }

    /// The algorithms of client hosts' keys.
    package static func hostBased(_ settings: ServerSettings) -> [String] {
        settings.names("hostbasedacceptedalgorithms") ?? Algorithms.publicKey.offered
    }

    /// Every name that can be asked for.
    package static let allPublicKey = PublicKeyAlgorithm.all.map(\.name)

    package static func proposal(
        _ settings: ServerSettings,
        hostKeys: [HostKeyOffer]
    ) -> Proposal {
        let available = Set(hostKeys.flatMap(\.algorithms))
        return Proposal(
            keyExchange: settings.names("kexalgorithms") ?? Algorithms.serverKeyExchange.offered,
            hostKey: hostKey(settings).filter(available.contains),
            ciphers: settings.names("ciphers") ?? Algorithms.ciphers.offered,
            macs: settings.names("macs") ?? Algorithms.macs.offered,
            compression: settings.first("compression") == "no"
                ? ["none"] : ["none", "zlib@openssh.com"]
        )
    }
}
