// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// EncryptedPrivateKeyInfo with password-based encryption scheme 2 and PBKDF2 (RFC 8018).
enum PBES2 {
    /// More would take longer than anybody waits.
    static let maximumIterations = 10_000_000

    static func open(_ body: RawSpan, passphrase: SecretBytes?) throws(KeyError) -> SecretBytes {
        var outer = DERReader(body)
        var reader = try outer.readSequence()
        try outer.expectEnd()
        var algorithm = try reader.readSequence()
        guard try algorithm.readObjectIdentifier() == .pbes2 else {
            throw .unsupported("unknown or unsupported cipher")
        }
        var parameters = try algorithm.readSequence()
        let derivation = try Derivation(from: &parameters)
        var scheme = try parameters.readSequence()
        guard let cipher = try scheme.readObjectIdentifier().flatMap({ cipher(of: $0) }) else {
            throw .unsupported("unknown or unsupported cipher")
        }
        let iv = try scheme.readOctetString()
        let content = try reader.readOctetString()
        try reader.expectEnd()
        guard iv.count == cipher.ivBytes,
            derivation.keyBytes.map({ $0 == cipher.keyBytes }) ?? true,
            !content.isEmpty, content.count % cipher.blockBytes == 0
        else { throw .invalidFormat("PBES2 parameters") }
        guard let passphrase, !passphrase.isEmpty else { throw .needsPassphrase }
        let key = derivation.key(passphrase, bytes: cipher.keyBytes)
        let keyAndIV = SecretBytes(key.exposed + iv)
        guard let padded = cipher.decrypt(content, tag: [], keyAndIV: keyAndIV),
            let clear = BlockPadding.removed(from: padded, blockBytes: cipher.blockBytes)
        else { throw .wrongPassphrase }
        return SecretBytes(clear)
    }

    static func seal(
        _ clear: SecretBytes,
        passphrase: SecretBytes,
        random: any RandomSource
    ) throws(KeyError) -> [UInt8] {
        let cipher = CipherAlgorithm.aes128CBC
        let derivation = Derivation(
            salt: random.bytes(saltBytes),
            iterations: iterations,
            keyBytes: nil,
            hash: .sha256
        )
        let iv = random.bytes(cipher.ivBytes)
        let key = derivation.key(passphrase, bytes: cipher.keyBytes)
        let padded = BlockPadding.added(to: clear.exposed, blockBytes: cipher.blockBytes)
        guard let sealed = cipher.encrypt(padded, keyAndIV: SecretBytes(key.exposed + iv)) else {
            throw .cryptography("AES-128-CBC")
        }
        let function = DER.sequence(
            DER.objectIdentifier(.pbkdf2),
            DER.sequence(
                DER.octetString(derivation.salt),
                DER.integer(UInt32(derivation.iterations)),
                DER.sequence(DER.objectIdentifier(.hmacSHA256), DER.null)
            )
        )
        let scheme = DER.sequence(DER.objectIdentifier(.aes128CBC), DER.octetString(iv))
        return DER.sequence(
            DER.sequence(DER.objectIdentifier(.pbes2), DER.sequence(function, scheme)),
            DER.octetString(sealed.content)
        )
    }

    /// The parameters of PBKDF2, RFC 8018 §A.2.
    private struct Derivation {
        let salt: [UInt8]
        let iterations: Int
        let keyBytes: Int?
        let hash: Fingerprint.Hash

        init(salt: [UInt8], iterations: Int, keyBytes: Int?, hash: Fingerprint.Hash) {
            self.salt = salt
            self.iterations = iterations
            self.keyBytes = keyBytes
            self.hash = hash
        }

        @_lifetime(parameters: copy parameters)
        init(from parameters: inout DERReader) throws(KeyError) {
            var function = try parameters.readSequence()
            guard try function.readObjectIdentifier() == .pbkdf2 else {
                throw .unsupported("unknown or unsupported key derivation")
            }
            var reader = try function.readSequence()
            salt = try reader.readOctetString()
            iterations = try reader.readSmallInteger()
            guard iterations >= 1, iterations <= maximumIterations else {
                throw .invalidFormat("PBKDF2 iterations")
            }
            keyBytes = reader.nextTag == DER.Tag.integer ? try reader.readSmallInteger() : nil
            guard !reader.isAtEnd else {
                hash = .sha1
                return
            }
            var function2 = try reader.readSequence()
            switch try function2.readObjectIdentifier() {
            case .hmacSHA1: hash = .sha1
            case .hmacSHA256: hash = .sha256
            case .hmacSHA384: hash = .sha384
            case .hmacSHA512: hash = .sha512
            default: throw .unsupported("unknown or unsupported key derivation")
            }
        }

        func key(_ passphrase: SecretBytes, bytes: Int) -> SecretBytes {
            Digests.pbkdf2(hash, passphrase, salt: salt, iterations: iterations, bytes: bytes)
        }
    }

    private static func cipher(of identifier: ObjectIdentifier) -> CipherAlgorithm? {
        switch identifier {
        case .aes128CBC: .aes128CBC
        case .aes192CBC: .aes192CBC
        case .aes256CBC: .aes256CBC
        case .desEDE3CBC: .tripleDESCBC
        default: nil
        }
    }

    private static let saltBytes = 8
    private static let iterations = 2048
}
