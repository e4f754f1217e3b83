// SPDX-License-Identifier: Apache-2.0

/// The message authentication codes of packets, by their SSH names.
package enum MACAlgorithm: String, CaseIterable, Sendable {
    case hmacSHA1 = "hmac-sha1"
    case hmacSHA1Short = "hmac-sha1-96"
    case hmacSHA256 = "hmac-sha2-256"
    case hmacSHA512 = "hmac-sha2-512"
    case hmacMD5 = "hmac-md5"
    case hmacMD5Short = "hmac-md5-96"
    case umac64 = "umac-64@openssh.com"
    case umac128 = "umac-128@openssh.com"
    case hmacSHA1ETM = "hmac-sha1-etm@openssh.com"
    case hmacSHA1ShortETM = "hmac-sha1-96-etm@openssh.com"
    case hmacSHA256ETM = "hmac-sha2-256-etm@openssh.com"
    case hmacSHA512ETM = "hmac-sha2-512-etm@openssh.com"
    case hmacMD5ETM = "hmac-md5-etm@openssh.com"
    case hmacMD5ShortETM = "hmac-md5-96-etm@openssh.com"
    case umac64ETM = "umac-64-etm@openssh.com"
    case umac128ETM = "umac-128-etm@openssh.com"

    package var name: String { rawValue }

    /// Whether the code is over the encrypted packet (PROTOCOL of OpenSSH, §1.5).
    package var isEncryptThenMAC: Bool {
        switch self {
        case .hmacSHA1ETM, .hmacSHA1ShortETM, .hmacSHA256ETM, .hmacSHA512ETM, .hmacMD5ETM,
            .hmacMD5ShortETM, .umac64ETM, .umac128ETM:
            true
        default: false
        }
    }

    /// The hash of an HMAC, or nil for UMAC.
    package var hash: HashAlgorithm? {
        switch self {
        case .hmacSHA1, .hmacSHA1Short, .hmacSHA1ETM, .hmacSHA1ShortETM: .sha1
        case .hmacSHA256, .hmacSHA256ETM: .sha256
        case .hmacSHA512, .hmacSHA512ETM: .sha512
        case .hmacMD5, .hmacMD5Short, .hmacMD5ETM, .hmacMD5ShortETM: .md5
        case .umac64, .umac128, .umac64ETM, .umac128ETM: nil
        }
    }

    package var keyBytes: Int { hash?.digestBytes ?? 16 }

    package var tagBytes: Int {
        switch self {
        case .hmacSHA1Short, .hmacSHA1ShortETM, .hmacMD5Short, .hmacMD5ShortETM: 12
        case .umac64, .umac64ETM: 8
        case .umac128, .umac128ETM: 16
        default: keyBytes
        }
    }
}
