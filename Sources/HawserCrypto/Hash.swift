// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// The hash functions of SSH (FIPS 180-4, RFC 1321).
package enum HashAlgorithm: String, CaseIterable, Sendable {
    case md5
    case sha1
    case sha256
    case sha384
    case sha512

    package var digestBytes: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// BoringSSL's constant of this function.
    var digest: OpaquePointer? {
        switch self {
        case .md5: unsafe CCryptoBoringSSL_EVP_md5()
        case .sha1: unsafe CCryptoBoringSSL_EVP_sha1()
        case .sha256: unsafe CCryptoBoringSSL_EVP_sha256()
        case .sha384: unsafe CCryptoBoringSSL_EVP_sha384()
        case .sha512: unsafe CCryptoBoringSSL_EVP_sha512()
        }
    }

    package func hash(_ bytes: [UInt8]) -> [UInt8] {
        hash(bytes.rawBytes)
    }

    package func hash(_ bytes: RawSpan) -> [UInt8] {
        var hasher = Hasher(self)
        hasher.update(bytes)
        return hasher.finalize()
    }
}

/// A hash over bytes that arrive in parts.
@safe
package struct Hasher: ~Copyable {
    package let algorithm: HashAlgorithm
    private var context: UnsafeMutablePointer<EVP_MD_CTX>

    package init(_ algorithm: HashAlgorithm) {
        self.algorithm = algorithm
        // SAFETY: allocated once, freed in `deinit`; allocation failure aborts.
        unsafe context = CCryptoBoringSSL_EVP_MD_CTX_new().neverNil
        _ = unsafe CCryptoBoringSSL_EVP_DigestInit_ex(context, algorithm.digest, nil)
    }

    deinit {
        // SAFETY: the one owner.
        unsafe CCryptoBoringSSL_EVP_MD_CTX_free(context)
    }

    package mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: reads `count` bytes.
            _ = unsafe CCryptoBoringSSL_EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
        }
    }

    package mutating func update(_ bytes: [UInt8]) {
        update(bytes.rawBytes)
    }

    /// The digest; the hasher starts anew.
    package mutating func finalize() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: algorithm.digestBytes)
        // SAFETY: writes `digestBytes` bytes.
        _ = unsafe CCryptoBoringSSL_EVP_DigestFinal_ex(context, &digest, nil)
        _ = unsafe CCryptoBoringSSL_EVP_DigestInit_ex(context, algorithm.digest, nil)
        return digest
    }
}
