// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a file named by `RevokedKeys` or `RevokedHostKeys` (or `ssh-keygen -r`) holds: a
/// `KeyRevocationList`, or public keys one per line.
///
/// A file that cannot be read, or for which `init` throws, must be taken to revoke every key.
package enum RevokedKeys: Sendable {
    case list(KeyRevocationList)
    case keys([PublicKey])

    package init(contents: [UInt8]) throws(KeyError) {
        if KeyRevocationList.isList(contents) {
            self = .list(try KeyRevocationList(contents: contents))
            return
        }
        var keys: [PublicKey] = []
        for line in contents.split(separator: 0x0a) {
            let text = String(decoding: line, as: UTF8.self)
            // As in OpenSSH, lines that are no keys revoke nothing.
            if let key = try? PublicKeyLine.parse(text).key { keys.append(key) }
        }
        self = .keys(keys)
    }

    /// Whether the key, the key inside a certificate, or the authority of a certificate is revoked.
    package func isRevoked(_ key: PublicKey) -> Bool {
        switch self {
        case .list(let list): return list.isRevoked(key)
        case .keys(let keys):
            let plain = key.plain
            let authority = key.certificate?.signatureKey
            return keys.contains { $0.plain == plain || $0.plain == authority }
        }
    }
}
