// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The digests that file formats are built on.
enum Digests {
    static func digest(_ hash: Fingerprint.Hash, _ bytes: [UInt8]) -> [UInt8] {
        hash.algorithm.hash(bytes)
    }

    static func hmacSHA1(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        HMAC.tag(.sha1, key: key, message)
    }

    /// PBKDF2 (RFC 8018 §5.2) over HMAC.
    static func pbkdf2(
        _ hash: Fingerprint.Hash,
        _ passphrase: SecretBytes,
        salt: [UInt8],
        iterations: Int,
        bytes: Int
    ) -> SecretBytes {
        var hmac = HMAC(hash.algorithm, key: passphrase.exposed)
        var derived: [UInt8] = []
        var block: UInt32 = 0
        while derived.count < bytes {
            block += 1
            let number = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: block >> UInt32($0)) }
            let salted = salt + number
            var last = hmac.tag(of: salted.rawBytes)
            var sum = last
            for _ in 1..<max(iterations, 1) {
                last = hmac.tag(of: last.rawBytes)
                for index in sum.indices { sum[index] ^= last[index] }
            }
            derived += sum
        }
        return SecretBytes(Array(derived.prefix(bytes)))
    }
}

extension Fingerprint.Hash {
    var algorithm: HashAlgorithm {
        switch self {
        case .sha256: .sha256
        case .md5: .md5
        case .sha1: .sha1
        case .sha384: .sha384
        case .sha512: .sha512
        }
    }
}
