// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserSystem

/// The files of `RevokedKeys`: keys, one a line, or key revocation lists, that let nobody in.
struct Revocation {
    let paths: [String]
    let fingerprintHash: Fingerprint.Hash
    let log: Log

    /// Whether the key is revoked, or the authority that certified it. When a file cannot be read
    /// or understood, every key is.
    func revokes(_ key: PublicKey) -> Bool {
        paths.contains { path in revokes(key, path) }
    }

    private func revokes(_ key: PublicKey, _ path: String) -> Bool {
        let name = "\(key.type.shortName) \(key.fingerprint(fingerprintHash))"
        do {
            let revoked = try RevokedKeys(contents: try Files.read(path, limit: 256 << 20))
            guard try revoked.isRevoked(key) else { return false }
        } catch {
            let reason = (error as? SystemError)?.reason ?? "\(error)"
            log.error(
                "Error checking authentication key \(name) in revoked keys file \(path): \(reason)"
            )
            return true
        }
        log.error("Authentication key \(name) revoked by file \(path)")
        return true
    }
}
