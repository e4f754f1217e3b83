// SPDX-License-Identifier: Apache-2.0

/// What the domain name system says about a host key (RFC 4255, RFC 6594, RFC 7479).
package struct SSHFPRecord: Equatable, Sendable {
    package let algorithm: UInt8
    package let hash: UInt8
    package let digest: [UInt8]

    package init(algorithm: UInt8, hash: UInt8, digest: [UInt8]) {
        self.algorithm = algorithm
        self.hash = hash
        self.digest = digest
    }

    /// The records of a key, one per hash (SHA-1 and SHA-256 have numbers); nil for a key that has
    /// no number, such as a certificate.
    package static func records(
        of key: PublicKey,
        hashes: [Fingerprint.Hash] = [.sha1, .sha256]
    ) -> [SSHFPRecord]? {
        let algorithm: UInt8
        switch key.type {
        case .rsa: algorithm = 1
        case .dsa: algorithm = 2
        case .ecdsaP256, .ecdsaP384, .ecdsaP521: algorithm = 3
        case .ed25519: algorithm = 4
        default: return nil
        }
        return hashes.compactMap { hash in
            let number: UInt8
            switch hash {
            case .sha1: number = 1
            case .sha256: number = 2
            default: return nil
            }
            let digest = Fingerprint(of: key, hash).digest
            return SSHFPRecord(algorithm: algorithm, hash: number, digest: digest)
        }
    }

    /// A line of a zone file; generic for servers that do not know the type (RFC 3597 §5).
    package func text(host: String, isGeneric: Bool) -> String {
        let hex = Hexadecimal.encode(digest)
        return isGeneric
            ? "\(host) IN TYPE44 \\# \(digest.count + 2) 0\(algorithm) 0\(hash) \(hex)"
            : "\(host) IN SSHFP \(algorithm) \(hash) \(hex)"
    }
}
