// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Public keys in PEM: what `ssh-keygen -e` and `-i` convert to and from.
package enum PublicKeyFile {
    /// `-m PEM`: RSAPublicKey for RSA, SubjectPublicKeyInfo for the rest. nil for types that neither
    /// can hold, which are those that OpenSSH does not convert.
    package static func pem(_ key: PublicKey) -> [UInt8]? {
        if let body = PKCS.rsaPublicKey(key) {
            return Armor.text(label: "RSA PUBLIC KEY", body, columns: 64)
        }
        return pkcs8(key)
    }

    /// `-m PKCS8`: SubjectPublicKeyInfo. Of a certificate the key inside it, here as in `pem`.
    package static func pkcs8(_ key: PublicKey) -> [UInt8]? {
        guard key.type.plain != .ed25519,
            let body = PKCS.subjectPublicKeyInfo(key)
        else { return nil }
        return Armor.text(label: "PUBLIC KEY", body, columns: 64)
    }

    /// Reads either, by its label.
    package static func parse(_ contents: [UInt8]) throws(KeyError) -> PublicKey {
        guard contents.count <= PrivateKeyFile.maximumBytes,
            let armor = try Armor.find(in: contents, suffix: "PUBLIC KEY")
        else { throw .invalidFormat("no armour") }
        switch armor.label {
        case "RSA PUBLIC KEY": return try PKCS.readRSAPublicKey(armor.body.bytes)
        case "PUBLIC KEY": return try PKCS.readSubjectPublicKeyInfo(armor.body.bytes)
        default: throw .invalidFormat("armour of another kind")
        }
    }
}
