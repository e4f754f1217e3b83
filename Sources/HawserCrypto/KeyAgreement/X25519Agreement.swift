// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// X25519 (RFC 7748; RFC 8731 for its use in SSH).
final class X25519Agreement: ClassicalAgreement {
    let publicValue: [UInt8]
    private let privateKey: SecretBytes

    init(_ random: any RandomSource) {
        let key = random.bytes(32)
        var value = [UInt8](repeating: 0, count: 32)
        // SAFETY: reads and writes 32 bytes.
        unsafe CCryptoBoringSSL_X25519_public_from_private(&value, key)
        publicValue = value
        privateKey = SecretBytes(key)
    }

    static var valueBytes: Int { 32 }

    func agree(_ peer: [UInt8]) throws(CryptoError) -> SecretBytes {
        guard peer.count == 32 else {
            throw .badParameter("X25519 public value of \(peer.count) bytes")
        }
        var shared = [UInt8](repeating: 0, count: 32)
        var key = privateKey.exposed
        defer { key.wipe() }
        // SAFETY: reads 32 bytes twice, writes 32; fails for a result of zero (RFC 7748 §6.1).
        guard unsafe CCryptoBoringSSL_X25519(&shared, key, peer) == 1 else {
            throw .badParameter("X25519 public value of small order")
        }
        return SecretBytes(shared)
    }
}

/// ECDH on a NIST curve (RFC 5656 §4).
final class CurveAgreement: ClassicalAgreement {
    let publicValue: [UInt8]
    private let curve: NISTCurve
    private let scalar: SecretBytes

    init(_ curve: NISTCurve) throws(CryptoError) {
        self.curve = curve
        (scalar, publicValue) = try curve.generate()
    }

    func agree(_ peer: [UInt8]) throws(CryptoError) -> SecretBytes {
        try curve.agree(scalar: scalar, peer: peer)
    }
}

/// An agreement on a curve: its secret is a fixed number of bytes.
protocol ClassicalAgreement: KeyAgreementInitiator {
    /// The raw secret. Throws `CryptoError.badParameter` for a bad value.
    func agree(_ peer: [UInt8]) throws(CryptoError) -> SecretBytes
}

extension ClassicalAgreement {
    func finish(_ peer: [UInt8]) throws(CryptoError) -> SharedSecret {
        SharedSecret(number: try agree(peer))
    }
}
