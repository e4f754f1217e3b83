// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// MLDSA44-Ed25519-SHA512 of draft-ietf-lamps-pq-composite-sigs, as
/// draft-miller-sshm-mldsa44-ed25519-composite-sigs brings it to SSH. A signature is good only if
/// both parts are.
enum CompositeKey {
    static let publicBytes = MLDSA44.publicKeyBytes + Ed25519.publicKeyBytes
    static let seedBytes = MLDSA44.seedBytes + Ed25519.seedBytes
    static let signatureBytes = MLDSA44.signatureBytes + Ed25519.signatureBytes

    static func publicKey(seeds: SecretBytes) throws(KeyError) -> [UInt8] {
        let (mldsa, ed25519) = try split(seeds)
        do {
            return try MLDSA44.publicKey(seed: mldsa) + Ed25519.publicKey(seed: ed25519)
        } catch {
            throw KeyError(error)
        }
    }

    static func sign(_ message: RawSpan, seeds: SecretBytes) throws(KeyError) -> [UInt8] {
        let (mldsa, ed25519) = try split(seeds)
        let representative = representative(of: message)
        do {
            let signed = representative.rawBytes
            return try MLDSA44.sign(signed, context: label, seed: mldsa)
                + Ed25519.sign(signed, seed: ed25519)
        } catch {
            throw KeyError(error)
        }
    }

    static func verify(_ signature: [UInt8], over message: RawSpan, publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureBytes, publicKey.count == publicBytes else {
            return false
        }
        let representative = representative(of: message)
        let isMLDSA = MLDSA44.verify(
            Array(signature.prefix(MLDSA44.signatureBytes)),
            over: representative.rawBytes,
            context: label,
            publicKey: Array(publicKey.prefix(MLDSA44.publicKeyBytes))
        )
        let isEd25519 = Ed25519.verify(
            Array(signature.suffix(Ed25519.signatureBytes)),
            over: representative.rawBytes,
            publicKey: Array(publicKey.suffix(Ed25519.publicKeyBytes))
        )
        return isMLDSA && isEd25519
    }

    private static func split(
        _ seeds: SecretBytes
    ) throws(KeyError) -> (mldsa: SecretBytes, ed25519: SecretBytes) {
        guard seeds.count == seedBytes else { throw .invalidFormat("composite private key") }
        let bytes = seeds.bytes
        return (
            SecretBytes(copying: bytes.extracting(first: MLDSA44.seedBytes)),
            SecretBytes(copying: bytes.extracting(droppingFirst: MLDSA44.seedBytes))
        )
    }

    /// What both parts sign: M' of the draft, with an empty context.
    private static func representative(of message: RawSpan) -> [UInt8] {
        prefix + label + [0] + HashAlgorithm.sha512.hash(message)
    }

    /// ML-DSA takes it as its context, too.
    private static let label = Array("COMPSIG-MLDSA44-Ed25519-SHA512".utf8)
    private static let prefix = Array("CompositeAlgorithmSignatures2025".utf8)
}
