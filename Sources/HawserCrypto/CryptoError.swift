// SPDX-License-Identifier: Apache-2.0

/// Why a computation was refused.
package enum CryptoError: Error, Equatable, Sendable {
    /// A tag does not belong to its data.
    case authenticationFailed
    /// A key is malformed or of a kind that cannot be used; the text says why.
    case badKey(String)
    /// A signature does not belong to its data, or is malformed.
    case badSignature
    /// A value from the peer or the caller is out of its range; the text says which.
    case badParameter(String)
    /// No such algorithm here.
    case unsupported(String)
}

extension CryptoError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .authenticationFailed: "message authentication code incorrect"
        case .badKey(let reason): "invalid key: \(reason)"
        case .badSignature: "incorrect signature"
        case .badParameter(let reason): "invalid value: \(reason)"
        case .unsupported(let name): "unsupported algorithm: \(name)"
        }
    }
}
