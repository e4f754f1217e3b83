// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserWire

/// What an authority is to say about a key, before it has signed it (PROTOCOL.certkeys, "New
/// public key formats").
package struct CertificateRequest: Sendable {
    /// The key that is certified.
    package var key: PublicKey
    package var serial: UInt64 = 0
    package var kind: Certificate.Kind
    /// This, principals and options may hold bytes that are not UTF-8 (`String(octets:)`).
    package var keyID: String
    package var principals: [String] = []
    /// Seconds since 1970.
    package var validAfter: UInt64 = 0
    /// Seconds since 1970; `.max` for ever.
    package var validBefore: UInt64 = .max
    package var criticalOptions: [Certificate.Option] = []
    package var extensions: [Certificate.Option] = []

    package init(_ kind: Certificate.Kind, _ key: PublicKey, keyID: String) {
        self.kind = kind
        self.key = key
        self.keyID = keyID
    }

    /// The certificate, signed by a key that we hold.
    ///
    /// - Parameter algorithm: the signature algorithm; nil for the preferred one of the key.
    package func signed(
        by authority: PrivateKey,
        algorithm: String? = nil,
        random: any RandomSource
    ) throws(KeyError) -> PublicKey {
        let bytes = try bytesToSign(authority: authority.publicKey, nonce: random.bytes(32))
        return try Self.certificate(bytes, authority.sign(bytes.rawBytes, algorithm: algorithm))
    }

    /// The certificate up to its signature: what an authority elsewhere, such as in an agent, signs.
    ///
    /// - Parameter nonce: 32 random bytes, so that nobody can foresee what is signed.
    package func bytesToSign(authority: PublicKey, nonce: [UInt8]) throws(KeyError) -> [UInt8] {
        guard !key.type.isCertificate else { throw .badCertificate("a certificate already") }
        guard !authority.type.isCertificate else { throw .badCertificate("authority") }
        guard principals.count <= Certificate.maximumPrincipals else {
            throw .badCertificate("principals")
        }
        var writer = WireWriter(reserving: 1024)
        writer.write(text: key.type.certificate.name)
        writer.write(string: nonce)
        key.material.write(to: &writer)
        writer.write(uint64: serial)
        writer.write(uint32: kind.rawValue)
        writer.write(text: keyID)
        writer.writeString { list in
            for principal in principals { list.write(text: principal) }
        }
        writer.write(uint64: validAfter)
        writer.write(uint64: validBefore)
        Self.write(criticalOptions, to: &writer)
        Self.write(extensions, to: &writer)
        writer.write(text: "")
        writer.write(string: authority.blob)
        return writer.take()
    }

    /// The certificate from what was signed and the signature; throws unless they fit.
    package static func certificate(
        _ signedBytes: [UInt8],
        _ signature: [UInt8]
    ) throws(KeyError) -> PublicKey {
        var writer = WireWriter(reserving: signedBytes.count + signature.count + 4)
        writer.write(fixed: signedBytes)
        writer.write(string: signature)
        let key = try PublicKey(blob: writer.bytes)
        // An authority may still sign with RSA and SHA-1 if told to.
        try key.verifyCertificate(allowing: SignatureAlgorithm.allCases.map(\.name))
        return key
    }

    /// In the order of their names, as the format demands.
    private static func write(_ options: [Certificate.Option], to writer: inout WireWriter) {
        let sorted = options.sorted {
            $0.name.octets.lexicographicallyPrecedes($1.name.octets)
        }
        writer.writeString { list in
            for option in sorted {
                list.write(text: option.name)
                list.write(string: option.data)
            }
        }
    }
}

extension Certificate.Option {
    /// An option without a value.
    package static func flag(_ name: String) -> Certificate.Option {
        Certificate.Option(name: name, data: [])
    }

    /// An option whose value is one `string`.
    package static func text(_ name: String, _ value: String) -> Certificate.Option {
        var writer = WireWriter()
        writer.write(text: value)
        return Certificate.Option(name: name, data: writer.take())
    }

    /// What users may do unless their authority says otherwise.
    package static let usualExtensions = [
        "permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding",
        "permit-pty", "permit-user-rc",
    ]
}
