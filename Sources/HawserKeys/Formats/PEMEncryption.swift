// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The encryption of traditional PEM files: RFC 1421's DEK-Info, with a key from one MD5 of
/// passphrase and salt per block. Weak, and read for the sake of old files.
enum PEMEncryption {
    private static let ciphers: [(name: String, cipher: CipherAlgorithm)] = [
        ("AES-128-CBC", .aes128CBC), ("AES-192-CBC", .aes192CBC), ("AES-256-CBC", .aes256CBC),
        ("DES-EDE3-CBC", .tripleDESCBC),
    ]

    static func open(_ armor: Armor, passphrase: SecretBytes?) throws(KeyError) -> SecretBytes {
        guard let info = armor[header: "DEK-Info"] else { return armor.body }
        let parts = info.split(separator: ",")
        guard parts.count == 2 else { throw .invalidFormat("DEK-Info") }
        guard let (_, cipher) = ciphers.first(where: { $0.name == parts[0] }) else {
            throw .unsupported("unknown or unsupported cipher")
        }
        guard let iv = Hexadecimal.decode(parts[1]), iv.count == cipher.ivBytes else {
            throw .invalidFormat("DEK-Info")
        }
        guard let passphrase, !passphrase.isEmpty else { throw .needsPassphrase }
        let derived = keyAndIV(passphrase, iv: iv, cipher)
        let content = armor.body.exposed
        guard !content.isEmpty, content.count % cipher.blockBytes == 0,
            let padded = cipher.decrypt(content, tag: [], keyAndIV: derived),
            let clear = BlockPadding.removed(from: padded, blockBytes: cipher.blockBytes)
        else { throw .wrongPassphrase }
        return SecretBytes(clear)
    }

    static func text(
        label: String,
        _ clear: SecretBytes,
        passphrase: SecretBytes?,
        random: any RandomSource
    ) throws(KeyError) -> SecretBytes {
        guard let passphrase else {
            return SecretBytes(Armor.text(label: label, clear.exposed, columns: 64))
        }
        let cipher = CipherAlgorithm.aes128CBC
        let iv = random.bytes(cipher.ivBytes)
        let padded = BlockPadding.added(to: clear.exposed, blockBytes: cipher.blockBytes)
        let derived = keyAndIV(passphrase, iv: iv, cipher)
        guard let sealed = cipher.encrypt(padded, keyAndIV: derived) else {
            throw .cryptography("AES-128-CBC")
        }
        let hex = Hexadecimal.encode(iv).uppercased()
        return SecretBytes(
            Armor.text(
                label: label,
                headers: [("Proc-Type", "4,ENCRYPTED"), ("DEK-Info", "AES-128-CBC,\(hex)")],
                sealed.content,
                columns: 64
            )
        )
    }

    /// D_i = MD5(D_(i-1) ‖ passphrase ‖ first eight bytes of the IV), until there is enough.
    private static func keyAndIV(
        _ passphrase: SecretBytes,
        iv: [UInt8],
        _ cipher: CipherAlgorithm
    ) -> SecretBytes {
        let salted = passphrase.exposed + iv.prefix(8)
        var derived: [UInt8] = []
        var last: [UInt8] = []
        while derived.count < cipher.keyBytes {
            last = Digests.digest(.md5, last + salted)
            derived += last
        }
        return SecretBytes(Array(derived.prefix(cipher.keyBytes)) + iv)
    }
}

/// The padding of RFC 5652 §6.3: n bytes of value n.
enum BlockPadding {
    static func added(to bytes: [UInt8], blockBytes: Int) -> [UInt8] {
        let count = blockBytes - bytes.count % blockBytes
        return bytes + [UInt8](repeating: UInt8(count), count: count)
    }

    static func removed(from bytes: [UInt8], blockBytes: Int) -> [UInt8]? {
        guard let last = bytes.last, last >= 1, Int(last) <= blockBytes, Int(last) <= bytes.count,
            bytes.suffix(Int(last)).allSatisfy({ $0 == last })
        else { return nil }
        return Array(bytes.dropLast(Int(last)))
    }
}
