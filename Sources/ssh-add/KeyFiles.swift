// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Reading keys from files, with the questions and complaints that go with that.
enum KeyFiles {
    static let standardInputName = "(stdin)"

    /// The files that are taken when none is named.
    static let defaultNames = [
        ".ssh/id_rsa", ".ssh/id_ecdsa", ".ssh/id_ecdsa_sk", ".ssh/id_ed25519",
        ".ssh/id_ed25519_sk", ".ssh/id_mldsa44_ed25519",
    ]

    /// The path with which a certificate for the key in a file is named.
    static func certificatePath(_ path: String) -> String {
        (path.hasSuffix(".pub") ? String(path.dropLast(4)) : path) + "-cert.pub"
    }

    /// A private key. Complains and gives nil when there is none to be had. `passphrase` is the
    /// one that opened the file before, and becomes the one that opens this.
    static func privateKey(
        at path: String,
        confirms: Bool,
        passphrase: inout SecretBytes?
    ) -> PrivateKey? {
        var contents: [UInt8]
        let name: String
        if path == "-" {
            contents = World.readStandardInput()
            name = standardInputName
        } else {
            name = path
            switch World.readPrivate(path) {
            case .failure(let error):
                if error.call == "open" {
                    printError("\(path): \(error.reason)\n")
                } else {
                    printError("Error loading key \"\(path)\": \(error.reason)\n")
                }
                return nil
            case .success(let (mode, bytes)):
                if let mode, mode & 0o077 != 0 {
                    warnOfPermissions(path, mode)
                    return nil
                }
                contents = bytes
            }
        }
        defer { contents.wipe() }
        return open(contents, name, confirms: confirms, passphrase: &passphrase)
    }

    private static func open(
        _ contents: [UInt8],
        _ name: String,
        confirms: Bool,
        passphrase: inout SecretBytes?
    ) -> PrivateKey? {
        var tried: [SecretBytes?] = [nil]
        if let passphrase { tried.append(passphrase) }
        var question = "Enter passphrase for"
        while true {
            let candidate: SecretBytes?
            if tried.isEmpty {
                let suffix = confirms ? " (will confirm each use)" : ""
                let answer = World.readSecret("\(question) \(name)\(suffix): ")
                if answer.isEmpty { return nil }
                candidate = answer
                question = "Bad passphrase, try again for"
            } else {
                candidate = tried.removeFirst()
            }
            do {
                let key = try PrivateKeyFile.parse(contents, passphrase: candidate)
                if let candidate { passphrase = candidate }
                return key
            } catch {
                switch error {
                case .needsPassphrase, .wrongPassphrase: continue
                case .invalidFormat where !PrivateKeyFile.isPrivateKey(contents):
                    printError("Error loading key \"\(name)\": error in libcrypto\n")
                default: printError("Error loading key \"\(name)\": \(error)\n")
                }
                return nil
            }
        }
    }

    private static func warnOfPermissions(_ path: String, _ mode: UInt32) {
        let octal = String(mode & 0o777, radix: 8)
        let digits = String(repeating: "0", count: max(0, 4 - octal.count)) + octal
        let lines = [
            "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
            "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @",
            "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
            "Permissions \(digits) for '\(path)' are too open.",
            "It is required that your private key files are NOT accessible by others.",
            "This private key will be ignored.",
        ]
        for line in lines { logError(line) }
    }

    // MARK: Public keys

    /// Why there is no public key in a file, in words.
    struct Absence: Error { let reason: String }

    /// The public key of a file: a `.pub` file, an OpenSSH private key, or what lies beside at
    /// `<path>.pub`.
    static func publicKey(at path: String) throws(Absence) -> PublicKeyLine {
        var first: String?
        for candidate in [path, path + ".pub"] {
            switch World.read(candidate) {
            case .failure(let error): first = first ?? error.reason
            case .success(let contents):
                if let line = firstLine(in: contents) { return line }
                if let key = try? PrivateKeyFile.publicKey(in: contents) {
                    let beside = try? World.read(path + ".pub").get()
                    let comment = beside.flatMap { firstLine(in: $0) }?.comment
                    return PublicKeyLine(key: key, comment: comment ?? "")
                }
                first = first ?? "invalid format"
            }
        }
        // What is not there at all matters more than what is no key.
        if World.exists(path), !World.exists(path + ".pub") {
            throw Absence(reason: "No such file or directory")
        }
        throw Absence(reason: first ?? "invalid format")
    }

    /// A certificate file; nil without complaint when there is none, or no key in it.
    static func certificate(at path: String) throws(Absence) -> PublicKeyLine? {
        switch World.read(path) {
        case .failure(let error):
            if error.number == 2 { return nil }  // ENOENT
            throw Absence(reason: error.reason)
        case .success(let contents):
            guard let line = firstLine(in: contents) else { return nil }
            guard line.key.type.isCertificate else { throw Absence(reason: "invalid certificate") }
            return line
        }
    }

    private static func firstLine(in contents: [UInt8]) -> PublicKeyLine? {
        for line in contents.split(separator: 0x0a) {
            let text = String(octets: line)
            if let found = try? PublicKeyLine.parse(text) { return found }
        }
        return nil
    }
}
