// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// The key agreements of SSH, by the names of the key exchange methods that use them with fixed
/// parameters. (Group exchange brings its own group: `FiniteFieldAgreement`.)
package enum KeyAgreementAlgorithm: String, CaseIterable, Sendable {
    case mlkem768X25519 = "mlkem768x25519-sha256"
    case mlkem768P256 = "mlkem768nistp256-sha256"
    case sntrup761X25519 = "sntrup761x25519-sha512"
    case sntrup761X25519OpenSSH = "sntrup761x25519-sha512@openssh.com"
    case curve25519 = "curve25519-sha256"
    case curve25519LibSSH = "curve25519-sha256@libssh.org"
    case p256 = "ecdh-sha2-nistp256"
    case p384 = "ecdh-sha2-nistp384"
    case p521 = "ecdh-sha2-nistp521"
    case group14SHA256 = "diffie-hellman-group14-sha256"
    case group16SHA512 = "diffie-hellman-group16-sha512"
    case group18SHA512 = "diffie-hellman-group18-sha512"
    case group14SHA1 = "diffie-hellman-group14-sha1"
    case group1SHA1 = "diffie-hellman-group1-sha1"

    package var name: String { rawValue }

    /// The hash of the exchange and of the key derivation.
    package var hash: HashAlgorithm {
        switch self {
        case .group14SHA1, .group1SHA1: .sha1
        case .p384: .sha384
        case .sntrup761X25519, .sntrup761X25519OpenSSH, .p521, .group16SHA512, .group18SHA512:
            .sha512
        default: .sha256
        }
    }

    /// The group of a finite-field method, whose public values travel as `mpint`; nil for the
    /// others, whose values are strings.
    package var group: FiniteFieldGroup? {
        switch self {
        case .group1SHA1: .group1
        case .group14SHA1, .group14SHA256: .group14
        case .group16SHA512: .group16
        case .group18SHA512: .group18
        default: nil
        }
    }

    private var curve: NISTCurve? {
        switch self {
        case .p256: .p256
        case .p384: .p384
        case .p521: .p521
        default: nil
        }
    }

    /// Begins as the client.
    package func initiate(
        _ random: any RandomSource
    ) throws(CryptoError) -> any KeyAgreementInitiator {
        if let group { return try FiniteFieldAgreement(group, random) }
        if let curve { return try CurveAgreement(curve) }
        switch self {
        case .mlkem768X25519:
            return HybridAgreement(MLKEM768Pair(), X25519Agreement(random), hash)
        case .mlkem768P256: return try HybridAgreement(MLKEM768Pair(), CurveAgreement(.p256), hash)
        case .sntrup761X25519, .sntrup761X25519OpenSSH:
            return HybridAgreement(SNTRUP761Pair(random), X25519Agreement(random), hash)
        default: return X25519Agreement(random)
        }
    }

    /// Answers as the server to the client's public value.
    package func respond(
        to value: [UInt8],
        _ random: any RandomSource
    ) throws(CryptoError) -> (reply: [UInt8], secret: SharedSecret) {
        switch self {
        case .mlkem768X25519:
            return try HybridAgreement.respond(
                to: value,
                MLKEM768Pair.self,
                X25519Agreement(random),
                hash,
                random
            )
        case .mlkem768P256:
            return try HybridAgreement.respond(
                to: value,
                MLKEM768Pair.self,
                CurveAgreement(.p256),
                hash,
                random
            )
        case .sntrup761X25519, .sntrup761X25519OpenSSH:
            return try HybridAgreement.respond(
                to: value,
                SNTRUP761Pair.self,
                X25519Agreement(random),
                hash,
                random
            )
        default:
            let own = try initiate(random)
            return (own.publicValue, try own.finish(value))
        }
    }
}

/// A key agreement that one side has begun.
package protocol KeyAgreementInitiator: AnyObject {
    /// What the peer must get: the content of the string, or the magnitude of the `mpint`.
    var publicValue: [UInt8] { get }
    /// The secret with the peer's value. Throws `CryptoError.badParameter` for a value that is
    /// malformed or not safe to use.
    func finish(_ peer: [UInt8]) throws(CryptoError) -> SharedSecret
}

/// `K` as it enters the exchange hash and the key derivation: an `mpint`, or for the hybrids a
/// `string`, with its length.
package struct SharedSecret: Sendable {
    package let encoded: SecretBytes

    /// From a number, big-endian.
    package init(number: SecretBytes) {
        var writer = WireWriter()
        writer.write(multiplePrecision: number.exposed)
        encoded = SecretBytes(writer.take())
    }

    /// From the hash that a hybrid makes of its parts.
    package init(string: [UInt8]) {
        var writer = WireWriter()
        writer.write(string: string)
        encoded = SecretBytes(writer.take())
    }
}
