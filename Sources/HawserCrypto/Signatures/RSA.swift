// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
package import HawserWire

/// RSA signatures, RSASSA-PKCS1-v1_5 (RFC 8017 §8.2). Numbers are magnitudes, big-endian.
package enum RSA {
    /// A public key.
    package struct PublicNumbers: Sendable {
        package var modulus: [UInt8]
        package var exponent: [UInt8]

        package init(modulus: [UInt8], exponent: [UInt8]) {
            self.modulus = modulus
            self.exponent = exponent
        }
    }

    /// A private key; `coefficient` is q^-1 mod p.
    package struct PrivateNumbers: Sendable {
        package var publicNumbers: PublicNumbers
        package var privateExponent: SecretBytes
        package var prime1: SecretBytes
        package var prime2: SecretBytes
        package var coefficient: SecretBytes

        package init(
            publicNumbers: PublicNumbers,
            privateExponent: SecretBytes,
            prime1: SecretBytes,
            prime2: SecretBytes,
            coefficient: SecretBytes
        ) {
            self.publicNumbers = publicNumbers
            self.privateExponent = privateExponent
            self.prime1 = prime1
            self.prime2 = prime2
            self.coefficient = coefficient
        }
    }

    /// A new key of exactly `bits` bits with the exponent 65537.
    package static func generate(bits: Int) throws(CryptoError) -> PrivateNumbers {
        // BoringSSL rounds down what is no multiple of 128.
        guard bits % 128 == 0 else { return try generateFromPrimes(bits: bits) }
        // SAFETY: freed below; the numbers are copied out before.
        let key = unsafe CCryptoBoringSSL_RSA_new()
        defer { unsafe CCryptoBoringSSL_RSA_free(key) }
        let exponent = BigNumber(65537)
        guard
            unsafe CCryptoBoringSSL_RSA_generate_key_ex(key, Int32(bits), exponent.number, nil) == 1
        else {
            CCryptoBoringSSL_ERR_clear_error()
            throw .badParameter("RSA of \(bits) bits")
        }
        return unsafe PrivateNumbers(
            publicNumbers: PublicNumbers(
                modulus: BigNumber.magnitude(of: CCryptoBoringSSL_RSA_get0_n(key)),
                exponent: BigNumber.magnitude(of: CCryptoBoringSSL_RSA_get0_e(key))
            ),
            privateExponent: SecretBytes(BigNumber.magnitude(of: CCryptoBoringSSL_RSA_get0_d(key))),
            prime1: SecretBytes(BigNumber.magnitude(of: CCryptoBoringSSL_RSA_get0_p(key))),
            prime2: SecretBytes(BigNumber.magnitude(of: CCryptoBoringSSL_RSA_get0_q(key))),
            coefficient: SecretBytes(
                BigNumber.magnitude(of: CCryptoBoringSSL_RSA_get0_iqmp(key))
            )
        )
    }

    /// The same from two primes of our own choice, of which the product of any two has as many bits
    /// as they have together (RFC 8017 §3.2).
    private static func generateFromPrimes(bits: Int) throws(CryptoError) -> PrivateNumbers {
        let exponent = BigNumber(65537)
        // One pair in 30,000 does not suit the exponent; none is ever too close together.
        for _ in 0..<8 {
            guard bits > 256, let first = BigNumber.randomPrime(bits: (bits + 1) / 2),
                let second = BigNumber.randomPrime(bits: bits / 2)
            else { break }
            let (prime1, prime2) = first.compare(second) > 0 ? (first, second) : (second, first)
            let modulus = prime1.times(prime2)
            let order = prime1.minusOne().times(prime2.minusOne())
            guard modulus.bits == bits, let privateExponent = exponent.inverse(modulo: order),
                let coefficient = prime2.inverse(modulo: prime1)
            else { continue }
            let key = PrivateNumbers(
                publicNumbers: PublicNumbers(
                    modulus: modulus.magnitude,
                    exponent: exponent.magnitude
                ),
                privateExponent: SecretBytes(privateExponent.magnitude),
                prime1: SecretBytes(prime1.magnitude),
                prime2: SecretBytes(prime2.magnitude),
                coefficient: SecretBytes(coefficient.magnitude)
            )
            guard isConsistent(key) else { continue }
            return key
        }
        throw .badParameter("RSA of \(bits) bits")
    }

    /// The signature of `message`, as long as the modulus.
    package static func sign(
        _ message: RawSpan,
        hash: HashAlgorithm,
        key: PrivateNumbers
    ) throws(CryptoError) -> [UInt8] {
        // SAFETY: freed below.
        guard let rsa = unsafe makePrivate(key) else {
            CCryptoBoringSSL_ERR_clear_error()
            throw .badKey("RSA")
        }
        defer { unsafe CCryptoBoringSSL_RSA_free(rsa) }
        let digest = hash.hash(message)
        var signature = unsafe [UInt8](
            repeating: 0,
            count: Int(CCryptoBoringSSL_RSA_size(rsa))
        )
        var count: UInt32 = 0
        // SAFETY: writes at most RSA_size bytes.
        let signed = unsafe CCryptoBoringSSL_RSA_sign(
            hash.numericIdentifier,
            digest,
            digest.count,
            &signature,
            &count,
            rsa
        )
        guard signed == 1, Int(count) == signature.count else {
            CCryptoBoringSSL_ERR_clear_error()
            throw .badKey("RSA")
        }
        return signature
    }

    /// Whether `signature` is the key's over `message`. Leading zeros that a peer left out are put
    /// back (RFC 8332 §3 lets no one do that, and some do).
    package static func verify(
        _ signature: [UInt8],
        over message: RawSpan,
        hash: HashAlgorithm,
        key: PublicNumbers
    ) -> Bool {
        let exponent = BigNumber(key.exponent)
        let modulus = BigNumber(key.modulus)
        guard modulus.bits <= 16384, exponent.bits <= 33 else { return false }
        // SAFETY: the numbers are copied by the key, which is freed below.
        guard let rsa = unsafe CCryptoBoringSSL_RSA_new_public_key(modulus.number, exponent.number)
        else {
            CCryptoBoringSSL_ERR_clear_error()
            return false
        }
        defer { unsafe CCryptoBoringSSL_RSA_free(rsa) }
        let size = unsafe Int(CCryptoBoringSSL_RSA_size(rsa))
        guard signature.count <= size else { return false }
        let padded = [UInt8](repeating: 0, count: size - signature.count) + signature
        let digest = hash.hash(message)
        // SAFETY: reads digest and signature.
        let verified = unsafe CCryptoBoringSSL_RSA_verify(
            hash.numericIdentifier,
            digest,
            digest.count,
            padded,
            padded.count,
            rsa
        )
        CCryptoBoringSSL_ERR_clear_error()
        return verified == 1
    }

    /// Whether the numbers of a private key belong together.
    package static func isConsistent(_ key: PrivateNumbers) -> Bool {
        // SAFETY: freed below; construction checks the numbers.
        guard let rsa = unsafe makePrivate(key) else {
            CCryptoBoringSSL_ERR_clear_error()
            return false
        }
        unsafe CCryptoBoringSSL_RSA_free(rsa)
        return true
    }

    private static func makePrivate(_ key: PrivateNumbers) -> OpaquePointer? {
        let prime1 = BigNumber(key.prime1.exposed)
        let prime2 = BigNumber(key.prime2.exposed)
        let privateExponent = BigNumber(key.privateExponent.exposed)
        guard
            let exponent1 = privateExponent.remainder(modulo: prime1.minusOne()),
            let exponent2 = privateExponent.remainder(modulo: prime2.minusOne())
        else { return nil }
        let modulus = BigNumber(key.publicNumbers.modulus)
        let exponent = BigNumber(key.publicNumbers.exponent)
        let coefficient = BigNumber(key.coefficient.exposed)
        // SAFETY: the numbers live to the end of the call and are copied by the key.
        return unsafe withExtendedLifetime(
            (modulus, exponent, privateExponent, prime1, prime2, exponent1, exponent2, coefficient)
        ) {
            unsafe CCryptoBoringSSL_RSA_new_private_key(
                modulus.number,
                exponent.number,
                privateExponent.number,
                prime1.number,
                prime2.number,
                exponent1.number,
                exponent2.number,
                coefficient.number
            )
        }
    }
}

extension BigNumber {
    /// A prime of exactly `bits` bits, the two highest of which are set; nil when that cannot be.
    static func randomPrime(bits: Int) -> BigNumber? {
        // SAFETY: writes to a fresh number.
        let result = unsafe CCryptoBoringSSL_BN_new().neverNil
        let done = unsafe CCryptoBoringSSL_BN_generate_prime_ex(
            result,
            Int32(clamping: bits),
            0,
            nil,
            nil,
            nil
        )
        let prime = unsafe BigNumber(owning: result)
        guard done == 1 else {
            CCryptoBoringSSL_ERR_clear_error()
            return nil
        }
        return prime
    }

    /// The product.
    func times(_ other: BigNumber) -> BigNumber {
        // SAFETY: writes to a fresh number; the context is freed.
        let result = unsafe CCryptoBoringSSL_BN_new().neverNil
        let context = unsafe CCryptoBoringSSL_BN_CTX_new()
        defer { unsafe CCryptoBoringSSL_BN_CTX_free(context) }
        _ = unsafe CCryptoBoringSSL_BN_mul(result, number, other.number, context)
        return unsafe BigNumber(owning: result)
    }

    /// `self mod modulus`, or nil for a modulus of zero.
    package func remainder(modulo modulus: BigNumber) -> BigNumber? {
        guard modulus.bits > 0 else { return nil }
        // SAFETY: writes to a fresh number; the context is freed.
        let result = unsafe CCryptoBoringSSL_BN_new().neverNil
        let context = unsafe CCryptoBoringSSL_BN_CTX_new()
        defer { unsafe CCryptoBoringSSL_BN_CTX_free(context) }
        let done = unsafe CCryptoBoringSSL_BN_div(
            nil,
            result,
            number,
            modulus.number,
            context
        )
        let rest = unsafe BigNumber(owning: result)
        return done == 1 ? rest : nil
    }

    /// The inverse modulo another number, or nil when there is none.
    package func inverse(modulo modulus: BigNumber) -> BigNumber? {
        // SAFETY: a fresh number is returned; the context is freed.
        let context = unsafe CCryptoBoringSSL_BN_CTX_new()
        defer { unsafe CCryptoBoringSSL_BN_CTX_free(context) }
        guard
            let result = unsafe CCryptoBoringSSL_BN_mod_inverse(
                nil,
                number,
                modulus.number,
                context
            )
        else {
            CCryptoBoringSSL_ERR_clear_error()
            return nil
        }
        return unsafe BigNumber(owning: result)
    }
}

extension HashAlgorithm {
    /// BoringSSL's number of this function.
    var numericIdentifier: Int32 {
        switch self {
        case .md5: NID_md5
        case .sha1: NID_sha1
        case .sha256: NID_sha256
        case .sha384: NID_sha384
        case .sha512: NID_sha512
        }
    }
}
