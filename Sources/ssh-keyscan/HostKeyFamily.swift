// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys

/// The kinds of host keys that can be asked for; a server has at most one of each, as a rule.
enum HostKeyFamily: String, CaseIterable {
    case rsa
    case ecdsa
    case ed25519
    case securityKeyECDSA = "ecdsa-sk"
    case securityKeyEd25519 = "ed25519-sk"
    case mldsa44Ed25519 = "mldsa44-ed25519"
    /// Only when asked for.
    case dsa

    /// By the word of `-t` or the name of a signature algorithm, in any case.
    init?(word: some StringProtocol) {
        let word = word.asciiLowercased
        let found = Self.allCases.first { family in
            family.rawValue == word || family.algorithms(certificates: false).contains(word)
        }
        guard let found else { return nil }
        self = found
    }

    /// The host key algorithms that a server with such a key, or a certificate of one, knows.
    func algorithms(certificates: Bool) -> [String] {
        let all = PublicKeyAlgorithm.all.filter { algorithm in
            algorithm.keyType.word == rawValue && algorithm.keyType.isCertificate == certificates
        }
        // RSA with SHA-1 is the last resort.
        let (old, current) = (
            all.filter { $0.signature == .rsaSHA1 }, all.filter { $0.signature != .rsaSHA1 }
        )
        return (current + old).map(\.name)
    }
}
