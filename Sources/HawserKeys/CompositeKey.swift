// SPDX-License-Identifier: Apache-2.0

/// MLDSA44-Ed25519-SHA512 of draft-ietf-lamps-pq-composite-sigs, as
/// draft-miller-sshm-mldsa44-ed25519-composite-sigs brings it to SSH.
enum CompositeKey {
    static let mldsaPublicBytes = 1312
    static let mldsaSignatureBytes = 2420
    static let publicBytes = mldsaPublicBytes + 32
    static let seedBytes = 32 + 32
    static let signatureBytes = mldsaSignatureBytes + 64

    /// The label, which ML-DSA also takes as its context.
    static let label = [UInt8]("COMPSIG-MLDSA44-Ed25519-SHA512".utf8)

    private static let prefix = [UInt8]("CompositeAlgorithmSignatures2025".utf8)

    /// What both parts sign: M' of the draft, with an empty context.
    static func representative(messageHash: [UInt8]) -> [UInt8] {
        prefix + label + [0] + messageHash
    }
}
