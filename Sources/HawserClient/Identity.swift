// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys

/// A key that may identify the user: in a file, in the agent, or only certified.
struct Identity {
    /// The key or certificate to offer; nil where only the passphrase can tell.
    var publicKey: PublicKey?
    /// The file that names it, or its comment in the agent.
    var name: String
    /// The private key's file.
    var file: String?
    /// From `CertificateFile`: the private key is another identity's.
    var isBareCertificate = false
    /// Named by the command line or the configuration.
    var isExplicit = false
    /// The agent has this very key or certificate.
    var isInAgent = false
    /// The private key is in a PKCS#11 token.
    var isInToken = false

    /// As `-v` shows it.
    var description: String {
        guard let publicKey else { return name + (isExplicit ? " explicit" : "") }
        return "\(name) \(publicKey.type.shortName) \(publicKey.fingerprint())"
            + (isExplicit ? " explicit" : "") + (isInAgent ? " agent" : "")
            + (isInToken ? " token" : "")
    }
}
