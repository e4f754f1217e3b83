// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserSystem

/// `RevokedKeys`: files of keys, or key revocation lists, that let nobody in.
struct RevokedKeys {
    let paths: [String]
    let fingerprintHash: Fingerprint.Hash
    let log: Log

    /// Whether the key is revoked, or the authority that certified it. When a file cannot be read,
    /// every key is.
    func contain(_ key: PublicKey) -> Bool {
        guard !paths.isEmpty else { return false }
        return paths.contains { path in contains(key, path) }
    }

    private func contains(_ key: PublicKey, _ path: String) -> Bool {
        guard let contents = try? Files.read(path, limit: 256 << 20) else {
            log.error(
                "Error checking authentication key \(name(key)) in revoked keys file \(path)"
            )
            return true
        }
        if let authority = key.certificate?.signatureKey, Self.lists(authority, contents) != false {
            log.error(
                "WARNING: authentication attempt with a revoked CA key \(name(authority))"
            )
            return true
        }
        guard let isListed = Self.lists(key, contents) else {
            log.error(
                "Error checking authentication key \(name(key)) in revoked keys file \(path)"
            )
            return true
        }
        if isListed {
            log.error("Authentication key \(name(key)) revoked by file \(path)")
        }
        return isListed
    }

    private func name(_ key: PublicKey) -> String {
        "\(key.type.shortName) \(key.fingerprint(fingerprintHash))"
    }

    /// Nil when the contents cannot be understood.
    static func lists(_ key: PublicKey, _ contents: [UInt8]) -> Bool? {
        // A key revocation list begins with its own magic.
        if contents.starts(with: Array("SSHKRL\n\0".utf8)) { return nil }
        let plain = key.plain
        for line in contents.split(separator: UInt8(ascii: "\n")) {
            let text = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard let first = text.first, first != UInt8(ascii: "#") else { continue }
            guard let entry = try? PublicKeyLine.parse(String(decoding: text, as: UTF8.self)) else {
                continue
            }
            if entry.key == key || entry.key.plain == plain { return true }
        }
        return false
    }
}
