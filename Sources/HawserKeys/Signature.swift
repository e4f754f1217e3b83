// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a security key adds to its signature (PROTOCOL.u2f).
package struct SecurityKeyDetails: Equatable, Sendable {
    package let flags: UInt8
    package let counter: UInt32

    /// Whether somebody touched the token.
    package var isUserPresent: Bool { flags & 0x01 != 0 }
    /// Whether the token knows who that was (PIN, fingerprint).
    package var isUserVerified: Bool { flags & 0x04 != 0 }
}

/// A signature as it travels: the name of its algorithm, then its value.
package struct Signature: Sendable {
    package let algorithm: SignatureAlgorithm
    /// The inner `string`: format by algorithm.
    package let value: [UInt8]
    package let securityKey: SecurityKeyDetails?

    /// Reads a signature blob to its last byte.
    package init(blob: RawSpan) throws(KeyError) {
        var reader = WireReader(blob)
        let name = try reader.keyText(limit: 256)
        guard let algorithm = SignatureAlgorithm(rawValue: name) else {
            throw .algorithmNotAllowed(name)
        }
        self.algorithm = algorithm
        value = try reader.keyBytes(limit: Self.maximumValueBytes)
        if algorithm == .webauthnSecurityKeyECDSA {
            throw .unsupported("webauthn signatures are not supported")
        }
        if algorithm.keyType.isSecurityKey {
            let flags = try reader.keyByte()
            securityKey = SecurityKeyDetails(flags: flags, counter: try reader.keyUInt32())
        } else {
            securityKey = nil
        }
        try reader.keyEnd()
    }

    static func encode(_ algorithm: SignatureAlgorithm, value: [UInt8]) -> [UInt8] {
        var writer = WireWriter(reserving: value.count + 64)
        writer.write(text: algorithm.name)
        writer.write(string: value)
        return writer.take()
    }

    /// Longer than any signature that a key of ours can make.
    static let maximumValueBytes = 16384
}

extension PublicKey {
    /// Checks a signature blob over `message`; a certificate signs as the key inside it.
    ///
    /// - Parameters:
    ///   - allowing: the names of the algorithms that the signature may use, plain or of
    ///     certificates; nil for all but RSA with SHA-1.
    ///   - minimumRSABits: shorter RSA keys are refused whatever they sign.
    ///   - requiringUserPresence: whether a security key must have been touched.
    /// - Throws: `KeyError.badSignature` when it does not verify.
    @discardableResult
    package func verify(
        signature blob: [UInt8],
        over message: RawSpan,
        allowing: [String]? = nil,
        minimumRSABits: Int = PublicKey.minimumRSABits,
        requiringUserPresence: Bool = true
    ) throws(KeyError) -> SecurityKeyDetails? {
        let signature = try Signature(blob: blob.rawBytes)
        let algorithm = signature.algorithm
        guard type.signatureAlgorithms.contains(algorithm) else { throw .typeMismatch }
        if let allowing {
            let allowed = allowing.contains { name in
                PublicKeyAlgorithm(name: name)?.signature == algorithm
            }
            guard allowed else { throw .algorithmNotAllowed(algorithm.name) }
        } else if algorithm == .rsaSHA1 {
            throw .algorithmNotAllowed(algorithm.name)
        }
        if case .rsa = material, bits < minimumRSABits { throw .invalidKeyLength(bits: bits) }
        guard try Signing.verify(signature, over: message, with: material) else {
            throw .badSignature
        }
        if requiringUserPresence, let details = signature.securityKey, !details.isUserPresent {
            throw .badSignature
        }
        return signature.securityKey
    }
}

extension PrivateKey {
    /// The signature blob over `message`.
    ///
    /// - Parameter name: a public key algorithm of this key's type, plain or of certificates
    ///   (`rsa-sha2-512`); nil for the key's preferred one. RSA signs with SHA-1 only when asked.
    package func sign(_ message: RawSpan, algorithm name: String? = nil) throws(KeyError) -> [UInt8]
    {
        var algorithm = type.signatureAlgorithms.first
        if let name {
            algorithm = PublicKeyAlgorithm(name: name)?.signature
        }
        guard let algorithm, type.signatureAlgorithms.contains(algorithm) else {
            throw .algorithmNotAllowed(name ?? type.name)
        }
        let value = try Signing.sign(message, with: self, algorithm: algorithm)
        return Signature.encode(algorithm, value: value)
    }
}
