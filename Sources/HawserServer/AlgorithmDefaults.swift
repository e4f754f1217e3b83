// SPDX-License-Identifier: Apache-2.0

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
