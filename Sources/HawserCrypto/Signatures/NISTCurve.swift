// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// The curves P-256, P-384 and P-521 (FIPS 186-5; RFC 5656 §10.1), for signatures and agreement.
package enum NISTCurve: String, CaseIterable, Sendable {
    case p256 = "nistp256"
    case p384 = "nistp384"
    case p521 = "nistp521"

    package var bits: Int {
        switch self {
        case .p256: 256
        case .p384: 384
        case .p521: 521
        }
    }

    /// The bytes of a coordinate and of a scalar.
    package var fieldBytes: Int { (bits + 7) / 8 }

    /// The hash that goes with the curve (RFC 5656 §6.2.1).
    package var hash: HashAlgorithm {
        switch self {
        case .p256: .sha256
        case .p384: .sha384
        case .p521: .sha512
        }
    }

    private var group: OpaquePointer? {
        switch self {
        case .p256: unsafe CCryptoBoringSSL_EC_group_p256()
        case .p384: unsafe CCryptoBoringSSL_EC_group_p384()
        case .p521: unsafe CCryptoBoringSSL_EC_group_p521()
        }
    }

    // MARK: Keys

    /// A new scalar and its point.
    package func generate() throws(CryptoError) -> (scalar: SecretBytes, point: [UInt8]) {
        // SAFETY: freed below; numbers are copied out before.
        let key = unsafe CCryptoBoringSSL_EC_KEY_new()
        defer { unsafe CCryptoBoringSSL_EC_KEY_free(key) }
        guard
            unsafe CCryptoBoringSSL_EC_KEY_set_group(key, group) == 1,
            unsafe CCryptoBoringSSL_EC_KEY_generate_key(key) == 1
        else { throw .badKey(rawValue) }
        var scalar = [UInt8](repeating: 0, count: fieldBytes)
        // SAFETY: writes `fieldBytes` bytes.
        _ = unsafe CCryptoBoringSSL_BN_bn2bin_padded(
            &scalar,
            fieldBytes,
            CCryptoBoringSSL_EC_KEY_get0_private_key(key)
        )
        let point = unsafe encode(CCryptoBoringSSL_EC_KEY_get0_public_key(key))
        return (SecretBytes(scalar), point)
    }

    /// The point of a scalar.
    package func point(scalar: SecretBytes) throws(CryptoError) -> [UInt8] {
        // SAFETY: freed below.
        guard let key = unsafe makeKey(scalar: scalar) else { throw .badKey(rawValue) }
        defer { unsafe CCryptoBoringSSL_EC_KEY_free(key) }
        return unsafe encode(CCryptoBoringSSL_EC_KEY_get0_public_key(key))
    }

    /// Whether `point` is an uncompressed point of the curve and not the one at infinity.
    package func isValid(point: [UInt8]) -> Bool {
        // SAFETY: freed at once.
        guard let decoded = unsafe decode(point) else { return false }
        unsafe CCryptoBoringSSL_EC_POINT_free(decoded)
        return true
    }

    // MARK: ECDSA (FIPS 186-5 §6)

    package func sign(
        _ message: RawSpan,
        scalar: SecretBytes
    ) throws(CryptoError) -> (r: [UInt8], s: [UInt8]) {
        // SAFETY: key and signature are freed below; numbers are copied out before.
        guard let key = unsafe makeKey(scalar: scalar) else { throw .badKey(rawValue) }
        defer { unsafe CCryptoBoringSSL_EC_KEY_free(key) }
        let digest = hash.hash(message)
        guard let signature = unsafe CCryptoBoringSSL_ECDSA_do_sign(digest, digest.count, key)
        else { throw .badKey(rawValue) }
        defer { unsafe CCryptoBoringSSL_ECDSA_SIG_free(signature) }
        return unsafe (
            BigNumber.magnitude(of: CCryptoBoringSSL_ECDSA_SIG_get0_r(signature)),
            BigNumber.magnitude(of: CCryptoBoringSSL_ECDSA_SIG_get0_s(signature))
        )
    }

    package func verify(r: [UInt8], s: [UInt8], over message: RawSpan, point: [UInt8]) -> Bool {
        guard r.count <= fieldBytes, s.count <= fieldBytes else { return false }
        // SAFETY: everything allocated is freed below; the signature takes over copies of r and s.
        guard let decoded = unsafe decode(point) else { return false }
        defer { unsafe CCryptoBoringSSL_EC_POINT_free(decoded) }
        let key = unsafe CCryptoBoringSSL_EC_KEY_new()
        defer { unsafe CCryptoBoringSSL_EC_KEY_free(key) }
        let signature = unsafe CCryptoBoringSSL_ECDSA_SIG_new()
        defer { unsafe CCryptoBoringSSL_ECDSA_SIG_free(signature) }
        guard
            unsafe CCryptoBoringSSL_EC_KEY_set_group(key, group) == 1,
            unsafe CCryptoBoringSSL_EC_KEY_set_public_key(key, decoded) == 1,
            unsafe CCryptoBoringSSL_ECDSA_SIG_set0(
                signature,
                CCryptoBoringSSL_BN_bin2bn(r, r.count, nil),
                CCryptoBoringSSL_BN_bin2bn(s, s.count, nil)
            ) == 1
        else { return false }
        let digest = hash.hash(message)
        let verified = unsafe CCryptoBoringSSL_ECDSA_do_verify(
            digest,
            digest.count,
            signature,
            key
        )
        CCryptoBoringSSL_ERR_clear_error()
        return verified == 1
    }

    // MARK: ECDH (SEC 1 §3.3.1)

    /// The x coordinate of the shared point. Throws `CryptoError.badParameter` for a bad point.
    package func agree(scalar: SecretBytes, peer: [UInt8]) throws(CryptoError) -> SecretBytes {
        // SAFETY: everything allocated is freed below.
        guard let decoded = unsafe decode(peer) else {
            throw .badParameter("point is not on \(rawValue)")
        }
        defer { unsafe CCryptoBoringSSL_EC_POINT_free(decoded) }
        guard let key = unsafe makeKey(scalar: scalar) else { throw .badKey(rawValue) }
        defer { unsafe CCryptoBoringSSL_EC_KEY_free(key) }
        var shared = [UInt8](repeating: 0, count: fieldBytes)
        // SAFETY: writes at most `fieldBytes` bytes.
        let count = unsafe CCryptoBoringSSL_ECDH_compute_key(
            &shared,
            fieldBytes,
            decoded,
            key,
            nil
        )
        guard Int(count) == fieldBytes else { throw .badParameter("point") }
        return SecretBytes(shared)
    }

    // MARK: Points

    private func encode(_ point: OpaquePointer?) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1 + 2 * fieldBytes)
        // SAFETY: writes `count` bytes.
        _ = unsafe CCryptoBoringSSL_EC_POINT_point2oct(
            group,
            point,
            POINT_CONVERSION_UNCOMPRESSED,
            &bytes,
            bytes.count,
            nil
        )
        return bytes
    }

    /// The point, owned by the caller, or nil when it is not an uncompressed one of this curve.
    private func decode(_ bytes: [UInt8]) -> OpaquePointer? {
        guard bytes.count == 1 + 2 * fieldBytes, bytes[0] == 4 else { return nil }
        guard let point = unsafe CCryptoBoringSSL_EC_POINT_new(group) else { return nil }
        // SAFETY: reads `count` bytes; the curve equation is checked.
        guard
            unsafe CCryptoBoringSSL_EC_POINT_oct2point(group, point, bytes, bytes.count, nil) == 1
        else {
            CCryptoBoringSSL_ERR_clear_error()
            unsafe CCryptoBoringSSL_EC_POINT_free(point)
            return nil
        }
        return unsafe point
    }

    /// The key of a scalar, owned by the caller.
    private func makeKey(scalar: SecretBytes) -> OpaquePointer? {
        let number = BigNumber(scalar.exposed)
        // SAFETY: freed on failure; the numbers are copied.
        guard let key = unsafe CCryptoBoringSSL_EC_KEY_new() else { return nil }
        let point = unsafe CCryptoBoringSSL_EC_POINT_new(group)
        defer { unsafe CCryptoBoringSSL_EC_POINT_free(point) }
        guard
            unsafe CCryptoBoringSSL_EC_KEY_set_group(key, group) == 1,
            unsafe CCryptoBoringSSL_EC_KEY_set_private_key(key, number.number) == 1,
            unsafe CCryptoBoringSSL_EC_POINT_mul(group, point, number.number, nil, nil, nil) == 1,
            unsafe CCryptoBoringSSL_EC_KEY_set_public_key(key, point) == 1
        else {
            CCryptoBoringSSL_ERR_clear_error()
            unsafe CCryptoBoringSSL_EC_KEY_free(key)
            return nil
        }
        return unsafe key
    }
}
