// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

extension CipherAlgorithm {
    /// What follows the encrypted text to authenticate it.
    var keyFileTagBytes: Int { isAEAD ? 16 : 0 }

    /// The clear text, or nil when it was not encrypted with this key.
    func decrypt(_ content: [UInt8], tag: [UInt8], keyAndIV: SecretBytes) -> [UInt8]? {
        guard let (key, iv) = split(keyAndIV) else { return nil }
        return try? FileCipher.open(self, key: key, iv: iv, content, tag: tag)
    }

    func encrypt(
        _ content: [UInt8],
        keyAndIV: SecretBytes
    ) -> (content: [UInt8], tag: [UInt8])? {
        guard let (key, iv) = split(keyAndIV),
            let sealed = try? FileCipher.seal(self, key: key, iv: iv, content)
        else { return nil }
        return (sealed.text, sealed.tag)
    }

    private func split(
        _ keyAndIV: SecretBytes
    ) -> (key: SecretBytes, iv: [UInt8])? {
        guard keyAndIV.count == keyBytes + ivBytes else { return nil }
        return (
            SecretBytes(copying: keyAndIV.bytes.extracting(first: keyBytes)),
            [UInt8](copying: keyAndIV.bytes.extracting(droppingFirst: keyBytes))
        )
    }
}
