// SPDX-License-Identifier: Apache-2.0

/// What a signature is made with; the raw value is the name that starts a signature blob.
///
/// Negotiation and `publickey` requests use `PublicKeyAlgorithm`, which adds the certificates.
package enum SignatureAlgorithm: String, CaseIterable, Sendable {
    case ed25519 = "ssh-ed25519"
    case rsaSHA512 = "rsa-sha2-512"
    case rsaSHA256 = "rsa-sha2-256"
    case rsaSHA1 = "ssh-rsa"
    case ecdsaP256 = "ecdsa-sha2-nistp256"
    case ecdsaP384 = "ecdsa-sha2-nistp384"
    case ecdsaP521 = "ecdsa-sha2-nistp521"
    case mldsa44Ed25519 = "ssh-mldsa44-ed25519@openssh.com"
    case dsa = "ssh-dss"
    case securityKeyEd25519 = "sk-ssh-ed25519@openssh.com"
    case securityKeyECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
    case webauthnSecurityKeyECDSA = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"

    package var name: String { rawValue }

    /// The plain type of the keys that sign with it.
    package var keyType: KeyType {
        switch self {
        case .ed25519: .ed25519
        case .rsaSHA512, .rsaSHA256, .rsaSHA1: .rsa
        case .ecdsaP256: .ecdsaP256
        case .ecdsaP384: .ecdsaP384
        case .ecdsaP521: .ecdsaP521
        case .mldsa44Ed25519: .mldsa44Ed25519
        case .dsa: .dsa
        case .securityKeyEd25519: .securityKeyEd25519
        case .securityKeyECDSA, .webauthnSecurityKeyECDSA: .securityKeyECDSA
        }
    }
}

/// A public key algorithm name of RFC 4253 §6.6, RFC 8332 and the certificate draft, as it stands
/// in host key lists and `publickey` requests: which key it wants, and how that key signs.
package struct PublicKeyAlgorithm: Hashable, Sendable {
    package let name: String
    /// The type that starts the key blob.
    package let keyType: KeyType
    /// How the key signs.
    package let signature: SignatureAlgorithm

    /// Every name that this build knows, plain ones first.
    package static let all: [PublicKeyAlgorithm] =
        SignatureAlgorithm.allCases.map {
            PublicKeyAlgorithm(name: $0.rawValue, keyType: $0.keyType, signature: $0)
        } + SignatureAlgorithm.allCases.compactMap { certified($0) }

    package init?(name: String) {
        guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
        self = known
    }

    private init(name: String, keyType: KeyType, signature: SignatureAlgorithm) {
        self.name = name
        self.keyType = keyType
        self.signature = signature
    }

    private static func certified(_ signature: SignatureAlgorithm) -> PublicKeyAlgorithm? {
        let type = signature.keyType.certificate
        let name =
            switch signature {
            case .rsaSHA512: "rsa-sha2-512-cert-v01@openssh.com"
            case .rsaSHA256: "rsa-sha2-256-cert-v01@openssh.com"
            case .webauthnSecurityKeyECDSA: "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"
            default: type.rawValue
            }
        return PublicKeyAlgorithm(name: name, keyType: type, signature: signature)
    }
}
