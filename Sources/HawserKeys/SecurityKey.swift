// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// What a FIDO token gives back, as keys and signatures of SSH (PROTOCOL.u2f).
package enum SecurityKey {
    /// The algorithms of tokens, by their number in the middleware interface.
    package enum Algorithm: UInt32, Sendable {
        case ecdsa = 0
        case ed25519 = 1

        package init?(_ type: KeyType) {
            switch type.plain {
            case .securityKeyECDSA: self = .ecdsa
            case .securityKeyEd25519: self = .ed25519
            default: return nil
            }
        }
    }

    /// Bits of the flags byte of a private key.
    package enum Flag {
        /// The token must be touched.
        package static let userPresence: UInt8 = 0x01
        /// The token must know who touches it (PIN, fingerprint).
        package static let userVerification: UInt8 = 0x04
        /// A key is enrolled even where there is one with the same application and user.
        package static let forceOperation: UInt8 = 0x10
        /// The token keeps the key handle.
        package static let residentKey: UInt8 = 0x20
    }

    /// The usual application.
    package static let defaultApplication = "ssh:"

    /// A key from what an enrolment has given: a point or 32 bytes, and the handle.
    package static func key(
        _ algorithm: Algorithm,
        publicKey bytes: [UInt8],
        application: [UInt8],
        flags: UInt8,
        handle: SecretBytes,
        comment: [UInt8] = []
    ) throws(KeyError) -> PrivateKey {
        let material: PublicKey.Material =
            switch algorithm {
            case .ecdsa: .securityKeyECDSA(point: bytes, application: application)
            case .ed25519: .securityKeyEd25519(bytes, application: application)
            }
        return PrivateKey(
            publicKey: try PublicKey(material),
            material: .securityKey(flags: flags, handle: handle, reserved: []),
            commentBytes: comment
        )
    }

    /// r and s of an X9.62 signature, which tokens give back for ECDSA.
    package static func ecdsaNumbers(
        _ signature: [UInt8]
    ) throws(KeyError) -> (r: [UInt8], s: [UInt8]) {
        var outer = DERReader(signature.rawBytes)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        let r = try reader.readInteger()
        let s = try reader.readInteger()
        try reader.expectEnd()
        return (r, s)
    }

    /// The signature blob for what a token gave back: `first` is r or the whole of an Ed25519
    /// signature, `second` s or nothing.
    package static func signature(
        _ algorithm: Algorithm,
        first: [UInt8],
        second: [UInt8],
        flags: UInt8,
        counter: UInt32
    ) throws(KeyError) -> [UInt8] {
        var value = WireWriter(reserving: 80)
        let name: SignatureAlgorithm
        switch algorithm {
        case .ecdsa:
            guard first.count <= 33, second.count <= 33 else {
                throw .invalidFormat("ECDSA signature")
            }
            value.write(multiplePrecision: first)
            value.write(multiplePrecision: second)
            name = .securityKeyECDSA
        case .ed25519:
            guard first.count == 64 else { throw .invalidFormat("Ed25519 signature") }
            value.write(fixed: first)
            name = .securityKeyEd25519
        }
        var writer = WireWriter(reserving: 160)
        writer.write(text: name.name)
        writer.write(string: value.take())
        writer.write(byte: flags)
        writer.write(uint32: counter)
        return writer.take()
    }
}

extension PrivateKey {
    /// What a token needs to sign: its algorithm, the application, the flags and the handle. Nil for
    /// keys that are not in a token.
    package var tokenParts:
        (
            algorithm: SecurityKey.Algorithm, application: [UInt8], flags: UInt8,
            handle: SecretBytes
        )?
    {
        guard case .securityKey(let flags, let handle, _) = material else { return nil }
        switch publicKey.material {
        case .securityKeyEd25519(_, let application):
            return (.ed25519, application, flags, handle)
        case .securityKeyECDSA(_, let application):
            return (.ecdsa, application, flags, handle)
        default: return nil
        }
    }
}
