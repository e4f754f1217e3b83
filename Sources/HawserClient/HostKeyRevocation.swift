// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem

extension HostKeyVerification {
    /// Whether a file of `RevokedHostKeys` names the key, the key inside a certificate or its
    /// authority. A file that cannot be read revokes every key.
    func isRevokedByFile(_ key: PublicKey) -> Bool {
        for name in settings.options.revokedHostKeys ?? [] where name.lowercased() != "none" {
            do throws(ConfigError) {
                if isRevoked(key, by: try settings.expandPath(name)) { return true }
            } catch {
                log.error(error.text)
                return true
            }
        }
        return false
    }

    private func isRevoked(_ key: PublicKey, by path: String) -> Bool {
        let what = "\(key.type.shortName) \(fingerprint(key))"
        let contents: [UInt8]
        do throws(SystemError) {
            contents = try Files.read(path, limit: 256 << 20)
        } catch {
            log.error(
                "Error checking host key \(what) in revoked keys file \(path): \(error.reason)"
            )
            return true
        }
        do throws(KeyError) {
            let revoked = try RevokedKeys(contents: contents)
            guard try revoked.isRevoked(key) else { return false }
            log.error("Host key \(what) revoked by file \(path)")
        } catch {
            log.error("Error checking host key \(what) in revoked keys file \(path): \(error)")
        }
        return true
    }
}
