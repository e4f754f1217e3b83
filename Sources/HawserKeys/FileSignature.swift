// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// A signature over a file or a message, detached from it (PROTOCOL.sshsig).
package struct FileSignature: Sendable {
    /// The digests that a signature may be made over.
    package enum Hash: String, CaseIterable, Sendable {
        case sha256
        case sha512

        /// A new digest of the message.
        package var digest: MessageDigest { MessageDigest(self) }
    }

    /// The digest of a message that comes in parts.
    package struct MessageDigest: ~Copyable {
        private var hasher: HawserCrypto.Hasher

        fileprivate init(_ hash: Hash) {
            hasher = HawserCrypto.Hasher(hash == .sha256 ? .sha256 : .sha512)
        }

        package mutating func update(_ bytes: RawSpan) { hasher.update(bytes) }

        package consuming func finish() -> [UInt8] {
            hasher.finalize()
        }
    }

    /// Who claims to have signed: a key, or a certificate of it. Nothing is believed of it here.
    package let publicKey: PublicKey
    /// What the signature is for, such as `file` or `git`.
    package let namespace: String
    package let hash: Hash
    /// The signature blob.
    package let signature: [UInt8]
    /// Signed too, and without a meaning yet.
    private let reserved: [UInt8]

    /// Puts together what was signed and its signature.
    package init(publicKey: PublicKey, namespace: String, hash: Hash, signature: [UInt8]) {
        self.publicKey = publicKey
        self.namespace = namespace
        self.hash = hash
        self.signature = signature
        reserved = []
    }

    /// Reads the blob form. Throws for a digest that we do not know.
    package init(blob: [UInt8]) throws(KeyError) {
        var reader = WireReader(blob.rawBytes)
        guard try reader.keyFixed(Self.magic.count).elementsEqual(Self.magic.rawBytes) else {
            throw .invalidFormat("magic")
        }
        guard try reader.keyUInt32() == Self.version else {
            throw .unsupported("signature version not supported")
        }
        publicKey = try PublicKey(blob: reader.keyString())
        namespace = try reader.keyText()
        reserved = try reader.keyBytes()
        let name = try reader.keyText()
        guard let hash = Hash(rawValue: name) else { throw .algorithmNotAllowed(name) }
        self.hash = hash
        signature = try reader.keyBytes()
        try reader.keyEnd()
        if namespace.isEmpty { throw .invalidFormat("no namespace") }
    }

    /// Reads the armoured form, which must begin with its header; what follows its footer does
    /// not matter.
    package init(armored text: [UInt8]) throws(ArmorError) {
        guard text.starts(with: Self.header) else {
            throw text.count < Self.header.count ? .truncated : .missingHeader
        }
        let body = text[Self.header.count...]
        guard let end = Self.position(of: Self.footer, in: body) else { throw .missingFooter }
        guard let blob = Base64.decode(body[..<end], .lenient) else { throw .notBase64 }
        do throws(KeyError) {
            try self.init(blob: blob)
        } catch {
            throw .content(error)
        }
    }

    /// What is wrong with an armoured signature.
    package enum ArmorError: Error, Equatable {
        /// Shorter than its first line.
        case truncated
        case missingHeader
        case missingFooter
        case notBase64
        /// Its armour is sound, its content is not.
        case content(KeyError)
    }

    /// The blob form.
    package var blob: [UInt8] {
        var writer = WireWriter(reserving: 512)
        writer.write(fixed: Self.magic)
        writer.write(uint32: Self.version)
        writer.write(string: publicKey.blob)
        writer.write(text: namespace)
        writer.write(string: reserved)
        writer.write(text: hash.rawValue)
        writer.write(string: signature)
        return writer.take()
    }

    /// The armoured form.
    package var armored: [UInt8] {
        Self.header + Base64.lines(blob, columns: 70) + Self.footer.dropFirst() + [0x0a]
    }

    /// What the key signs: everything about the message but itself.
    package static func bytesToSign(
        namespace: String,
        hash: Hash,
        digest: [UInt8],
        reserved: [UInt8] = []
    ) -> [UInt8] {
        var writer = WireWriter(reserving: 128)
        writer.write(fixed: magic)
        writer.write(text: namespace)
        writer.write(string: reserved)
        writer.write(text: hash.rawValue)
        writer.write(string: digest)
        return writer.take()
    }

    /// Checks that the key inside has signed a message with this digest for this namespace, and
    /// that a certificate inside is its authority's. Whom the key belongs to is another question
    /// (`AllowedSigners`). RSA with SHA-1 is never good.
    @discardableResult
    package func verify(
        digest: [UInt8],
        namespace wanted: String
    ) throws(KeyError) -> SecurityKeyDetails? {
        guard namespace.hasSameOctets(as: wanted) else {
            throw .unsupported("namespace does not match")
        }
        if publicKey.certificate != nil { try publicKey.verifyCertificate() }
        let signed = Self.bytesToSign(
            namespace: namespace,
            hash: hash,
            digest: digest,
            reserved: reserved
        )
        return try publicKey.verify(
            signature: signature,
            over: signed.rawBytes,
            requiringUserPresence: false
        )
    }

    private static func position(of wanted: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= wanted.count else { return nil }
        return (text.startIndex...text.endIndex - wanted.count).first {
            text[$0...].starts(with: wanted)
        }
    }

    private static let magic = Array("SSHSIG".utf8)
    private static let version: UInt32 = 1
    private static let header = Array("-----BEGIN SSH SIGNATURE-----\n".utf8)
    private static let footer = Array("\n-----END SSH SIGNATURE-----".utf8)
}
