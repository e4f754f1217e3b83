// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a file named by `RevokedKeys` or `RevokedHostKeys` (or `ssh-keygen -r`) holds: a
/// `KeyRevocationList`, or public keys one per line.
///
/// A file that cannot be read, or for which `init` or `isRevoked` throws, must be taken to revoke
/// every key.
package enum RevokedKeys: Sendable {
    case list(KeyRevocationList)
    /// The keys up to the first line that is none, and whether there is such a line.
    case keys([PublicKey], isDamaged: Bool)

    package init(contents: [UInt8]) throws(KeyError) {
        if KeyRevocationList.isList(contents) {
            self = .list(try KeyRevocationList(contents: contents))
            return
        }
        var keys: [PublicKey] = []
        for line in contents.split(separator: 0x0a) {
            let text = line.drop { $0 == 0x20 || $0 == 0x09 }
            if text.isEmpty || text.first == UInt8(ascii: "#") { continue }
            do throws(KeyError) {
                keys.append(try PublicKeyLine.parse(text).key)
            } catch .invalidKeyLength(let bits) where bits < PublicKey.minimumRSABits {
                // As in OpenSSH: nobody may use such a key anyway.
                continue
            } catch {
                self = .keys(keys, isDamaged: true)
                return
            }
        }
        self = .keys(keys, isDamaged: false)
    }

    /// Whether the key, the key inside a certificate, or the authority of a certificate is revoked.
    /// Throws when the file has a line that is neither a key nor a comment, and no key before it
    /// answers the question: who wrote that line meant to revoke something.
    package func isRevoked(_ key: PublicKey) throws(KeyError) -> Bool {
        switch self {
        case .list(let list): return list.isRevoked(key)
        case .keys(let keys, let isDamaged):
            let plain = key.plain
            let authority = key.certificate?.signatureKey
            if keys.contains(where: { $0.plain == plain || $0.plain == authority }) { return true }
            if isDamaged { throw .invalidFormat("revoked keys") }
            return false
        }
    }
}
