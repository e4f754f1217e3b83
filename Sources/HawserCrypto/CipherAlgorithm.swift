// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL

/// The ciphers of packets, by their SSH names.
package enum CipherAlgorithm: String, CaseIterable, Sendable {
    case tripleDESCBC = "3des-cbc"
    case aes128CBC = "aes128-cbc"
    case aes192CBC = "aes192-cbc"
    case aes256CBC = "aes256-cbc"
    case aes128CTR = "aes128-ctr"
    case aes192CTR = "aes192-ctr"
    case aes256CTR = "aes256-ctr"
    case aes128GCM = "aes128-gcm@openssh.com"
    case aes256GCM = "aes256-gcm@openssh.com"
    case chaCha20Poly1305 = "chacha20-poly1305@openssh.com"

    package var name: String { rawValue }

    /// Whether the processor has instructions for AES. Without them ChaCha20 is faster.
    package static var isAESFast: Bool { CCryptoBoringSSL_EVP_has_aes_hardware() != 0 }

    package var keyBytes: Int {
        switch self {
        case .tripleDESCBC, .aes192CBC, .aes192CTR: 24
        case .aes128CBC, .aes128CTR, .aes128GCM: 16
        case .aes256CBC, .aes256CTR, .aes256GCM: 32
        case .chaCha20Poly1305: 64
        }
    }

    /// What the key derivation must give as initial vector (RFC 4253 §7.2).
    package var ivBytes: Int {
        switch self {
        case .tripleDESCBC: 8
        case .aes128GCM, .aes256GCM: 12
        case .chaCha20Poly1305: 0
        default: 16
        }
    }

    package var blockBytes: Int {
        switch self {
        case .tripleDESCBC, .chaCha20Poly1305: 8
        default: 16
        }
    }

    /// Whether the cipher authenticates by itself and no MAC is used.
    package var isAEAD: Bool {
        switch self {
        case .aes128GCM, .aes256GCM, .chaCha20Poly1305: true
        default: false
        }
    }

    package var isCBC: Bool {
        switch self {
        case .tripleDESCBC, .aes128CBC, .aes192CBC, .aes256CBC: true
        default: false
        }
    }

    /// The bits that a key exchange should match.
    package var strengthBits: Int {
        switch self {
        case .tripleDESCBC: 112
        case .aes128CBC, .aes128CTR, .aes128GCM: 128
        case .aes192CBC, .aes192CTR: 192
        case .aes256CBC, .aes256CTR, .aes256GCM, .chaCha20Poly1305: 256
        }
    }
}
