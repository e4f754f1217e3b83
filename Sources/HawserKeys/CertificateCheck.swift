// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Why a certificate does not let its holder in. The descriptions are the words that users and
/// scripts know from OpenSSH.
package enum CertificateRefusal: Error, Equatable, Sendable {
    case notACertificate
    /// It is of the other kind; this is the one that was wanted.
    case notOfKind(Certificate.Kind)
    case notYetValid
    case expired
    /// It names nobody, which OpenSSH 10 no longer takes for everybody.
    case noPrincipals
    /// It names others.
    case nameNotListed
    /// Its signature does not verify or is of a kind that is not allowed.
    case signature(KeyError)
    case unsupportedOption(String)
    case malformedOption(String)
    case repeatedOption(String)
    /// The certificate and the line of its authority force different commands.
    case conflictingCommands
}

extension CertificateRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notACertificate: "Certificate invalid: not a certificate"
        case .notOfKind(.host): "Certificate invalid: not a host certificate"
        case .notOfKind(.user): "Certificate invalid: not a user certificate"
        case .notYetValid: "Certificate invalid: not yet valid"
        case .expired: "Certificate invalid: expired"
        case .noPrincipals: "Certificate lacks principal list"
        case .nameNotListed: "Certificate invalid: name is not a listed principal"
        case .signature(let error): "Certificate invalid: \(error)"
        case .unsupportedOption(let name):
            "Certificate critical option \"\(name)\" is not supported"
        case .malformedOption(let name): "Certificate option \"\(name)\" corrupt"
        case .repeatedOption(let name): "Certificate has multiple \(name) options"
        case .conflictingCommands: "forced command options do not match"
        }
    }
}

/// A certificate that has passed every check for one use. Only `PublicKey.validCertificate` makes
/// one. What remains for the caller: that the authority is trusted for this use, that neither
/// key is revoked, and (for users) the `options`.
package struct ValidCertificate: Sendable {
    /// The certificate with the key inside it.
    package let key: PublicKey
    package let certificate: Certificate
    /// Decoded for users; for hosts there are none.
    package let options: CertificateOptions?

    fileprivate init(_ key: PublicKey, _ certificate: Certificate, _ options: CertificateOptions?) {
        self.key = key
        self.certificate = certificate
        self.options = options
    }

    /// The key that vouches for it.
    package var authority: PublicKey { certificate.signatureKey }
}

extension PublicKey {
    /// Checks this certificate for a login or a host, in OpenSSH's order: kind, validity, names,
    /// critical options, and the authority's signature.
    ///
    /// - Parameters:
    ///   - kind: whom it must be about.
    ///   - names: one of these must be among its principals: the user's name, or what
    ///     `AuthorizedPrincipalsFile` or `principals=` lists for them, or the host's name. A
    ///     principal of a host certificate may be a pattern. nil: the caller has matched the
    ///     names itself; a certificate without principals is refused all the same.
    ///   - time: seconds since 1970.
    ///   - algorithms: the signature algorithms that authorities may use
    ///     (`CASignatureAlgorithms`), as names; nil for all but RSA with SHA-1.
    ///   - minimumRSABits: shorter RSA keys are refused, of the holder and of the authority.
    package func validCertificate(
        of kind: Certificate.Kind,
        for names: [String]?,
        at time: UInt64,
        allowing algorithms: [String]? = nil,
        minimumRSABits: Int = PublicKey.minimumRSABits
    ) throws(CertificateRefusal) -> ValidCertificate {
        guard let certificate else { throw .notACertificate }
        guard certificate.kind == kind else { throw .notOfKind(kind) }
        guard time >= certificate.validAfter else { throw .notYetValid }
        guard time < certificate.validBefore else { throw .expired }
        guard !certificate.principals.isEmpty else { throw .noPrincipals }
        if let names {
            guard names.contains(where: { certificate.names($0) }) else { throw .nameNotListed }
        }
        var options: CertificateOptions?
        switch kind {
        case .user: options = try CertificateOptions(ofUser: certificate)
        case .host:
            // No critical option is defined for hosts, so there is none that we know.
            if let option = certificate.criticalOptions.first {
                throw .unsupportedOption(option.name)
            }
        }
        do throws(KeyError) {
            if case .rsa = material, bits < minimumRSABits {
                throw .invalidKeyLength(bits: bits)
            }
            try verifyCertificate(allowing: algorithms, minimumRSABits: minimumRSABits)
        } catch {
            throw .signature(error)
        }
        return ValidCertificate(self, certificate, options)
    }
}

extension Certificate {
    /// Whether one of the principals is `name`; those of hosts may be patterns and ignore case.
    package func names(_ name: String) -> Bool {
        switch kind {
        case .user: principals.contains { $0.hasSameOctets(as: name) }
        case .host:
            principals.contains { Pattern.matches($0.asciiLowercased, name.asciiLowercased) }
        }
    }
}
