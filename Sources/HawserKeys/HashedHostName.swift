// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A host name that cannot be read back: `|1|salt|hash`, with HMAC-SHA1 of the name under the salt.
package struct HashedHostName: Sendable {
    package let salt: [UInt8]
    package let hash: [UInt8]

    /// Reads the host field of a line; nil unless it has a salt. One with something else than a hash
    /// behind it is the name of no host, and no mistake, as to OpenSSH.
    package init?(_ field: some StringProtocol) {
        let parts = field.split(separator: "|", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].isEmpty, parts[1] == "1",
            let salt = Base64.decode(parts[2].utf8, .lenient), salt.count == Self.bytes
        else { return nil }
        self.salt = salt
        hash = Base64.decode(parts[3].utf8, .lenient) ?? []
    }

    /// Hashes a name, as it is looked up, with a salt of `HashedHostName.bytes` random bytes.
    package init(_ name: String, salt: [UInt8]) {
        self.salt = salt
        hash = Digests.hmacSHA1(key: salt, name.asciiLowercased.octets)
    }

    /// Whether this is the hash of `name`, which is in lower case.
    package func matches(_ name: String) -> Bool {
        hash == Digests.hmacSHA1(key: salt, name.octets)
    }

    /// The host field.
    package var text: String { "|1|" + Base64.encode(salt) + "|" + Base64.encode(hash) }

    /// The length of salt and hash.
    package static let bytes = 20
}
