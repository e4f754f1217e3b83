// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto

/// The kinds of keys and certificates; the raw value is the name that starts a key blob.
package enum KeyType: String, CaseIterable, Sendable {
    case ed25519 = "ssh-ed25519"
    case rsa = "ssh-rsa"
    case ecdsaP256 = "ecdsa-sha2-nistp256"
    case ecdsaP384 = "ecdsa-sha2-nistp384"
    case ecdsaP521 = "ecdsa-sha2-nistp521"
    case mldsa44Ed25519 = "ssh-mldsa44-ed25519@openssh.com"
    case dsa = "ssh-dss"
    case securityKeyEd25519 = "sk-ssh-ed25519@openssh.com"
    case securityKeyECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

    case ed25519Certificate = "ssh-ed25519-cert-v01@openssh.com"
    case rsaCertificate = "ssh-rsa-cert-v01@openssh.com"
    case ecdsaP256Certificate = "ecdsa-sha2-nistp256-cert-v01@openssh.com"
    case ecdsaP384Certificate = "ecdsa-sha2-nistp384-cert-v01@openssh.com"
    case ecdsaP521Certificate = "ecdsa-sha2-nistp521-cert-v01@openssh.com"
    case mldsa44Ed25519Certificate = "ssh-mldsa44-ed25519-cert-v01@openssh.com"
    case dsaCertificate = "ssh-dss-cert-v01@openssh.com"
    case securityKeyEd25519Certificate = "sk-ssh-ed25519-cert-v01@openssh.com"
    case securityKeyECDSACertificate = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"

    /// What a table row says about a type.
    private struct Row {
        /// The name in fingerprint lines, `(ED25519)`.
        var short: String
        /// The word for `ssh-keygen -t`, and the end of the default file name `id_…`.
        var word: String
        /// The type of the key itself, without a certificate around it.
        var plain: KeyType
        /// The signatures that such a key can make, the preferred one first. Not an array, as a row
        /// is made anew for each question.
        var signatures: (SignatureAlgorithm, SignatureAlgorithm?, SignatureAlgorithm?)

        init(
            _ short: String,
            _ word: String,
            _ plain: KeyType,
            _ first: SignatureAlgorithm,
            _ second: SignatureAlgorithm? = nil,
            _ third: SignatureAlgorithm? = nil
        ) {
            self.short = short
            self.word = word
            self.plain = plain
            signatures = (first, second, third)
        }

        init(certifying plain: KeyType) {
            self = plain.row
            short += "-CERT"
        }
    }

    private var row: Row {
        switch self {
        case .ed25519: Row("ED25519", "ed25519", self, .ed25519)
        case .rsa: Row("RSA", "rsa", self, .rsaSHA512, .rsaSHA256, .rsaSHA1)
        case .ecdsaP256: Row("ECDSA", "ecdsa", self, .ecdsaP256)
        case .ecdsaP384: Row("ECDSA", "ecdsa", self, .ecdsaP384)
        case .ecdsaP521: Row("ECDSA", "ecdsa", self, .ecdsaP521)
        case .mldsa44Ed25519: Row("MLDSA44-ED25519", "mldsa44-ed25519", self, .mldsa44Ed25519)
        case .dsa: Row("DSA", "dsa", self, .dsa)
        case .securityKeyEd25519: Row("ED25519-SK", "ed25519-sk", self, .securityKeyEd25519)
        case .securityKeyECDSA:
            Row("ECDSA-SK", "ecdsa-sk", self, .securityKeyECDSA, .webauthnSecurityKeyECDSA)
        case .ed25519Certificate: Row(certifying: .ed25519)
        case .rsaCertificate: Row(certifying: .rsa)
        case .ecdsaP256Certificate: Row(certifying: .ecdsaP256)
        case .ecdsaP384Certificate: Row(certifying: .ecdsaP384)
        case .ecdsaP521Certificate: Row(certifying: .ecdsaP521)
        case .mldsa44Ed25519Certificate: Row(certifying: .mldsa44Ed25519)
        case .dsaCertificate: Row(certifying: .dsa)
        case .securityKeyEd25519Certificate: Row(certifying: .securityKeyEd25519)
        case .securityKeyECDSACertificate: Row(certifying: .securityKeyECDSA)
        }
    }

    /// The name that starts a blob, `ssh-ed25519`.
    package var name: String { rawValue }

    /// The name in fingerprint lines, `ED25519`.
    package var shortName: String { row.short }

    /// The word for `ssh-keygen -t`, `ed25519`; the same for a certificate.
    package var word: String { row.word }

    /// The type of the key itself, without a certificate around it.
    package var plain: KeyType { row.plain }

    package var isCertificate: Bool { row.plain != self }

    /// The type of a certificate for such a key.
    package var certificate: KeyType {
        let plain = plain
        return Self.allCases.first { $0.isCertificate && $0.plain == plain } ?? self
    }

    /// The signatures that such a key can make, the preferred one first. A certificate signs as
    /// the key inside it.
    package var signatureAlgorithms: [SignatureAlgorithm] {
        let (first, second, third) = row.signatures
        guard let second else { return [first] }
        guard let third else { return [first, second] }
        return [first, second, third]
    }

    /// Whether the private half lives in a FIDO token.
    package var isSecurityKey: Bool {
        plain == .securityKeyEd25519 || plain == .securityKeyECDSA
    }

    /// The curve of an ECDSA key.
    package var curve: NISTCurve? {
        switch plain {
        case .ecdsaP256, .securityKeyECDSA: .p256
        case .ecdsaP384: .p384
        case .ecdsaP521: .p521
        default: nil
        }
    }

    package init?(name: String) {
        // `init(rawValue:)` would make a dictionary of all names first.
        for type in Self.allCases where type.rawValue == name {
            self = type
            return
        }
        return nil
    }

    /// The plain type of ECDSA keys on a curve.
    package init(ecdsa curve: NISTCurve) {
        self =
            switch curve {
            case .p256: .ecdsaP256
            case .p384: .ecdsaP384
            case .p521: .ecdsaP521
            }
    }
}
