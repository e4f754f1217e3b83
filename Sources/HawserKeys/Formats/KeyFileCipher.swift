// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The ciphers that protect private key files, by their SSH names.
package enum KeyFileCipher: String, CaseIterable, Sendable {
    case aes256CTR = "aes256-ctr"
    case aes192CTR = "aes192-ctr"
    case aes128CTR = "aes128-ctr"
    case aes256CBC = "aes256-cbc"
    case aes192CBC = "aes192-cbc"
    case aes128CBC = "aes128-cbc"
    case tripleDESCBC = "3des-cbc"
    case aes128GCM = "aes128-gcm@openssh.com"
    case aes256GCM = "aes256-gcm@openssh.com"
    case chaCha20Poly1305 = "chacha20-poly1305@openssh.com"

    package var keyBytes: Int {
        switch self {
        case .aes128CTR, .aes128CBC, .aes128GCM: 16
        case .aes192CTR, .aes192CBC, .tripleDESCBC: 24
        case .aes256CTR, .aes256CBC, .aes256GCM: 32
        case .chaCha20Poly1305: 64
        }
    }

    package var ivBytes: Int {
        switch self {
        case .tripleDESCBC: 8
        case .aes128GCM, .aes256GCM: 12
        case .chaCha20Poly1305: 0
        default: 16
        }
    }

    /// The content is padded to a multiple of this.
    package var blockBytes: Int {
        switch self {
        case .tripleDESCBC, .chaCha20Poly1305: 8
        default: 16
        }
    }

    /// What follows the content to authenticate it.
    package var tagBytes: Int {
        switch self {
        case .aes128GCM, .aes256GCM, .chaCha20Poly1305: 16
        default: 0
        }
    }
}
