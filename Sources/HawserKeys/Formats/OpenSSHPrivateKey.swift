// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
package import HawserWire

/// The container of PROTOCOL.key: the public key in clear, the private one perhaps encrypted.
struct OpenSSHPrivateKey {
    static let label = "OPENSSH PRIVATE KEY"
    static let columns = 70
    static let magic = Array("openssh-key-v1\0".utf8)

    /// In clear, so that a key can be offered before its passphrase is asked for.
    let publicKey: PublicKey
    private let cipher: CipherAlgorithm?
    private let salt: [UInt8]
    private let rounds: Int
    private let content: [UInt8]
    private let tag: [UInt8]

    var isEncrypted: Bool { cipher != nil }

    /// More would take longer than anybody waits: about ten minutes.
    static let maximumRounds = 100_000

    init(_ body: RawSpan) throws(KeyError) {
        var reader = WireReader(body)
        guard [UInt8](copying: try reader.keyFixed(Self.magic.count)) == Self.magic else {
            throw .invalidFormat("magic")
        }
        let cipherName = try reader.keyText(limit: 64)
        let functionName = try reader.keyText(limit: 64)
        let functionOptions = try reader.keyBytes(limit: 1024)
        guard try reader.keyUInt32() == 1 else { throw .invalidFormat("not exactly one key") }
        publicKey = try PublicKey(blob: reader.keyString())
        content = try reader.keyBytes()
        switch (cipherName, functionName) {
        case ("none", "none"):
            cipher = nil
            salt = []
            rounds = 0
        case (_, "bcrypt"):
            guard let known = CipherAlgorithm(rawValue: cipherName) else {
                throw .unsupported("unknown or unsupported cipher")
            }
            cipher = known
            var options = WireReader(functionOptions.rawBytes)
            salt = try options.keyBytes()
            let count = try options.keyUInt32()
            try options.keyEnd()
            guard !salt.isEmpty, count >= 1, count <= UInt32(Self.maximumRounds) else {
                throw .invalidFormat("bcrypt options")
            }
            rounds = Int(count)
        default:
            throw .invalidFormat("key derivation function")
        }
        tag = [UInt8](copying: try reader.keyFixed(cipher?.keyFileTagBytes ?? 0))
        try reader.keyEnd()
        let blockBytes = cipher?.blockBytes ?? 8
        guard !content.isEmpty, content.count % blockBytes == 0 else {
            throw .invalidFormat("length of the private part")
        }
    }

    /// The private key. Throws `.needsPassphrase` or `.wrongPassphrase`.
    func open(passphrase: SecretBytes?) throws(KeyError) -> PrivateKey {
        let clear = SecretBytes(try decrypted(passphrase))
        var reader = WireReader(clear.bytes)
        let check = try reader.keyUInt32()
        guard try reader.keyUInt32() == check else {
            throw isEncrypted ? .wrongPassphrase : .invalidFormat("check numbers")
        }
        let material = try PrivateKeyFields.read(from: &reader)
        let comment = try reader.keyBytes()
        var expected: UInt8 = 1
        while !reader.isAtEnd {
            guard try reader.keyByte() == expected else { throw .invalidFormat("padding") }
            expected &+= 1
        }
        guard material.publicKey.plain == publicKey.plain else {
            throw .invalidFormat("public and private part differ")
        }
        return PrivateKey(
            publicKey: publicKey,
            material: material.private,
            commentBytes: comment
        )
    }

    private func decrypted(_ passphrase: SecretBytes?) throws(KeyError) -> [UInt8] {
        guard let cipher else { return content }
        guard let passphrase, !passphrase.isEmpty else { throw .needsPassphrase }
        let derived = BcryptPBKDF.deriveKey(
            passphrase: passphrase.exposed,
            salt: salt,
            rounds: rounds,
            bytes: cipher.keyBytes + cipher.ivBytes
        )
        guard let clear = cipher.decrypt(content, tag: tag, keyAndIV: derived) else {
            throw .wrongPassphrase
        }
        return clear
    }

    /// The body of a file for `key`; an empty passphrase leaves it unencrypted.
    static func body(
        of key: PrivateKey,
        protection: PrivateKeyFile.Protection?,
        random: any RandomSource
    ) throws(KeyError) -> SecretBytes {
        let blockBytes = protection?.cipher.blockBytes ?? 8
        var clear = WireWriter(reserving: 4096)
        let check = random.bytes(4)
        clear.write(fixed: check)
        clear.write(fixed: check)
        PrivateKeyFields.write(key, to: &clear)
        clear.write(string: key.commentBytes)
        var padding: UInt8 = 1
        while clear.count % blockBytes != 0 {
            clear.write(byte: padding)
            padding &+= 1
        }
        var content = clear.take()
        defer { content.wipe() }

        var writer = WireWriter(reserving: 4096)
        writer.write(fixed: magic)
        guard let protection else {
            writer.write(text: "none")
            writer.write(text: "none")
            writer.write(text: "")
            writer.write(uint32: 1)
            writer.write(string: key.publicKey.blob)
            writer.write(string: content)
            return SecretBytes(writer.take())
        }
        let salt = random.bytes(saltBytes)
        let derived = BcryptPBKDF.deriveKey(
            passphrase: protection.passphrase.exposed,
            salt: salt,
            rounds: protection.rounds,
            bytes: protection.cipher.keyBytes + protection.cipher.ivBytes
        )
        writer.write(text: protection.cipher.rawValue)
        writer.write(text: "bcrypt")
        writer.writeString { options in
            options.write(string: salt)
            options.write(uint32: UInt32(protection.rounds))
        }
        writer.write(uint32: 1)
        writer.write(string: key.publicKey.blob)
        guard let sealed = protection.cipher.encrypt(content, keyAndIV: derived) else {
            throw .cryptography("key file cipher")
        }
        writer.write(string: sealed.content)
        writer.write(fixed: sealed.tag)
        return SecretBytes(writer.take())
    }

    private static let saltBytes = 16
}

/// A private key as the agent protocol and PROTOCOL.key have it: a name, then all its numbers.
package enum PrivateKeyFields {
    /// Reads one key and checks that its two halves belong together.
    @_lifetime(reader: copy reader)
    package static func read(
        from reader: inout WireReader
    ) throws(KeyError) -> (publicKey: PublicKey, private: PrivateKey.Material) {
        let name = try reader.keyText(limit: 256)
        guard let type = KeyType(name: name) else { throw .unknownType(name) }
        var certificate: PublicKey?
        if type.isCertificate { certificate = try PublicKey(blob: reader.keyString()) }
        let (publicKey, material) = try readNumbers(of: type.plain, certificate, from: &reader)
        try KeyPair.check(publicKey, material)
        if let certificate {
            guard certificate.type == type, certificate.plain == publicKey else {
                throw .typeMismatch
            }
            return (certificate, material)
        }
        return (publicKey, material)
    }

    @_lifetime(reader: copy reader)
    private static func readNumbers(
        of type: KeyType,
        _ certificate: PublicKey?,
        from reader: inout WireReader
    ) throws(KeyError) -> (PublicKey, PrivateKey.Material) {
        switch type {
        case .ed25519:
            let publicBytes = try reader.keyBytes()
            let secret = SecretBytes(try reader.keyBytes())
            guard secret.count == 64,
                secret.bytes.extracting(droppingFirst: 32).elementsEqual(publicBytes.rawBytes)
            else { throw .invalidFormat("Ed25519 private key") }
            let seed = SecretBytes(copying: secret.bytes.extracting(first: 32))
            return (try PublicKey(.ed25519(publicBytes)), .ed25519(seed: seed))
        case .mldsa44Ed25519:
            let publicBytes = try reader.keyBytes()
            let seeds = SecretBytes(try reader.keyBytes())
            guard seeds.count == CompositeKey.seedBytes else {
                throw .invalidFormat("composite private key")
            }
            return (try PublicKey(.mldsa44Ed25519(publicBytes)), .mldsa44Ed25519(seeds: seeds))
        case .rsa:
            var modulus: [UInt8] = []
            var exponent: [UInt8] = []
            if case .rsa(let certified, let number)? = certificate?.material {
                (exponent, modulus) = (certified, number)
            } else {
                modulus = try reader.keyNumber()
                exponent = try reader.keyNumber()
            }
            let privateExponent = SecretBytes(try reader.keyNumber())
            let coefficient = SecretBytes(try reader.keyNumber())
            let prime1 = SecretBytes(try reader.keyNumber())
            let prime2 = SecretBytes(try reader.keyNumber())
            let numbers = RSA.PrivateNumbers(
                publicNumbers: RSA.PublicNumbers(modulus: modulus, exponent: exponent),
                privateExponent: privateExponent,
                prime1: prime1,
                prime2: prime2,
                coefficient: coefficient
            )
            return (try PublicKey(.rsa(exponent: exponent, modulus: modulus)), .rsa(numbers))
        case .dsa:
            if let certificate {
                return (certificate.plain, .dsa(x: SecretBytes(try reader.keyNumber())))
            }
            let p = try reader.keyNumber()
            let q = try reader.keyNumber()
            let g = try reader.keyNumber()
            let key = try PublicKey(.dsa(p: p, q: q, g: g, y: try reader.keyNumber()))
            return (key, .dsa(x: SecretBytes(try reader.keyNumber())))
        case .securityKeyEd25519, .securityKeyECDSA:
            return try readSecurityKey(of: type, certificate, from: &reader)
        default:
            guard let curve = type.curve else { throw .unknownType(type.name) }
            var key = certificate?.plain
            if key == nil {
                guard try reader.keyText() == curve.rawValue else { throw .typeMismatch }
                key = try PublicKey(.ecdsa(curve, point: try reader.keyBytes()))
            }
            guard let key else { throw .typeMismatch }
            let scalar = try reader.keyNumber()
            guard let padded = Magnitude.padded(scalar, to: curve.fieldBytes) else {
                throw .invalidFormat("scalar")
            }
            return (key, .ecdsa(curve, scalar: SecretBytes(padded)))
        }
    }

    @_lifetime(reader: copy reader)
    private static func readSecurityKey(
        of type: KeyType,
        _ certificate: PublicKey?,
        from reader: inout WireReader
    ) throws(KeyError) -> (PublicKey, PrivateKey.Material) {
        let key: PublicKey
        if type == .securityKeyEd25519 {
            let bytes = try certificate == nil ? reader.keyBytes() : []
            let application = try reader.keyBytes()
            key =
                try certificate?.plain
                ?? PublicKey(.securityKeyEd25519(bytes, application: application))
        } else {
            if certificate == nil, try reader.keyText() != NISTCurve.p256.rawValue {
                throw .typeMismatch
            }
            let point = try certificate == nil ? reader.keyBytes() : []
            let application = try reader.keyBytes()
            key =
                try certificate?.plain
                ?? PublicKey(.securityKeyECDSA(point: point, application: application))
        }
        let flags = try reader.keyByte()
        let handle = SecretBytes(try reader.keyBytes())
        let reserved = try reader.keyBytes()
        return (key, .securityKey(flags: flags, handle: handle, reserved: reserved))
    }

    /// Writes what `read` reads.
    package static func write(_ key: PrivateKey, to writer: inout WireWriter) {
        writer.write(text: key.type.name)
        let isCertificate = key.type.isCertificate
        if isCertificate { writer.write(string: key.publicKey.blob) }
        switch (key.publicKey.material, key.material) {
        case (.ed25519(let publicBytes), .ed25519(let seed)):
            writer.write(string: publicBytes)
            writer.writeString { secret in
                secret.write(fixed: seed.bytes)
                secret.write(fixed: publicBytes)
            }
        case (.mldsa44Ed25519(let publicBytes), .mldsa44Ed25519(let seeds)):
            writer.write(string: publicBytes)
            writer.write(string: seeds.bytes)
        case (.rsa(let exponent, let modulus), .rsa(let numbers)):
            if !isCertificate {
                writer.write(multiplePrecision: modulus)
                writer.write(multiplePrecision: exponent)
            }
            writer.write(multiplePrecision: numbers.privateExponent.exposed)
            writer.write(multiplePrecision: numbers.coefficient.exposed)
            writer.write(multiplePrecision: numbers.prime1.exposed)
            writer.write(multiplePrecision: numbers.prime2.exposed)
        case (.ecdsa, .ecdsa(_, let scalar)):
            if !isCertificate { key.publicKey.material.write(to: &writer) }
            writer.write(multiplePrecision: scalar.exposed)
        case (.dsa, .dsa(let x)):
            if !isCertificate { key.publicKey.material.write(to: &writer) }
            writer.write(multiplePrecision: x.exposed)
        case (.securityKeyEd25519(_, let application), .securityKey),
            (.securityKeyECDSA(_, let application), .securityKey):
            if isCertificate {
                writer.write(string: application)
            } else {
                key.publicKey.material.write(to: &writer)
            }
            if case .securityKey(let flags, let handle, let reserved) = key.material {
                writer.write(byte: flags)
                writer.write(string: handle.bytes)
                writer.write(string: reserved)
            }
        default:
            preconditionFailure("a private key whose halves are of two types")
        }
    }
}
