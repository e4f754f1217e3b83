// SPDX-License-Identifier: Apache-2.0

package import HawserConfig
package import HawserProtocol

/// The algorithms that the options allow, in order of preference: made when first asked for, as a
/// passenger of a master needs none of them.
package final class ClientAlgorithms {
    private let options: ClientOptions

    package init(_ options: ClientOptions) { self.options = options }

    /// What is offered in a key exchange (RFC 4253 §7.1).
    package private(set) lazy var proposal = Proposal(
        keyExchange: list(.kexAlgorithms, .keyExchange),
        hostKey: list(.hostKeyAlgorithms, .publicKey),
        ciphers: list(.ciphers, .ciphers),
        macs: list(.macs, .macs),
        compression: options.compression == true
            ? ["zlib@openssh.com", "none"] : ["none", "zlib@openssh.com"]
    )
    /// For logins by key.
    package private(set) lazy var publicKey = list(.pubkeyAcceptedAlgorithms, .publicKey)
    /// What authorities may sign host certificates with.
    package private(set) lazy var certificates = list(.caSignatureAlgorithms, .certificateAuthority)
    /// For host-based authentication.
    package private(set) lazy var hostBased = list(.hostbasedAcceptedAlgorithms, .publicKey)

    private func list(_ keyword: ClientKeyword, _ family: AlgorithmFamily) -> [String] {
        let names = ValueContext.client.names(family)
        guard let text = options.values(keyword).first else { return names.offered }
        return names.resolved(text)
    }
}
