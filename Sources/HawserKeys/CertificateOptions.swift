// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a certificate demands and permits, its options decoded (PROTOCOL.certkeys, "Critical
/// options" and "Extensions"). A certificate permits only what it names.
package struct CertificateOptions: Equatable, Sendable {
    /// The command that runs whatever the user asks for.
    package var forcedCommand: String?
    /// Networks that the user may come from; nil: any. Checked beside `from` of authorized_keys.
    package var sourceAddresses: [String]?
    package var requiresUserVerification = false
    package var requiresUserPresence = true
    package var permitsX11Forwarding = false
    package var permitsAgentForwarding = false
    package var permitsPortForwarding = false
    package var permitsTerminal = false
    package var permitsUserRC = false
    /// Extensions that mean nothing here; worth a line in the log.
    package var unknownExtensions: [String] = []

    /// Reads the options of a user certificate. Throws for a critical option that we do not know
    /// or that stands twice, and for one whose data is malformed; unknown extensions are no matter.
    package init(ofUser certificate: Certificate) throws(CertificateRefusal) {
        for option in certificate.criticalOptions { try read(critical: option) }
        for option in certificate.extensions { try read(extension: option) }
    }

    private mutating func read(critical option: Certificate.Option) throws(CertificateRefusal) {
        switch option.name {
        case "force-command":
            guard forcedCommand == nil else { throw .repeatedOption(option.name) }
            forcedCommand = try Self.text(of: option)
        case "source-address":
            guard sourceAddresses == nil else { throw .repeatedOption(option.name) }
            let list = try Self.text(of: option)
            sourceAddresses = list.split(separator: ",").map(String.init)
        case "verify-required":
            try Self.expectEmpty(option)
            requiresUserVerification = true
        default: throw .unsupportedOption(option.name)
        }
    }

    private mutating func read(extension option: Certificate.Option) throws(CertificateRefusal) {
        let field: WritableKeyPath<CertificateOptions, Bool>
        switch option.name {
        case "permit-X11-forwarding": field = \.permitsX11Forwarding
        case "permit-agent-forwarding": field = \.permitsAgentForwarding
        case "permit-port-forwarding": field = \.permitsPortForwarding
        case "permit-pty": field = \.permitsTerminal
        case "permit-user-rc": field = \.permitsUserRC
        case "no-touch-required":
            try Self.expectEmpty(option)
            requiresUserPresence = false
            return
        default:
            unknownExtensions.append(option.name)
            return
        }
        try Self.expectEmpty(option)
        self[keyPath: field] = true
    }

    private static func text(of option: Certificate.Option) throws(CertificateRefusal) -> String {
        do {
            return try option.text()
        } catch {
            throw .malformedOption(option.name)
        }
    }

    private static func expectEmpty(_ option: Certificate.Option) throws(CertificateRefusal) {
        if !option.data.isEmpty { throw .malformedOption(option.name) }
    }
}

extension AuthorizedKeyOptions {
    /// Of a certificate that no line stands beside: it alone says whether a touch is needed.
    package static var ofCertificateAlone: AuthorizedKeyOptions {
        var options = AuthorizedKeyOptions()
        options.requiresUserPresence = false
        return options
    }

    /// What is left of these options (of the line that names the authority; nothing but defaults
    /// for `TrustedUserCAKeys`) when a certificate has its say too. What either forbids is
    /// forbidden, what either demands is demanded.
    ///
    /// Throws when both force a command and not the same one.
    package func limited(
        by certificate: CertificateOptions
    ) throws(CertificateRefusal) -> AuthorizedKeyOptions {
        var result = self
        result.permitsX11Forwarding = permitsX11Forwarding && certificate.permitsX11Forwarding
        result.permitsAgentForwarding =
            permitsAgentForwarding && certificate.permitsAgentForwarding
        result.permitsPortForwarding = permitsPortForwarding && certificate.permitsPortForwarding
        result.permitsTerminal = permitsTerminal && certificate.permitsTerminal
        result.permitsUserRC = permitsUserRC && certificate.permitsUserRC
        result.requiresUserPresence = requiresUserPresence || certificate.requiresUserPresence
        result.requiresUserVerification =
            requiresUserVerification || certificate.requiresUserVerification
        if let forced = certificate.forcedCommand {
            if let command, command != forced { throw .conflictingCommands }
            result.command = forced
        }
        result.certificateSourceAddresses = certificate.sourceAddresses
        return result
    }
}
