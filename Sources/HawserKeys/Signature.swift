// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a security key is asked for, and says that it has done (PROTOCOL.u2f): bits of one byte.
package enum SecurityKeyFlags {
    /// Somebody touched the token.
    package static let userPresence: UInt8 = 0x01
    /// The token knows who that was (PIN, fingerprint).
    package static let userVerification: UInt8 = 0x04
}

/// What a security key adds to its signature (PROTOCOL.u2f).
package struct SecurityKeyDetails: Equatable, Sendable {
    package let flags: UInt8
    package let counter: UInt32

    /// Whether somebody touched the token.
    package var isUserPresent: Bool { flags & SecurityKeyFlags.userPresence != 0 }
    /// Whether the token knows who that was (PIN, fingerprint).
    package var isUserVerified: Bool { flags & SecurityKeyFlags.userVerification != 0 }
}

/// What a browser adds when it has a token sign (PROTOCOL.u2f, and Web Authentication §5.8.1): the
/// message is a challenge inside text that the browser has written.
package struct WebAuthnDetails: Equatable, Sendable {
    /// The site that asked.
    package let origin: [UInt8]
    /// The browser's text, in JSON, whose digest is signed.
    package let clientData: [UInt8]
    /// Extensions of the authenticator, signed as they are.
    package let extensions: [UInt8]

    /// Whether the text says that this message was signed for this origin. The text must begin
    /// exactly as Web Authentication §5.8.1.1 says; members may follow.
    func isAbout(_ message: RawSpan) -> Bool {
        // An origin that ends its own quotes could forge members.
        guard origin.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 < 0x7f }) else {
            return false
        }
        let begin = "{\"type\":\"webauthn.get\",\"challenge\":\"" + Base64.encodeForURL(message)
        let expected = (begin + "\",\"origin\":\"").octets + origin + [UInt8(ascii: "\"")]
        guard clientData.starts(with: expected), clientData.count > expected.count,
            clientData.last == UInt8(ascii: "}")
        else { return false }
        return [UInt8(ascii: ","), UInt8(ascii: "}")].contains(clientData[expected.count])
    }
}

/// A signature as it travels: the name of its algorithm, then its value.
package struct Signature: Sendable {
    package let algorithm: SignatureAlgorithm
    /// The inner `string`: format by algorithm.
    package let value: [UInt8]
    package let securityKey: SecurityKeyDetails?
    package let webAuthn: WebAuthnDetails?

    /// Reads a signature blob to its last byte.
    package init(blob: RawSpan) throws(KeyError) {
        var reader = WireReader(blob)
        let name = try reader.keyText(limit: 256)
        guard let algorithm = SignatureAlgorithm(rawValue: name) else {
            throw .algorithmNotAllowed(name)
        }
        self.algorithm = algorithm
        value = try reader.keyBytes(limit: Self.maximumValueBytes)
        if algorithm.keyType.isSecurityKey {
            let flags = try reader.keyByte()
            securityKey = SecurityKeyDetails(flags: flags, counter: try reader.keyUInt32())
        } else {
            securityKey = nil
        }
        if algorithm == .webauthnSecurityKeyECDSA {
            webAuthn = WebAuthnDetails(
                origin: try reader.keyBytes(limit: Self.maximumValueBytes),
                clientData: try reader.keyBytes(limit: Self.maximumValueBytes),
                extensions: try reader.keyBytes(limit: Self.maximumValueBytes)
            )
        } else {
            webAuthn = nil
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
