// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// `-s`: certificates for the keys in files, each put beside its key.
func certify(_ arguments: Arguments) -> Int32 {
    let options = CertificateOptionWords(
        arguments.options,
        permitting: arguments.certifiesHost ? [] : Certificate.Option.usualExtensions
    )
    let validity = arguments.validity.map { Validity($0, now: World.now) } ?? Validity()
    let authority = Authority(arguments)
    var serial = arguments.serial
    for file in arguments.files {
        let key = readPublicKeyFile(file)
        guard !key.key.type.isCertificate else {
            fatal("do_ca_sign: key \"\(file)\" type \(key.key.type.shortName) cannot be certified")
        }
        var request = CertificateRequest(
            arguments.certifiesHost ? .host : .user,
            key.key,
            keyID: arguments.identity ?? ""
        )
        request.serial = serial
        request.principals = principals(arguments)
        request.validAfter = validity.after
        request.validBefore = validity.before
        request.criticalOptions = options.critical
        request.extensions = options.extensions
        for option in options.critical + options.extensions {
            arguments.log.debug3(printable("prepare_options_buf: \(shown(option))"))
        }
        let certificate = authority.sign(request, file: file)
        save(certificate, comment: key.comment, file, request, validity, arguments)
        if arguments.incrementsSerial { serial &+= 1 }
    }
    return 0
}

/// An option as a word: its name, and its value if it has one.
private func shown(_ option: Certificate.Option) -> String {
    (try? option.text()).map { "\(option.name)=\($0)" } ?? option.name
}

private func principals(_ arguments: Arguments) -> [String] {
    guard let list = arguments.principals else { return [] }
    let names = list.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        .map { String(Substring($0)) }
    if names.contains("") { fatal("Empty principal name") }
    if names.count > Certificate.maximumPrincipals {
        fatal("Too many certificate principals specified")
    }
    return names
}

private func save(
    _ certificate: PublicKey,
    comment: [UInt8],
    _ file: String,
    _ request: CertificateRequest,
    _ validity: Validity,
    _ arguments: Arguments
) {
    let output = (file.hasSuffix(".pub") ? String(file.dropLast(4)) : file) + "-cert.pub"
    if let problem = savePublicKey(certificate, comment: comment, to: output) {
        fatal("Unable to save public key to \(output): \(problem)")
    }
    guard !arguments.isQuiet else { return }
    let names = request.principals
    World.error(
        "Signed \(arguments.certifiesHost ? "host" : "user") key \(output): "
            + "id \"\(printable(request.keyID))\" serial \(request.serial)"
            + (names.isEmpty ? "" : " for \(printable(names.joined(separator: ",")))")
            + " valid \(validity.text)"
    )
}

/// Who signs: a private key of a file, or one of the agent's.
private struct Authority {
    private enum Signer {
        case key(PrivateKey)
        case agent(AgentKeys)
        case token(TokenKeys)
    }

    private let arguments: Arguments
    private let signer: Signer
    private let publicKey: PublicKey
    private let algorithm: String?

    init(_ arguments: Arguments) {
        let path = arguments.signer ?? ""
        self.arguments = arguments
        if let library = arguments.tokenLibrary {
            let tokens = TokenKeys(library: library)
            let wanted = readPublicKeyFile(path).key.plain
            publicKey = wanted
            guard tokens.keys.contains(where: { $0.key == wanted }) else {
                fatal("No PKCS#11 key matching \(path) found")
            }
            signer = .token(tokens)
        } else if arguments.usesAgent {
            publicKey = readPublicKeyFile(path).key.plain
            signer = .agent(AgentKeys.holding(publicKey, path: path))
        } else {
            let key = loadPrivateKey(path, arguments) { "Load key \"\(path)\": \($0)" }.key
            publicKey = key.publicKey
            signer = .key(key)
        }
        algorithm = arguments.typeName
        if let name = arguments.typeName {
            let isOurs = publicKey.type.signatureAlgorithms.contains { $0.name == name }
            if !isOurs || publicKey.type.isSecurityKey {
                fatal("CA key type \(publicKey.type.name) doesn't match specified \(name)")
            }
        }
    }

    func sign(_ request: CertificateRequest, file: String) -> PublicKey {
        do {
            let random = SystemRandom()
            let bytes = try request.bytesToSign(
                authority: publicKey,
                nonce: random.bytes(32)
            )
            let signature: [UInt8]
            switch signer {
            case .key(let key):
                signature = try key.sign(
                    bytes,
                    algorithm: algorithm,
                    name: "CA",
                    notice: .program,
                    arguments
                )
            case .token(let tokens):
                signature = try tokens.sign(bytes, with: publicKey, algorithm: algorithm)
            case .agent(let agent):
                signature = try agent.sign(bytes, with: publicKey, algorithm: algorithm)
            }
            return try CertificateRequest.certificate(bytes, signature)
        } catch {
            fatal("Couldn't certify key \(file) via CA key: \(error)")
        }
    }
}

/// What the words of `-O` put into a certificate.
private struct CertificateOptionWords {
    private var permissions: Set<String>
    private var criticals: [Certificate.Option] = []
    /// Extensions that the user has named in full.
    private var extras: [Certificate.Option] = []
    private var requiresVerification = false

    var critical: [Certificate.Option] {
        criticals + (requiresVerification ? [.flag("verify-required")] : [])
    }

    var extensions: [Certificate.Option] { permissions.sorted().map { .flag($0) } + extras }

    /// The words change what is permitted without them.
    init(_ words: [String], permitting usual: [String]) {
        permissions = Set(usual)
        for word in words { read(word) }
    }

    /// One option, in any case.
    private mutating func read(_ word: String) {
        switch word.asciiLowercased {
        case "clear": permissions = []
        case "permit-x11-forwarding": permissions.insert("permit-X11-forwarding")
        case "no-x11-forwarding": permissions.remove("permit-X11-forwarding")
        case "permit-agent-forwarding": permissions.insert("permit-agent-forwarding")
        case "no-agent-forwarding": permissions.remove("permit-agent-forwarding")
        case "permit-port-forwarding": permissions.insert("permit-port-forwarding")
        case "no-port-forwarding": permissions.remove("permit-port-forwarding")
        case "permit-pty": permissions.insert("permit-pty")
        case "no-pty": permissions.remove("permit-pty")
        case "permit-user-rc": permissions.insert("permit-user-rc")
        case "no-user-rc": permissions.remove("permit-user-rc")
        case "touch-required": permissions.remove("no-touch-required")
        case "no-touch-required": permissions.insert("no-touch-required")
        case "verify-required": requiresVerification = true
        case "no-verify-required": requiresVerification = false
        default: readValue(word)
        }
    }

    private mutating func readValue(_ word: String) {
        if let command = value(of: "force-command=", in: word) {
            if command.isEmpty { fatal("Empty force-command option") }
            add("force-command", command)
        } else if let list = value(of: "source-address=", in: word) {
            if list.isEmpty { fatal("Empty source-address option") }
            checkAddresses(list)
            add("source-address", list)
        } else if let rest = value(of: "extension:", in: word) {
            extras.append(custom(rest))
        } else if let rest = value(of: "critical:", in: word) {
            criticals.append(custom(rest))
        } else {
            fatal("Unsupported certificate option \"\(word)\"")
        }
    }

    private func value(of prefix: String, in word: String) -> String? {
        guard word.asciiLowercased.hasPrefix(prefix) else { return nil }
        return String(decoding: word.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    private mutating func add(_ name: String, _ value: String) {
        if criticals.contains(where: { $0.name == name }) { fatal("\(name) already specified") }
        criticals.append(.text(name, value))
    }

    /// `name` or `name=contents`.
    private func custom(_ text: String) -> Certificate.Option {
        guard let equals = text.firstIndex(of: "=") else { return .flag(text) }
        return .text(String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    private func checkAddresses(_ list: String) {
        for entry in list.split(separator: ",", omittingEmptySubsequences: false) {
            let entry = String(entry)
            let address = entry.prefix { $0 != "/" }
            let isClean = entry.utf8.allSatisfy {
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                    || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20
                    || "/.:".utf8.contains($0)
            }
            if !isClean {
                World.error(
                    "addr_match_cidr_list: list entry \"\(entry)\" contains invalid characters"
                )
            }
            if !isClean || NumericAddress.bytes(of: String(address)) == nil
                || entry.hasSuffix("/")
            {
                World.error("Invalid network entry \"\(entry)\"")
            } else if NumericAddress.isInconsistent(entry) {
                World.error("Inconsistent mask length for network \"\(entry)\"")
            } else {
                continue
            }
            fatal("Invalid source-address list")
        }
    }
}
