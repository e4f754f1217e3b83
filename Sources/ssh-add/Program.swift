// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserAgentClient
internal import HawserCrypto
internal import HawserKeys
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// ssh-add(1): one connection to the agent, and what is asked of it.
struct Program {
    let agent: AgentConnection
    let arguments: Arguments
    /// Those of the command line; a certificate may get a shorter life.
    let constraints: KeyConstraints

    init(agent: AgentConnection, arguments: Arguments) {
        self.agent = agent
        self.arguments = arguments
        var constraints = KeyConstraints()
        constraints.lifetimeSeconds = arguments.lifetimeSeconds.flatMap { $0 == 0 ? nil : $0 }
        constraints.confirms = arguments.confirms
        constraints.destinations = Destinations.constraints(
            arguments.destinations,
            hostKeyFiles: arguments.hostKeyFiles,
            log: arguments.log
        )
        self.constraints = constraints
    }

    /// Carries out what was asked for; the exit status.
    func run() -> Int32 {
        let isSuccess: Bool
        switch arguments.action {
        case .lock: isSuccess = lock()
        case .unlock: isSuccess = unlock()
        case .list, .listKeys: isSuccess = list()
        case .removeAll: isSuccess = removeAll()
        case .listExtensions: isSuccess = listExtensions()
        case nil: isSuccess = work()
        }
        return isSuccess ? 0 : 1
    }

    private func work() -> Bool {
        if arguments.loadsResidentKeys { return addResidentKeys() }
        if arguments.tests {
            if arguments.files.isEmpty { fatal("no keys to test") }
            return arguments.files.map(test).allSatisfy { $0 }
        }
        if let path = arguments.addedProvider { return addProvider(path) }
        if let path = arguments.removedProvider { return removeProvider(path) }
        return arguments.removes ? removeFiles() : addFiles()
    }

    // MARK: Lists

    private func list() -> Bool {
        let keys: [AgentReply.Identity]
        do {
            keys = try agent.identities()
        } catch {
            printError("error fetching identities: \(error)\n")
            return false
        }
        if keys.isEmpty {
            printOutput("The agent has no identities.\n")
            return false
        }
        for held in keys {
            guard let key = try? PublicKey(blob: held.keyBlob) else { continue }
            let comment = held.comment.visible(keeping: [0x09], keepingOctets: true)
            if arguments.action == .listKeys {
                printOutput("\(key.text) \(comment)\n")
            } else {
                let digest = key.fingerprint(arguments.hash)
                printOutput("\(key.bits) \(digest) \(comment) (\(key.type.shortName))\n")
            }
        }
        return true
    }

    private func listExtensions() -> Bool {
        do {
            for name in try agent.extensions() { printOutput(name.visible + "\n") }
            return true
        } catch {
            printError("unable to query supported extensions: \(error)\n")
            return false
        }
    }

    // MARK: Lock

    private func lock() -> Bool {
        let passphrase = World.readSecret("Enter lock password: ")
        let again = World.readSecret("Again: ")
        guard passphrase == again else {
            printError("Passwords do not match.\n")
            return false
        }
        return carryOut(.lock(passphrase), done: "Agent locked.", failed: "Failed to lock agent")
    }

    private func unlock() -> Bool {
        let passphrase = World.readSecret("Enter lock password: ")
        return carryOut(
            .unlock(passphrase),
            done: "Agent unlocked.",
            failed: "Failed to unlock agent"
        )
    }

    /// Sends a request and says what came of it, both on standard error.
    private func carryOut(_ request: AgentRequest, done: String, failed: String) -> Bool {
        do {
            try agent.carryOut(request)
            if !arguments.isQuiet { printError(done + "\n") }
            return true
        } catch {
            printError("\(failed): \(error)\n")
            return false
        }
    }

    // MARK: PKCS#11

    private func addProvider(_ path: String) -> Bool {
        var constraints = constraints
        for file in arguments.files {
            do {
                guard let line = try KeyFiles.certificate(at: file) else {
                    fatal("load certificate \"\(file)\": No such file or directory")
                }
                constraints.certificates.append(line.key)
            } catch {
                fatal("load certificate \"\(file)\": \(error.reason)")
            }
        }
        constraints.certificatesOnly =
            arguments.certificatesOnly && !constraints.certificates.isEmpty
        let pin = World.readSecret("Enter passphrase for PKCS#11: ")
        return carryOut(
            .addProvider(path: path, pin: pin, constraints),
            done: "Card added: \(path)",
            failed: "Could not add card \"\(path)\""
        )
    }

    private func removeProvider(_ path: String) -> Bool {
        carryOut(
            .removeProvider(path: path, pin: SecretBytes([])),
            done: "Card removed: \(path)",
            failed: "Could not remove card \"\(path)\""
        )
    }

    // MARK: -K

    /// Adds the keys that the tokens themselves keep.
    private func addResidentKeys() -> Bool {
        let provider = arguments.securityKeyProvider ?? "internal"
        let pin = World.readSecret("Enter PIN for authenticator: ")
        let helper = SecurityKeyHelper(provider: provider, log: arguments.log)
        let found: [SecurityKeyReply.Resident]
        do {
            found = try helper.residentKeys(pin: pin.isEmpty ? nil : pin)
        } catch {
            logError("Unable to load resident keys: \(error)")
            return false
        }
        if found.isEmpty { logError("No keys to download") }
        var constraints = constraints
        constraints.securityKeyProvider = provider
        var isSuccess = !found.isEmpty
        for entry in found {
            let key = entry.key
            let shown = "\(key.type.shortName) \(key.publicKey.fingerprint(arguments.hash))"
            do {
                try agent.carryOut(.add(key, constraints))
                say("Resident identity added: \(shown)")
                sayConstraints(constraints)
            } catch {
                printError("Unable to add key \(shown): \(error)\n")
                isSuccess = false
            }
        }
        return isSuccess
    }

    // MARK: -T

    private func test(_ path: String) -> Bool {
        let key: PublicKey
        do {
            key = try KeyFiles.publicKey(at: path).key
        } catch {
            logError("Couldn't read public key \(path): \(error.reason)")
            return false
        }
        let data = SystemRandom().bytes(1024)
        let algorithm = key.type.signatureAlgorithms.first?.name ?? key.type.name
        let signature: [UInt8]
        do {
            signature = try agent.sign(data, keyBlob: key.blob, algorithm: algorithm)
        } catch {
            logError("Agent signature failed for \(path): \(error)")
            return false
        }
        do {
            try key.verify(signature: signature, over: data.rawBytes)
        } catch {
            logError("Signature verification failed for \(path): \(error)")
            return false
        }
        return true
    }

    // MARK: -d, -D

    private func removeAll() -> Bool {
        do {
            // Keys of protocol 1, in agents that still have them.
            _ = try? agent.ask(.removeAllRSA)
            try agent.carryOut(.removeAll)
            if !arguments.isQuiet { printError("All identities removed.\n") }
            return true
        } catch {
            printError("Failed to remove all identities.\n")
            return false
        }
    }

    private func removeFiles() -> Bool {
        var isSuccess = true
        var count = 0
        for path in wantedFiles {
            count += 1
            let isDone = path == "-" ? removeFromInput() : remove(path)
            if !isDone { isSuccess = false }
        }
        return count > 0 && isSuccess
    }

    /// The files of the command line, or those default ones that are there.
    private var wantedFiles: [String] {
        if !arguments.files.isEmpty { return arguments.files }
        guard let home = World.home else { fatal("No user found with uid \(Daemon.realUser)") }
        return KeyFiles.defaultNames.map { home + "/" + $0 }.filter { World.exists($0) }
    }

    private func remove(_ path: String) -> Bool {
        let line: PublicKeyLine
        do {
            line = try KeyFiles.publicKey(at: path)
        } catch {
            printOutput("Bad key file \(path): \(error.reason)\n")
            return false
        }
        var isSuccess = true
        if !arguments.certificatesOnly { isSuccess = remove(line, path) }
        guard !arguments.keysOnly else { return isSuccess }
        // Who names the public key's own file means that key and not its certificate.
        if path.hasSuffix(".pub"), !arguments.certificatesOnly { return isSuccess }
        let certificatePath = KeyFiles.certificatePath(path)
        do {
            guard let certificate = try KeyFiles.certificate(at: certificatePath) else {
                return isSuccess
            }
            guard certificate.key.plain == line.key.plain else {
                logError("Certificate \(certificatePath) does not match private key \(path)")
                return false
            }
            // One of the two is enough: they need not both have been added.
            let isRemoved = remove(certificate, certificatePath)
            return isRemoved || isSuccess && !arguments.certificatesOnly
        } catch {
            logError("Failed to load certificate \"\(certificatePath)\": \(error.reason)")
            return isSuccess
        }
    }

    private func removeFromInput() -> Bool {
        var isSuccess = true
        let name = KeyFiles.standardInputName
        let lines = World.readStandardInput().split(
            separator: 0x0a,
            omittingEmptySubsequences: false
        )
        for (index, bytes) in lines.enumerated() {
            let text = String(octets: bytes)
            let first = text.utf8.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }
            guard let first, first != UInt8(ascii: "#") else { continue }
            do {
                let line = try PublicKeyLine.parse(text)
                if !remove(line, name) { isSuccess = false }
            } catch {
                logError("\(name):\(index + 1): invalid key: \(error)")
                isSuccess = false
            }
        }
        return isSuccess
    }

    private func remove(_ line: PublicKeyLine, _ path: String) -> Bool {
        do {
            try agent.carryOut(.remove(keyBlob: line.key.blob))
        } catch {
            printError("Could not remove identity \"\(path)\": \(error)\n")
            return false
        }
        if !arguments.isQuiet {
            let type = line.key.type.shortName
            printError("Identity removed: \(path) \(type) (\(line.comment.visible))\n")
        }
        return true
    }

    // MARK: Add

    private func addFiles() -> Bool {
        var isSuccess = true
        var count = 0
        var passphrase: SecretBytes?
        for path in wantedFiles {
            count += 1
            if !add(path, &passphrase) { isSuccess = false }
        }
        return count > 0 && isSuccess
    }

    private func add(_ path: String, _ passphrase: inout SecretBytes?) -> Bool {
        let name = path == "-" ? KeyFiles.standardInputName : path
        guard
            var key = KeyFiles.privateKey(
                at: path,
                confirms: arguments.confirms,
                passphrase: &passphrase
            )
        else { return false }
        // Formats without a comment: the file's name serves as one.
        if key.commentBytes.isEmpty { key = key.commented(name.octets) }
        var constraints = constraints
        if key.type.isSecurityKey {
            guard let provider = arguments.securityKeyProvider else {
                printError("Cannot load FIDO key \(name) without provider\n")
                return false
            }
            constraints.securityKeyProvider = provider
        }
        var isSuccess = true
        if !arguments.certificatesOnly {
            do {
                try agent.carryOut(.add(key, constraints))
                say("Identity added: \(name) (\(key.comment.visible))")
                sayConstraints(constraints)
            } catch {
                printError("Could not add identity \"\(name)\": \(error)\n")
                isSuccess = false
            }
        }
        guard !arguments.keysOnly, path != "-" else { return isSuccess }
        return addCertificate(of: key, path, constraints) && isSuccess
    }

    private func addCertificate(
        of key: PrivateKey,
        _ path: String,
        _ constraints: KeyConstraints
    ) -> Bool {
        let certificatePath = KeyFiles.certificatePath(path)
        let certificate: PublicKey
        do {
            guard let line = try KeyFiles.certificate(at: certificatePath) else { return true }
            certificate = line.key
        } catch {
            logError("Failed to load certificate \"\(certificatePath)\": \(error.reason)")
            return true
        }
        guard let certified = try? key.certified(by: certificate) else {
            logError("Certificate \(certificatePath) does not match private key \(path)")
            return true
        }
        var constraints = constraints
        limitLife(&constraints, to: certificate)
        let keyID = certificate.certificate?.keyID.visible ?? ""
        do {
            try agent.carryOut(.add(certified, constraints))
        } catch {
            logError("Certificate \(certificatePath) (\(keyID)) add failed: \(error)")
            return false
        }
        say("Certificate added: \(certificatePath) (\(keyID))")
        sayConstraints(constraints)
        return true
    }

    /// The agent forgets a certificate soon after it has expired, unless `-N` says otherwise.
    private func limitLife(_ constraints: inout KeyConstraints, to certificate: PublicKey) {
        guard !arguments.keepsExpiredCertificates,
            let end = certificate.certificate?.validBefore, end != .max
        else { return }
        let (last, overflow) = end.addingReportingOverflow(Self.graceSeconds)
        guard !overflow else { return }
        let now = Clock.epochSeconds
        let left = UInt32(clamping: last > now ? last - now : 1)
        constraints.lifetimeSeconds = min(constraints.lifetimeSeconds ?? .max, left)
    }

    /// How long after its end a certificate may still be there.
    private static let graceSeconds: UInt64 = 300

    private func say(_ text: String) {
        if !arguments.isQuiet { printError(text + "\n") }
    }

    private func sayConstraints(_ constraints: KeyConstraints) {
        if let seconds = constraints.lifetimeSeconds { say("Lifetime set to \(seconds) seconds") }
        if constraints.confirms { say("The user must confirm each use of the key") }
        if !constraints.destinations.isEmpty, arguments.verbosity > 0 {
            say("Destinations: \(arguments.destinations.joined(separator: ", "))")
        }
    }
}
