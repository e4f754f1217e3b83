// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserKeys
internal import HawserLog
internal import HawserTool
internal import HawserWire

/// What the words of `-O` say about a key in a FIDO token.
struct EnrollmentWords {
    var flags = SecurityKey.Flag.userPresence
    var application = SecurityKey.defaultApplication
    var user = ""
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
    _ words: EnrollmentWords,
    comment: [UInt8],
    _ arguments: Arguments
) -> (key: PrivateKey, attestation: [UInt8]) {
    let helper = SecurityKeyHelper(
        provider: World.securityKeyProvider(arguments),
        device: words.device,
        log: arguments.log
    )
    var wanted = SecurityKeyRequest.Enrollment(
        algorithm: algorithm,
        application: words.application,
        flags: words.flags,
        challenge: words.challenge ?? [],
        user: words.user
    )
    var isFirst = true
    var hasPIN = false
    var pin: SecretBytes?
    var attempts = 0
    while attempts < 3 {
        if !arguments.isQuiet {
            let again = isFirst ? "" : " again"
            World.print(
                "You may need to touch your authenticator\(again) to authorize key generation."
            )
        }
        isFirst = false
        do {
            let enrolled = try helper.enroll(wanted, pin: pin)
            return (enrolled.key.commented(comment), enrolled.attestation)
        } catch .credentialExists where mayReplace(wanted) {
            wanted.flags |= SecurityKey.Flag.forceOperation
        } catch .pinRequired {
            if hasPIN { World.error("PIN incorrect") }
            attempts += 1
            guard attempts < 3 else { break }
            let answer = World.readPassphrase("Enter PIN for authenticator: ")
            pin = answer.isEmpty ? nil : answer
            hasPIN = true
        } catch {
            fatal("Key enrollment failed: \(error)")
        }
    }
    fatal("Too many incorrect PINs")
}

/// Asks before a resident key is replaced by one of the same application and user.
private func mayReplace(_ wanted: SecurityKeyRequest.Enrollment) -> Bool {
    guard wanted.flags & SecurityKey.Flag.residentKey != 0,
        wanted.flags & SecurityKey.Flag.forceOperation == 0
    else { return false }
    let user = wanted.user.isEmpty ? "null" : wanted.user
    World.print(
        "A resident key scoped to '\(wanted.application)' with user id '\(user)' already exists."
    )
    return isAgreed("Overwrite key in token (y/n)? ")
}

/// `-O write-attestation`: PROTOCOL.u2f, "ssh-sk-attest-v01".
func writeAttestation(_ attestation: [UInt8], _ words: EnrollmentWords, _ arguments: Arguments) {
    guard let path = words.attestationFile else { return }
    if let problem = World.replace(path, with: attestation, mode: 0o600) {
        fatal("Unable to write attestation data \"\(path)\": \(problem)")
    } else if !arguments.isQuiet {
        World.print("Your FIDO attestation certificate has been saved in \(path)")
    }
}

/// How a person is told that a token waits to be touched.
enum TouchNotice {
    /// A line on the standard error output.
    case line
    /// As `line`, or by the program of SSH_ASKPASS where there is one.
    case program
}

extension PrivateKey {
    /// As `sign(_:algorithm:)`, by the token of a security key, which may want to be touched.
    /// `name` is what a question for its PIN calls it, its type by default.
    func sign(
        _ message: [UInt8],
        algorithm: String?,
        name: String? = nil,
        notice: TouchNotice = .line,
        _ arguments: Arguments
    ) throws(KeyError) -> [UInt8] {
        let kind = type.plain.shortName
        let text = "Confirm user presence for key \(kind) \(publicKey.fingerprint())"
        var shown: Prompts.Notice?
        defer { shown?.end() }
        return try sign(
            message,
            algorithm: algorithm,
            provider: World.securityKeyProvider(arguments),
            log: arguments.log,
            announceTouch: {
                if notice == .program { shown = Prompts.Notice(text) }
                if shown == nil { World.error(text) }
            },
            askPIN: { World.readPassphrase("Enter PIN for \(name ?? kind) key: ") }
        )
    }
}

/// `-K`: the keys that a token keeps, each into files of its own.
func downloadResidentKeys(_ arguments: Arguments) -> Int32 {
    let pin = World.readPassphrase("Enter PIN for authenticator: ")
    if !arguments.isQuiet {
        World.print("You may need to touch your authenticator to authorize key download.")
    }
    let helper = SecurityKeyHelper(
        provider: World.securityKeyProvider(arguments),
        log: arguments.log
    )
    let found: [SecurityKeyReply.Resident]
    do {
        found = try helper.residentKeys(pin: pin.isEmpty ? nil : pin)
    } catch {
        fatal("Unable to load resident keys: \(error)")
    }
    if found.isEmpty { World.error("No keys to download") }
    for entry in found {
        guard save(entry, arguments) else { return 255 }
    }
    return 0
}

private func save(_ entry: SecurityKeyReply.Resident, _ arguments: Arguments) -> Bool {
    guard let parts = entry.key.tokenParts else { return true }
    let application = String(octets: parts.application)
    // What a token says becomes part of a name, and never of a path.
    var suffix = ""
    if application != SecurityKey.defaultApplication, application.hasPrefix("ssh:") {
        suffix = "_" + String(application.dropFirst(4)).safeForFiles()
    }
    if entry.user.contains(where: { $0 != 0 }) {
        let text = String(octets: entry.user.prefix { $0 != 0 })
        suffix += "_" + text.safeForFiles()
    }
    let path = "id_\(entry.key.type.word.replacingDashes())_rk\(suffix)"
    arguments.log.debug(
        "\(entry.key.type.shortName) \(entry.key.publicKey.fingerprint()) \(printable(application))"
    )
    guard mayWrite(path) else { return false }
    let key = entry.key.commented(parts.application)
    let passphrase = newPassphrase(path, arguments)
    if let problem = savePrivateKey(key, to: path, passphrase: passphrase, arguments) {
        World.error("Saving key \"\(path)\" failed: \(problem)")
        return false
    }
    if let problem = savePublicKey(key.publicKey, comment: key.commentBytes, to: path + ".pub") {
        World.error("Unable to save public key to \(path).pub: \(problem)")
        return false
    }
    if !arguments.isQuiet {
        let shown = suffix.isEmpty ? "" : " " + printable(application)
        World.print("Saved \(key.type.shortName) key\(shown) to \(path)")
    }
    return true
}

extension String {
    fileprivate func replacingDashes() -> String { String(map { $0 == "-" ? "_" : $0 }) }

    /// Letters, digits and a few signs; whatever else a token says becomes `_`.
    fileprivate func safeForFiles() -> String {
        String(map { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.@".contains($0)) ? $0 : "_" })
    }
}
