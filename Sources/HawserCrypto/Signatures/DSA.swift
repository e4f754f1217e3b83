// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// DSA with SHA-1 (FIPS 186-2), for old keys only. Numbers are magnitudes, big-endian.
package enum DSA {
    package struct PublicNumbers: Sendable {
        package var prime: [UInt8]
        package var subprime: [UInt8]
        package var generator: [UInt8]
        package var publicValue: [UInt8]

        package init(prime: [UInt8], subprime: [UInt8], generator: [UInt8], publicValue: [UInt8]) {
            self.prime = prime
            self.subprime = subprime
            self.generator = generator
            self.publicValue = publicValue
        }
    }

    package static func verify(
        r: [UInt8],
        s: [UInt8],
        over message: RawSpan,
        key: PublicNumbers
    ) -> Bool {
        // SAFETY: freed below.
        guard let dsa = unsafe make(key, privateValue: nil) else { return false }
        defer { unsafe CCryptoBoringSSL_DSA_free(dsa) }
        let signature = unsafe CCryptoBoringSSL_DSA_SIG_new()
        defer { unsafe CCryptoBoringSSL_DSA_SIG_free(signature) }
        // SAFETY: the signature takes over both numbers.
        guard
            unsafe CCryptoBoringSSL_DSA_SIG_set0(
                signature,
                CCryptoBoringSSL_BN_bin2bn(r, r.count, nil),
                CCryptoBoringSSL_BN_bin2bn(s, s.count, nil)
            ) == 1
        else { return false }
        let digest = HashAlgorithm.sha1.hash(message)
        let verified = unsafe CCryptoBoringSSL_DSA_do_verify(
            digest,
            digest.count,
            signature,
            dsa
        )
        CCryptoBoringSSL_ERR_clear_error()
        return verified == 1
    }

    package static func sign(
        _ message: RawSpan,
        key: PublicNumbers,
        privateValue: SecretBytes
    ) throws(CryptoError) -> (r: [UInt8], s: [UInt8]) {
        // SAFETY: freed below; numbers are copied out before.
        guard let dsa = unsafe make(key, privateValue: privateValue) else { throw .badKey("DSA") }
        defer { unsafe CCryptoBoringSSL_DSA_free(dsa) }
        let digest = HashAlgorithm.sha1.hash(message)
        guard let signature = unsafe CCryptoBoringSSL_DSA_do_sign(digest, digest.count, dsa) else {
            CCryptoBoringSSL_ERR_clear_error()
            throw .badKey("DSA")
        }
        defer { unsafe CCryptoBoringSSL_DSA_SIG_free(signature) }
        var numbers: (r: UnsafePointer<BIGNUM>?, s: UnsafePointer<BIGNUM>?)
        unsafe numbers = (nil, nil)
        unsafe CCryptoBoringSSL_DSA_SIG_get0(signature, &numbers.r, &numbers.s)
        return unsafe (
            BigNumber.magnitude(of: numbers.r), BigNumber.magnitude(of: numbers.s)
        )
    }

    private static func make(
        _ key: PublicNumbers,
        privateValue: SecretBytes?
    ) -> OpaquePointer? {
        guard key.prime.count <= 1280 else { return nil }
        func number(_ magnitude: [UInt8]) -> UnsafeMutablePointer<BIGNUM>? {
            unsafe CCryptoBoringSSL_BN_bin2bn(magnitude, magnitude.count, nil)
        }
        // SAFETY: the key takes over every number.
        guard let dsa = unsafe CCryptoBoringSSL_DSA_new() else { return nil }
        let secret = unsafe privateValue.flatMap { unsafe number($0.exposed) }
        guard
            unsafe CCryptoBoringSSL_DSA_set0_pqg(
                dsa,
                number(key.prime),
                number(key.subprime),
                number(key.generator)
            ) == 1,
            unsafe CCryptoBoringSSL_DSA_set0_key(dsa, number(key.publicValue), secret) == 1
        else {
            unsafe CCryptoBoringSSL_DSA_free(dsa)
            return nil
        }
        return unsafe dsa
    }
}
