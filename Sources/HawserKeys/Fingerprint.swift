// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The digest of a public key blob, by which people compare keys. A certificate has that of the
/// key inside it.
package struct Fingerprint: Hashable, Sendable {
    package enum Hash: String, CaseIterable, Sendable {
        case sha256 = "SHA256"
        case md5 = "MD5"
        /// Not for people any more, but SSHFP records have it.
        case sha1 = "SHA1"
        case sha384 = "SHA384"
        case sha512 = "SHA512"

        /// By the word that options take, in any case.
        package init?(word: some StringProtocol) {
            let word = word.asciiLowercased
            guard let hash = Self.allCases.first(where: { $0.rawValue.asciiLowercased == word })
            else { return nil }
            self = hash
        }
    }

    package let hash: Hash
    package let digest: [UInt8]

    package init(of key: PublicKey, _ hash: Hash = .sha256) {
        self.hash = hash
        digest = Digests.digest(hash, key.plain.blob)
    }

    private static func unpadded(_ digest: [UInt8], after name: String) -> [UInt8] {
        var bytes = name.octets
        bytes.append(UInt8(ascii: ":"))
        bytes += Base64.encoded(digest)
        while bytes.last == UInt8(ascii: "=") { bytes.removeLast() }
        return bytes
    }

    /// `SHA256:` and Base64 without padding, or `MD5:` and bytes in hex with colons between.
    package var text: String {
        switch hash {
        case .md5:
            "MD5:" + digest.map { Hexadecimal.encode([$0]) }.joined(separator: ":")
        default:
            // As bytes: a slice of a String behind a String makes the runtime look for a conformance,
            // which takes as long as all else that it takes to show a key.
            String(octets: Self.unpadded(digest, after: hash.rawValue))
        }
    }
}

extension PublicKey {
    /// `Fingerprint(of: self, hash).text`.
    package func fingerprint(_ hash: Fingerprint.Hash = .sha256) -> String {
        Fingerprint(of: self, hash).text
    }
}
