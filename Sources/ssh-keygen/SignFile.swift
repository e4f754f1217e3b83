// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// `-Y`: signatures over files, and who made them.
func handleSignatures(_ arguments: Arguments) -> Int32 {
    let operation = arguments.signatureOperation ?? ""
    /// Leaves when an operand is missing, in OpenSSH's words.
    func need(_ value: String?, _ words: String) -> String {
        guard let value, !value.isEmpty else {
            World.error("Too few arguments for \(words)")
            World.exit(1)
        }
        return value
    }
    let file = arguments.file
    // What an operation is called is read as its beginning is; and so are these in OpenSSH.
    switch operation {
    case "find-principals":
        let signature = need(arguments.signer, "find-principals:missing signature file")
        let signers = need(file, "find-principals:missing allowed keys file")
        return findPrincipals(signature: signature, signers: signers, arguments)
    case "match-principals":
        let signers = need(file, "match-principals:missing allowed keys file")
        let identity = need(arguments.identity, "match-principals: missing principal ID")
        return matchPrincipals(identity: identity, signers: signers, arguments)
    case "sign":
        let namespace = need(arguments.principals, "sign: missing namespace")
        return signFiles(with: need(file, "sign: missing key"), namespace: namespace, arguments)
    case "check-novalidate":
        let namespace = need(arguments.principals, "check-novalidate: missing namespace")
        let signature = need(arguments.signer, "check-novalidate: missing signature file")
        return verify(signature: signature, namespace: namespace, signers: nil, arguments)
    case "verify":
        let namespace = need(arguments.principals, "verify: missing namespace")
        let signature = need(arguments.signer, "verify: missing signature file")
        let signers = need(file, "sign: missing allowed keys file")
        let identity = need(arguments.identity, "verify: missing principal identity")
        return verify(
            signature: signature,
            namespace: namespace,
            signers: (signers, identity),
            arguments
        )
    default: fatal("Unsupported operation for -Y: \"\(operation)\"", usage: true)
    }
}

/// The words of `-O` for signatures.
private struct SignatureOptions {
    var hash = "sha512"
    var time: UInt64?
    var printsKey = false

    /// nil, after a message, when one makes no sense.
    init?(_ words: [String], forSigning isSigning: Bool) {
        for word in words {
            let lower = word.asciiLowercased
            if isSigning, lower.hasPrefix("hashalg=") {
                hash = String(word.dropFirst("hashalg=".count))
            } else if !isSigning, lower.hasPrefix("verify-time=") {
                let date = TimeSpecification(word.dropFirst("verify-time=".count))
                guard let seconds = date.flatMap({ World.seconds($0) }) else {
                    World.error("Invalid \"verify-time\" option")
                    return nil
                }
                time = seconds
            } else if !isSigning, lower == "print-pubkey" {
                printsKey = true
            } else {
                World.error("Invalid option \"\(word)\"")
                return nil
            }
        }
    }
}

// MARK: Signing

private func signFiles(
    with path: String,
    namespace: String,
    _ arguments: Arguments
) -> Int32 {
    guard let options = SignatureOptions(arguments.options, forSigning: true) else { return 255 }
    let signer = FileSigner(path, arguments)
    let files = arguments.files
    if files.isEmpty || files == ["-"] {
        if !arguments.isQuiet { World.writeError("Signing data on standard input\n") }
        return signer.sign(nil, namespace, options.hash, arguments) ? 0 : 255
    }
    // Nothing is signed of a list that cannot be signed whole.
    if files.contains("-") { fatal("Cannot sign mix of paths and standard input") }
    for file in files {
        if let problem = World.problem(reading: file), problem != "Is a directory" {
            fatal("Cannot open \(file) for signing: \(problem)")
        }
        if !arguments.isQuiet { World.writeError("Signing file \(file)\n") }
        guard signer.sign(file, namespace, options.hash, arguments) else { return 255 }
    }
    return 0
}

/// A key that signs files: of a private key file, or of the agent.
private struct FileSigner {
    private enum Holder {
        case key(PrivateKey)
        case agent(AgentKeys)
    }

    /// What the signature shows: the key, or a certificate of it.
    private let publicKey: PublicKey
    private let holder: Holder

    init(_ path: String, _ arguments: Arguments) {
        if let problem = World.problem(reading: path), !World.exists(path + ".pub") {
            fatal("Couldn't load public key \(path): \(problem)")
        }
        publicKey = Self.readPublicKey(path)
        let agent = try? AgentKeys()
        if agent == nil, arguments.usesAgent { fatal("Couldn't get agent socket") }
        if agent == nil { arguments.log.debug("Couldn't get agent socket: agent not present") }
        let plain = publicKey.plain
        let keys = publicKey
        if let agent, let held = try? agent.keys(), held.contains(plain) || held.contains(keys) {
            holder = .agent(agent)
            return
        }
        if arguments.usesAgent { fatal("Couldn't find key in agent") }
        let file = Self.privatePath(path)
        if file != path {
            arguments.log.debug(
                "load_sign_key: \(path) looks like a public key, using private key path "
                    + "\(file) instead"
            )
        }
        guard World.exists(file) else {
            fatal("No private key found for public key \"\(path)\"")
        }
        let key = loadPrivateKey(file, arguments) { "Load key \"\(file)\": \($0)" }.key
        guard key.publicKey.plain == plain else {
            fatal("Public key \(path) doesn't match private \(file)")
        }
        holder = .key(key)
    }

    private static func readPublicKey(_ path: String) -> PublicKey {
        if let contents = World.read(path) {
            if let found = firstKey(in: contents) { return found.key }
            if let key = try? PrivateKeyFile.publicKey(in: contents) { return key }
            if let key = try? PrivateKeyFile.parse(contents) { return key.publicKey }
        }
        if let beside = World.read(path + ".pub").flatMap({ firstKey(in: $0) }) {
            return beside.key
        }
        // What is told is the last that was tried.
        let problem = World.problem(reading: path + ".pub") ?? "invalid format"
        fatal("Couldn't load public key \(path): \(problem)")
    }

    /// The private key file that belongs to a public key file.
    private static func privatePath(_ path: String) -> String {
        for suffix in ["-cert.pub", ".pub"] where path.hasSuffix(suffix) {
            return String(path.dropLast(suffix.count))
        }
        return path
    }

    /// Signs a file, whose signature goes beside it, or standard input; whether that went well.
    func sign(
        _ file: String?,
        _ namespace: String,
        _ hashName: String,
        _ arguments: Arguments
    ) -> Bool {
        let shown = file ?? "(stdin)"
        guard let hash = FileSignature.Hash(rawValue: hashName.asciiLowercased) else {
            World.error(
                "sshsig_check_hashalg: unsupported hash algorithm \"\(hashName)\"\n"
                    + "sshsig_sign_fd: hash_file: signature algorithm not supported\n"
                    + "Signing \(shown) failed: signature algorithm not supported"
            )
            return false
        }
        guard let digest = World.digest(of: file, hash, arguments.log) else {
            World.error("Signing \(shown) failed: \(World.problem(reading: shown) ?? "read error")")
            return false
        }
        let bytes = FileSignature.bytesToSign(namespace: namespace, hash: hash, digest: digest)
        let signature: [UInt8]
        do {
            switch holder {
            case .key(let key):
                do {
                    signature = try key.sign(bytes, algorithm: nil, arguments)
                } catch {
                    World.error("Couldn't sign message: \(error)")
                    throw error
                }
            case .agent(let agent):
                let plain = publicKey.plain
                let held = try agent.keys().contains(plain) ? plain : publicKey
                signature = try agent.sign(bytes, with: held, algorithm: nil)
            }
        } catch {
            World.error("Signing \(shown) failed: \(error)")
            return false
        }
        let armored = FileSignature(
            publicKey: publicKey,
            namespace: namespace,
            hash: hash,
            signature: signature
        ).armored
        guard let file else {
            World.write(armored)
            return true
        }
        let path = file + ".sig"
        // A refusal is no failure.
        guard mayWrite(path) else { return true }
        if let problem = World.replace(path, with: armored, mode: 0o666) {
            World.error("Unable to write \"\(path)\": \(problem)")
            return false
        }
        if !arguments.isQuiet { World.writeError("Write signature to \(path)\n") }
        return true
    }
}

// MARK: Verifying

private func readSignature(_ path: String, _ caller: String) -> FileSignature? {
    guard let text = World.read(path) else {
        World.error("Couldn't read signature file: \(World.problem(reading: path) ?? "unreadable")")
        return nil
    }
    func fail(_ reason: String, _ error: String) {
        World.error("Couldn't parse signature: \(reason)")
        World.error("\(caller): sshsig_armor: \(error)")
    }
    do {
        return try FileSignature(armored: text)
    } catch {
        switch error {
        case .truncated: fail("missing header", "incomplete message")
        case .missingHeader: fail("missing header", "invalid format")
        case .missingFooter: fail("missing footer", "invalid format")
        case .notBase64: World.error("\(caller): sshsig_armor: invalid format")
        case .content(let error): World.error("Couldn't verify signature: \(error)")
        }
        return nil
    }
}

private func verify(
    signature path: String,
    namespace: String,
    signers: (file: String, identity: String)?,
    _ arguments: Arguments
) -> Int32 {
    var key: PublicKey?
    var shows = false
    let isGood = { () -> Bool in
        guard let options = SignatureOptions(arguments.options, forSigning: false) else {
            return false
        }
        shows = options.printsKey
        guard let signature = readSignature(path, "sig_verify") else { return false }
        let log = arguments.log
        log.debug("sshsig_verify_fd: signature made with hash \"\(signature.hash.rawValue)\"")
        guard let digest = World.digest(of: nil, signature.hash, log) else {
            World.error("Couldn't read standard input")
            return false
        }
        log.debug("sshsig_wrap_verify: verify message length \(digest.count)")
        do throws(KeyError) {
            try signature.verify(digest: digest, namespace: namespace)
        } catch .badSignature {
            if signature.publicKey.plain.type == .ed25519 {
                log.debug2("ssh_ed25519_verify: crypto_sign_ed25519_open failed: -1")
            }
            World.error("Signature verification failed: incorrect signature")
            return false
        } catch {
            World.error("Couldn't verify signature: \(error)")
            if signature.namespace != namespace {
                log.debug(
                    printable(
                        "sshsig_wrap_verify: expected namespace \"\(namespace)\" "
                            + "received \"\(signature.namespace)\""
                    )
                )
            }
            return false
        }
        let digits = signature.publicKey.fingerprint(arguments.fingerprintHash ?? .sha256)
        log.debug("Valid (unverified) signature from key \(digits)")
        key = signature.publicKey
        guard let signers else { return true }
        if isRevoked(signature.publicKey, arguments.recordName, log) { return false }
        guard let allowed = readSigners(signers.file) else { return false }
        let isAllowed = allowed.allow(
            signature.publicKey,
            for: signers.identity,
            namespace: namespace,
            at: moment(options.time)
        ) { complain($0, signers.file, log) }
        if !isAllowed { log.debug3("sig_verify: sshsig_check_allowed_keys: key not found") }
        return isAllowed
    }()
    guard isGood, let key else {
        if !arguments.isQuiet { World.print("Could not verify signature.") }
        return 255
    }
    if !arguments.isQuiet {
        let whose = signers.map { " for \(printed($0.identity))" } ?? ""
        World.print(
            "Good \"\(printed(namespace))\" signature\(whose) with \(key.type.shortName) key "
                + key.fingerprint(arguments.fingerprintHash ?? .sha256)
        )
    }
    if shows { World.print(key.text) }
    return 0
}

private func isRevoked(_ key: PublicKey, _ path: String?, _ log: Log) -> Bool {
    guard let path else { return false }
    guard let contents = World.read(path) else {
        World.error("cannot read revoked keys file \(path)")
        return true
    }
    do {
        let revoked = try RevokedKeys(contents: contents)
        if case .list(let list) = revoked {
            tellVersion(of: list, log)
            log.debug2("ssh_krl_file_contains_key: checking KRL \(path)")
        }
        guard try revoked.isRevoked(key) else {
            if case .list = revoked { tellAuthority(of: key, log) }
            return false
        }
        log.debug3("sig_verify: sshkey_check_revoked: Key is revoked")
        return true
    } catch {
        // OpenSSH refuses without a word.
        let kind = KeyRevocationList.isList(contents) ? "KRL" : "revoked keys"
        World.error("Invalid \(kind) file \(path): \(error)")
        return true
    }
}

private func readSigners(_ path: String) -> AllowedSigners? {
    guard let contents = World.read(path) else {
        let problem = World.problem(reading: path) ?? "unreadable"
        World.error("Unable to open allowed keys file \"\(path)\": \(problem)")
        return nil
    }
    return AllowedSigners(contents: contents)
}

private func moment(_ seconds: UInt64?) -> AllowedSigners.Moment {
    AllowedSigners.Moment(
        seconds: seconds ?? World.now,
        calendar: { World.seconds($0) },
        text: { World.timestamp($0) }
    )
}

private func complain(
    _ complaint: AllowedSigners.Complaint,
    _ path: String,
    _ log: Log
) {
    let text = "\(path):\(complaint.line): \(complaint.text)"
    switch complaint.kind {
    case .refusal: World.error(text)
    case .principalMatched: log.debug(printable("parse_principals_key_and_options: \(text)"))
    case .options: log.debug3(printable(text))
    case .keyMatched: log.debug(printable(text))
    }
}

// MARK: Principals

private func findPrincipals(
    signature path: String,
    signers: String,
    _ arguments: Arguments
) -> Int32 {
    guard let options = SignatureOptions(arguments.options, forSigning: false),
        let signature = readSignature(path, "sig_find_principals")
    else { return noPrincipal() }
    guard let allowed = readSigners(signers) else {
        let problem = World.problem(reading: signers) ?? "unreadable"
        World.error("sig_find_principals: sshsig_find_principal: \(problem)")
        return noPrincipal()
    }
    let found = allowed.principals(of: signature.publicKey, at: moment(options.time)) {
        complain($0, signers, arguments.log)
    }
    if found.isEmpty { return noPrincipal() }
    for name in found { World.print(printed(name)) }
    return 0
}

private func matchPrincipals(
    identity: String,
    signers: String,
    _ arguments: Arguments
) -> Int32 {
    guard SignatureOptions(arguments.options, forSigning: false) != nil else {
        return noPrincipal()
    }
    guard let allowed = readSigners(signers) else { return noPrincipal(status: 232) }
    guard
        let found = try? allowed.patterns(
            matching: identity,
            calendar: { World.seconds($0) },
            complain: { complain($0, signers, arguments.log) }
        )
    else {
        arguments.log.debug("sig_match_principals: match: invalid format")
        return noPrincipal(status: 252)
    }
    if found.isEmpty {
        arguments.log.debug("sig_match_principals: match: key not found")
        return noPrincipal(status: 210)
    }
    for patterns in found { World.print(printed(patterns)) }
    return 0
}

private func noPrincipal(status: Int32 = 255) -> Int32 {
    World.writeError("No principal matched.\n")
    return status
}
