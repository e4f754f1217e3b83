// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
package import HawserWire

/// Files that hold one private key: OpenSSH's format, traditional PEM, PKCS#8.
package enum PrivateKeyFile {
    package enum Format: Sendable {
        case openSSH
        /// PKCS#1 and its kin; OpenSSH's format for types that have none.
        case pem
        case pkcs8
    }

    /// How a file is encrypted.
    package struct Protection: Sendable {
        package let passphrase: SecretBytes
        package let cipher: CipherAlgorithm
        /// The work factor of bcrypt.
        package let rounds: Int

        package init(
            passphrase: SecretBytes,
            cipher: CipherAlgorithm = PrivateKeyFile.defaultCipher,
            rounds: Int = PrivateKeyFile.defaultRounds
        ) {
            self.passphrase = passphrase
            self.cipher = cipher
            self.rounds = rounds
        }
    }

    package static let defaultCipher = CipherAlgorithm.aes256CTR
    package static let defaultRounds = 24

    /// The largest file that is read, in bytes.
    package static let maximumBytes = 1024 * 1024

    /// The key in a file. Throws `.needsPassphrase` when it is encrypted and `passphrase` is nil or
    /// empty, `.wrongPassphrase` when that does not open it.
    package static func parse(
        _ contents: [UInt8],
        passphrase: SecretBytes? = nil
    ) throws(KeyError) -> PrivateKey {
        let armor = try armor(in: contents)
        switch armor.label {
        case OpenSSHPrivateKey.label:
            return try OpenSSHPrivateKey(armor.body.bytes).open(passphrase: passphrase)
        case "PRIVATE KEY":
            return try PKCS.readPrivateKeyInfo(armor.body.bytes)
        case "ENCRYPTED PRIVATE KEY":
            let clear = try PBES2.open(armor.body.bytes, passphrase: passphrase)
            return try wrongPassphraseIfThrown(true) { () throws(KeyError) in
                try PKCS.readPrivateKeyInfo(clear.bytes)
            }
        case "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY":
            let isEncrypted = armor[header: "DEK-Info"] != nil
            let clear = try PEMEncryption.open(armor, passphrase: passphrase)
            return try wrongPassphraseIfThrown(isEncrypted) { () throws(KeyError) in
                switch armor.label {
                case "RSA PRIVATE KEY": try PKCS.readRSA(clear.bytes)
                case "EC PRIVATE KEY": try PKCS.readEC(clear.bytes)
                default: try PKCS.readDSA(clear.bytes)
                }
            }
        default:
            throw .invalidFormat("armour of another kind")
        }
    }

    /// The public key that an OpenSSH file shows in clear; nil for the other formats.
    package static func publicKey(in contents: [UInt8]) throws(KeyError) -> PublicKey? {
        let armor = try armor(in: contents)
        guard armor.label == OpenSSHPrivateKey.label else { return nil }
        return try OpenSSHPrivateKey(armor.body.bytes).publicKey
    }

    /// Whether a passphrase is needed to read the private key.
    package static func isEncrypted(_ contents: [UInt8]) throws(KeyError) -> Bool {
        let armor = try armor(in: contents)
        switch armor.label {
        case OpenSSHPrivateKey.label: return try OpenSSHPrivateKey(armor.body.bytes).isEncrypted
        case "ENCRYPTED PRIVATE KEY": return true
        default: return armor[header: "DEK-Info"] != nil
        }
    }

    /// Whether this looks like a private key file at all.
    package static func isPrivateKey(_ contents: [UInt8]) -> Bool {
        (try? armor(in: contents)) != nil
    }

    /// The file for `key`, encrypted when `protection` is given. Traditional PEM and PKCS#8 have
    /// ciphers and work factors of their own.
    package static func serialize(
        _ key: PrivateKey,
        format: Format = .openSSH,
        protection: Protection? = nil,
        random: any RandomSource
    ) throws(KeyError) -> SecretBytes {
        let protection = protection.flatMap { $0.passphrase.isEmpty ? nil : $0 }
        switch format {
        case .pem:
            if let (label, body) = PKCS.traditional(key) {
                return try PEMEncryption.text(
                    label: label,
                    SecretBytes(body),
                    passphrase: protection?.passphrase,
                    random: random
                )
            }
        case .pkcs8:
            if let body = PKCS.privateKeyInfo(key) {
                let clear = SecretBytes(body)
                guard let protection else {
                    return armored("PRIVATE KEY", clear)
                }
                let sealed = try PBES2.seal(
                    clear,
                    passphrase: protection.passphrase,
                    random: random
                )
                return armored("ENCRYPTED PRIVATE KEY", SecretBytes(sealed))
            }
        case .openSSH: break
        }
        let body = try OpenSSHPrivateKey.body(of: key, protection: protection, random: random)
        return SecretBytes(
            Armor.text(
                label: OpenSSHPrivateKey.label,
                body.exposed,
                columns: OpenSSHPrivateKey.columns
            )
        )
    }

    private static func armored(_ label: String, _ body: SecretBytes) -> SecretBytes {
        SecretBytes(Armor.text(label: label, body.exposed, columns: 64))
    }

    private static func armor(in contents: [UInt8]) throws(KeyError) -> Armor {
        guard contents.count <= maximumBytes else { throw .invalidFormat("file too large") }
        guard let armor = try Armor.find(in: contents, suffix: "PRIVATE KEY") else {
            throw .invalidFormat("no armour")
        }
        return armor
    }

    /// After decryption, nonsense means that the passphrase was wrong.
    private static func wrongPassphraseIfThrown(
        _ isEncrypted: Bool,
        _ read: () throws(KeyError) -> PrivateKey
    ) throws(KeyError) -> PrivateKey {
        do {
            return try read()
        } catch {
            if case .invalidFormat = error, isEncrypted { throw .wrongPassphrase }
            throw error
        }
    }
}
