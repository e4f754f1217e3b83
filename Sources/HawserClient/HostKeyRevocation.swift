// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

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
            contents = try Files.read(path)
        } catch {
            log.error(
                "Error checking host key \(what) in revoked keys file \(path): \(error.reason)"
            )
            return true
        }
        do throws(KeyError) {
            guard try RevokedKeyList(contents).revokes(key) else { return false }
            log.error("Host key \(what) revoked by file \(path)")
        } catch {
            log.error("Error checking host key \(what) in revoked keys file \(path): \(error)")
        }
        return true
    }
}

/// The content of a file of `RevokedHostKeys`: keys one a line, or a KRL.
struct RevokedKeyList {
    private let keys: [PublicKey]

    init(_ contents: [UInt8]) throws(KeyError) {
        guard !contents.starts(with: "SSHKRL\n\0".utf8) else {
            throw .unsupported("KRLs are not supported")
        }
        var keys: [PublicKey] = []
        for line in contents.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self).trimmed
            if text.isEmpty || text.hasPrefix("#") { continue }
            keys.append(try PublicKeyLine.parse(text).key)
        }
        self.keys = keys
    }

    /// Whether the key, what is inside it or its authority is listed.
    func revokes(_ key: PublicKey) -> Bool {
        let plain = key.plain
        let authority = key.certificate?.signatureKey
        return keys.contains {
            $0.blob == key.blob || $0.plain == plain || $0.blob == authority?.blob
        }
    }
}
