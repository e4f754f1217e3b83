// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserCrypto
internal import HawserKeys
internal import HawserWire

/// What the words of `-O` say about a key in a FIDO token.
private struct EnrollmentWords {
    var flags = SecurityKey.Flag.userPresence
    var application = SecurityKey.defaultApplication
    var user: String?
    var device: String?
    var challenge: [UInt8]?
    var attestationFile: String?

    init(_ words: [String]) {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1]) : ""
            switch (parts.first?.lowercased() ?? "", parts.count > 1) {
            case ("no-touch-required", false): flags &= ~SecurityKey.Flag.userPresence
            case ("verify-required", false): flags |= SecurityKey.Flag.userVerification
            case ("resident", false): flags |= SecurityKey.Flag.residentKey
            case ("device", true): device = value
            case ("user", true): user = value
            case ("application", true):
                guard value.hasPrefix("ssh:") else {
                    fatal("FIDO application string must begin with \"ssh:\"")
                }
                application = value
            case ("challenge", true):
                guard let bytes = World.read(value) else {
                    let problem = World.problem(reading: value) ?? "unreadable"
                    fatal("Unable to load FIDO enrollment challenge \"\(value)\": \(problem)")
                }
                challenge = bytes
            case ("write-attestation", true): attestationFile = value
            default:
                fatal("Option \"\(word)\" is unsupported for FIDO authenticator enrollment")
            }
        }
    }
}

/// The algorithm of a new key in a FIDO token; nil when `-t` names a key of another kind.
func tokenAlgorithm(_ arguments: Arguments) -> SecurityKey.Algorithm? {
    guard let name = arguments.typeName, let word = typeWord(name) else { return nil }
    switch word {
    case "ed25519-sk": return .ed25519
    case "ecdsa-sk": return .ecdsa
    default: return nil
    }
}

/// Makes a new key in a token, asking for a PIN when it wants one.
func enrollKey(
    _ algorithm: SecurityKey.Algorithm,
    comment: [UInt8],
    _ arguments: Arguments
) -> PrivateKey {
    let words = EnrollmentWords(arguments.options)
    let helper = SecurityKeyHelper(
        provider: World.securityKeyProvider(arguments),
        device: words.device
    )
    let wanted = SecurityKeyRequest.Enrollment(
        algorithm: algorithm,
        application: words.application,
        flags: words.flags,
        challenge: words.challenge ?? SystemRandom().bytes(32),
        user: words.user
    )
    var pin: SecretBytes?
    for attempt in 0..<4 {
        if !arguments.isQuiet {
            let again = pin == nil ? "" : " (again)"
            World.print(
                "You may need to touch your authenticator\(again) to authorize key generation."
            )
        }
        do {
            let enrolled = try helper.enroll(wanted, pin: pin)
            writeAttestation(enrolled, words.attestationFile, arguments)
            return enrolled.key.commented(comment)
        } catch {
            guard error == .pinRequired, attempt < 3 else {
                fatal("Key enrollment failed: \(error)")
            }
            pin = World.readPassphrase("Enter PIN for authenticator: ")
        }
    }
    fatal("Too many incorrect PINs")
}

/// `-O write-attestation`: PROTOCOL.u2f, "ssh-sk-attest".
private func writeAttestation(
    _ enrolled: SecurityKeyReply.Enrolled,
    _ path: String?,
    _ arguments: Arguments
) {
    guard let path else { return }
    var writer = WireWriter()
    writer.write(text: "ssh-sk-attest-v01")
    writer.write(string: enrolled.attestationCertificate)
    writer.write(string: enrolled.signature)
    writer.write(string: enrolled.authenticatorData)
    writer.write(uint32: 0)
    writer.write(string: [])
    if let problem = World.replace(path, with: writer.take(), mode: 0o600) {
        World.error("Unable to write attestation data \"\(path)\": \(problem)")
    } else if !arguments.isQuiet {
        World.print("Your FIDO attestation certificate has been saved in \(path)")
    }
}

extension PrivateKey {
    /// As `sign(_:algorithm:)`, by the token of a security key, which may want to be touched.
    func sign(
        _ message: [UInt8],
        algorithm: String?,
        _ arguments: Arguments
    ) throws(KeyError) -> [UInt8] {
        let shown = "\(type.plain.shortName) \(publicKey.fingerprint())"
        return try sign(
            message,
            algorithm: algorithm,
            provider: World.securityKeyProvider(arguments),
            announceTouch: { World.error("Confirm user presence for key \(shown)") },
            askPIN: { World.readPassphrase("Enter PIN for \(shown): ") }
        )
    }
}

/// `-K`: the keys that a token keeps, each into files of its own.
func downloadResidentKeys(_ arguments: Arguments) -> Int32 {
    let pin = World.readPassphrase("Enter PIN for authenticator: ")
    if !arguments.isQuiet {
        World.print("You may need to touch your authenticator to authorize key download.")
    }
    let helper = SecurityKeyHelper(provider: World.securityKeyProvider(arguments))
    let found: [SecurityKeyReply.Resident]
    do {
        found = try helper.residentKeys(pin: pin.isEmpty ? nil : pin)
    } catch {
        fatal("Unable to load resident keys: \(error)")
    }
    if found.isEmpty { World.print("No keys to download") }
    for entry in found {
        guard let parts = entry.key.tokenParts else { continue }
        let application = String(decoding: parts.application, as: UTF8.self)
        var path = "id_" + entry.key.type.word.replacingDashes() + "_rk"
        let suffix = application.dropFirst(SecurityKey.defaultApplication.count)
        if !suffix.isEmpty { path += "_" + String(suffix).safeForFiles() }
        if entry.user.contains(where: { $0 != 0 }) {
            let text = String(decoding: entry.user.prefix { $0 != 0 }, as: UTF8.self)
            path += "_" + text.safeForFiles()
        }
        guard mayWrite(path) else { return 1 }
        let key = entry.key.commented(parts.application)
        let passphrase =
            arguments.newPassphrase.map { SecretBytes(Array($0.utf8)) }
            ?? readNewPassphrase("Enter passphrase for \"\(path)\" (empty for no passphrase): ")
        if let problem = savePrivateKey(key, to: path, passphrase: passphrase, arguments) {
            World.error("Saving key \"\(path)\" failed: \(problem)")
            return 1
        }
        let comment = key.commentBytes
        if let problem = savePublicKey(key.publicKey, comment: comment, to: path + ".pub") {
            World.error("Unable to save public key to \(path).pub: \(problem)")
            return 1
        }
        if !arguments.isQuiet {
            let user = application.isEmpty ? "" : " " + printable(application)
            World.print("Saved \(key.type.shortName) key\(user) to \(path)")
        }
    }
    return 0
}

extension String {
    fileprivate func replacingDashes() -> String { String(map { $0 == "-" ? "_" : $0 }) }

    /// Letters, digits and a few signs; whatever else a token says becomes `_`.
    fileprivate func safeForFiles() -> String {
        String(map { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.@".contains($0)) ? $0 : "_" })
    }
}
