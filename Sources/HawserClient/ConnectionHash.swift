// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The hash behind `%C`.
package enum ConnectionHash {
    /// SHA-1 in hexadecimal.
    package static func hex(of text: String) -> String {
        HashAlgorithm.sha1.hash(text.octets).map {
            let digits = String($0, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
