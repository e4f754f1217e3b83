// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a certification authority says about a key: draft-miller-ssh-cert (PROTOCOL.certkeys).
///
/// A `PublicKey` holds it, and the key that it is about. Parsing checks its form; nothing in it
/// may be believed before `PublicKey.validCertificate` has checked it for its use.
package final class Certificate: Sendable {
    /// Whom it is about.
    package enum Kind: UInt32, Sendable {
        case user = 1
        case host = 2
    }

    /// A critical option or an extension, its data still encoded.
    package struct Option: Hashable, Sendable {
        package let name: String
        package let data: [UInt8]

        package init(name: String, data: [UInt8]) {
            self.name = name
            self.data = data
        }

        /// The `string` inside the data, for options that hold one.
        package func text() throws(KeyError) -> String {
            var reader = WireReader(data.rawBytes)
            let text = try reader.keyText()
            try reader.keyEnd()
            guard !text.utf8.contains(0) else { throw .badCertificate("option") }
            return text
        }
    }

    package let nonce: [UInt8]
    package let serial: UInt64
    package let kind: Kind
    /// Free text of the authority, for logs; what is not UTF-8 in it is replaced.
    package var keyID: String { String(octets: keyIDBytes) }
    /// The same as it was signed, without NUL.
    package let keyIDBytes: [UInt8]
    /// The users or hosts it is for, without NUL. Empty meant any, which OpenSSH 10 does not accept.
    package let principals: [String]
    /// Seconds since 1970; valid from this one on.
    package let validAfter: UInt64
    /// Seconds since 1970; not valid any more from this one on.
    package let validBefore: UInt64
    package let criticalOptions: [Option]
    package let extensions: [Option]
    /// The key of the authority; never a certificate itself.
    package let signatureKey: PublicKey
    /// The signature blob of the authority.
    package let signature: [UInt8]
    /// How the authority has signed; nil when that is unknown here.
    package var signatureAlgorithm: SignatureAlgorithm? {
        let blob = signature
        do {
            let parsed = try Signature(blob: blob.rawBytes)
            return parsed.algorithm
        } catch {
            return nil
        }
    }
    /// What the authority has signed: the certificate up to the signature.
    package let signedBytes: [UInt8]

    /// How many principals a certificate may name.
    package static let maximumPrincipals = 256
    static let maximumOptions = 256

    /// Reads what follows the key's own fields; `whole` is the certificate from its first byte.
    @_lifetime(reader: copy reader)
    init(nonce: [UInt8], from reader: inout WireReader, of whole: RawSpan) throws(KeyError) {
        self.nonce = nonce
        serial = try reader.keyUInt64()
        guard let kind = Kind(rawValue: try reader.keyUInt32()) else {
            throw .badCertificate("type")
        }
        self.kind = kind
        keyIDBytes = try reader.keyBytes()
        guard !keyIDBytes.contains(0) else { throw .badCertificate("key ID") }
        principals = try Self.readPrincipals(reader.keyString())
        validAfter = try reader.keyUInt64()
        validBefore = try reader.keyUInt64()
        criticalOptions = try Self.readOptions(reader.keyString())
        extensions = try Self.readOptions(reader.keyString())
        _ = try reader.keyString()
        let authority = try reader.keyString()
        signedBytes = [UInt8](
            copying: whole.extracting(first: whole.byteCount - reader.remainingBytes)
        )
        signature = try reader.keyBytes()
        var name = WireReader(authority)
        guard let type = KeyType(name: try name.keyText(limit: 256)), !type.isCertificate else {
            throw .badCertificate("signed by a certificate or an unknown key")
        }
        signatureKey = try PublicKey(blob: authority)
    }

    private static func readPrincipals(_ bytes: RawSpan) throws(KeyError) -> [String] {
        var reader = WireReader(bytes)
        var names: [String] = []
        while !reader.isAtEnd {
            guard names.count < maximumPrincipals else { throw .badCertificate("principals") }
            let name = try reader.keyBytes()
            guard !name.contains(0) else { throw .badCertificate("principals") }
            names.append(String(octets: name))
        }
        return names
    }

    private static func readOptions(_ bytes: RawSpan) throws(KeyError) -> [Option] {
        var reader = WireReader(bytes)
        var options: [Option] = []
        while !reader.isAtEnd {
            guard options.count < maximumOptions else { throw .badCertificate("options") }
            let name = try reader.keyText()
            options.append(Option(name: name, data: try reader.keyBytes()))
        }
        return options
    }
}

extension PublicKey {
    /// Checks that the authority named inside this certificate has signed it. Whether that
    /// authority is trusted, and the certificate meant for this use, is the caller's to ask.
    package func verifyCertificate(
        allowing algorithms: [String]? = nil,
        minimumRSABits: Int = PublicKey.minimumRSABits
    ) throws(KeyError) {
        guard let certificate else { throw .badCertificate("not a certificate") }
        let signed = certificate.signedBytes
        try certificate.signatureKey.verify(
            signature: certificate.signature,
            over: signed.rawBytes,
            allowing: algorithms,
            minimumRSABits: minimumRSABits,
            // An authority may be a security key that nobody touches.
            requiringUserPresence: false
        )
    }
}
