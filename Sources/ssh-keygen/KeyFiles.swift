// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserTool
internal import HawserWire

/// The file that `-f` names, or the one that the user names when asked.
func inputFile(_ arguments: Arguments) -> String {
    if let file = arguments.file { return file }
    let usual = defaultFile(word: arguments.typeName.flatMap { typeWord($0) } ?? "ed25519")
    World.write("Enter file in which the key is (\(usual)): ")
    guard let answer = World.readLine() else { World.exit(1) }
    return answer.isEmpty ? usual : answer
}

/// `~/.ssh/id_<word>`, with a `-sk` spelled `_sk` as file names have it.
func defaultFile(word: String) -> String {
    World.home + "/.ssh/id_" + String(word.map { $0 == "-" ? "_" : $0 })
}

/// The word of a type that is named by word or in full.
func typeWord(_ name: String) -> String? {
    KeyType(name: name)?.word
        ?? KeyType.allCases.first { $0.word == name.asciiLowercased && !$0.isCertificate }?.word
        // `rsa-sha2-512`: a key that signs so.
        ?? PublicKeyAlgorithm(name: name).flatMap {
            $0.keyType.isCertificate ? nil : $0.keyType.word
        }
}

/// Leaves the program unless the file is there. That it is a folder shows when it is read.
func requireFile(_ path: String, prefix: String = "") {
    guard let problem = World.problem(reading: path), problem != World.isFolder else { return }
    fatal("\(prefix)\(path): \(problem)")
}

/// What `fatal` says when a private key cannot be read: its sentence begins differently by option.
func describe(_ error: KeyError) -> String { error.description }

/// Reads a private key file, asking for its passphrase when it has one: at most once with `-P`,
/// up to three times otherwise.
func loadPrivateKey(
    _ path: String,
    _ arguments: Arguments,
    prompt: String = "Enter passphrase: ",
    failure: (String) -> String
) -> (key: PrivateKey, passphrase: SecretBytes) {
    if othersMayRead(path) { fatal(failure("bad permissions")) }
    guard let contents = World.read(path) else {
        fatal(failure(World.problem(reading: path) ?? "unreadable"))
    }
    func attempt(_ passphrase: SecretBytes) -> Result<PrivateKey, KeyError> {
        do {
            return .success(try PrivateKeyFile.parse(contents, passphrase: passphrase))
        } catch {
            return .failure(error)
        }
    }
    var passphrase = arguments.oldPassphraseBytes ?? SecretBytes([])
    var result = attempt(passphrase)
    if case .failure(.needsPassphrase) = result, arguments.oldPassphrase == nil {
        passphrase = World.readPassphrase(prompt)
        result = attempt(passphrase)
    }
    switch result {
    case .success(let key):
        return (key, passphrase)
    case .failure(let error):
        // Text that is no key at all was OpenSSL's to refuse.
        if case .invalidFormat = error, !PrivateKeyFile.isPrivateKey(contents) {
            fatal(failure("error in libcrypto"))
        }
        fatal(failure(error.description))
    }
}

/// Whether a private key file may be read by others, who it is then told to.
func othersMayRead(_ path: String) -> Bool {
    guard let mode = World.mode(of: path), World.isOwned(path), mode & 0o077 != 0 else {
        return false
    }
    let octal = String(mode & 0o777, radix: 8)
    let digits = String(repeating: "0", count: max(0, 4 - octal.count)) + octal
    World.error(
        """
        @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
        @         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
        @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
        Permissions \(digits) for '\(path)' are too open.
        It is required that your private key files are NOT accessible by others.
        This private key will be ignored.
        """
    )
    return true
}

/// The first line of a file that is a public key and its comment.
func firstKey(in contents: [UInt8]) -> (key: PublicKey, comment: [UInt8])? {
    for line in contents.split(separator: 0x0a) {
        if let found = try? PublicKeyLine.parse(line), isSound(found.key) {
            return (found.key, found.commentBytes)
        }
    }
    return nil
}

/// A certificate must be signed by the authority that it names, trusted or not.
func isSound(_ key: PublicKey) -> Bool {
    guard key.certificate != nil else { return true }
    return (try? key.verifyCertificate(allowing: SignatureAlgorithm.allCases.map(\.name))) != nil
}

/// The public key of a file and its comment, which may stand in the `.pub` file beside a private
/// key; nil when there is none.
func publicKey(in path: String) -> (key: PublicKey, comment: [UInt8])? {
    let beside = { World.read(path + ".pub").flatMap { firstKey(in: $0) } }
    if let contents = World.read(path) {
        if let line = firstKey(in: contents) { return line }
        if let key = try? PrivateKeyFile.publicKey(in: contents) {
            return (key, beside()?.comment ?? [])
        }
    }
    return beside()
}

/// Why `publicKey(in:)` finds none: what is told is the last that was tried.
func problemOfPublicKey(in path: String) -> String {
    World.problem(reading: path + ".pub") ?? "invalid format"
}

/// The public key and the comment in a file that must hold one; leaves the program otherwise.
func readPublicKeyFile(_ path: String) -> (key: PublicKey, comment: [UInt8]) {
    guard let found = publicKey(in: path) else {
        fatal("load pubkey \"\(path)\": \(problemOfPublicKey(in: path))")
    }
    return found
}

/// The public key in a line of a `.pub`, authorized_keys or known_hosts file.
func keyLine(_ line: [UInt8]) -> (key: PublicKey, comment: [UInt8])? {
    guard line.first(where: { $0 != 0x20 && $0 != 0x09 }) != UInt8(ascii: "#") else { return nil }
    if let plain = try? PublicKeyLine.parse(line[...]) {
        return isSound(plain.key) ? (plain.key, plain.commentBytes) : nil
    }
    if let entry = try? AuthorizedKeysLine.parse(line) {
        return (entry.key, entry.comment.octets)
    }
    // known_hosts: the hosts stand for a comment that is not there.
    let isBlank = { (character: UInt8) in character == 0x20 || character == 0x09 }
    let text = line.drop(while: isBlank)
    let end = text.firstIndex(where: isBlank) ?? text.endIndex
    guard let host = try? PublicKeyLine.parse(text[end...]) else { return nil }
    return (host.key, host.commentBytes.isEmpty ? Array(text[..<end]) : host.commentBytes)
}

/// The public key of a file of either kind: a `.pub` file, or a private key, whose passphrase is
/// only asked for when its public half is not in clear.
func loadPublicKey(_ path: String, _ arguments: Arguments) -> PublicKey {
    guard let contents = World.read(path) else {
        fatal("Load key \"\(path)\": \(World.problem(reading: path) ?? "unreadable")")
    }
    if !PrivateKeyFile.isPrivateKey(contents), let found = firstKey(in: contents) {
        return found.key
    }
    if let key = try? PrivateKeyFile.publicKey(in: contents) { return key }
    return loadPrivateKey(path, arguments) { "Load key \"\(path)\": \($0)" }.key.publicKey
}

/// Writes a private key file (mode 0600). The reason when that fails.
func savePrivateKey(
    _ key: PrivateKey,
    to path: String,
    passphrase: SecretBytes,
    _ arguments: Arguments
) -> String? {
    do {
        let contents = try PrivateKeyFile.serialize(
            key,
            format: arguments.privateFormat,
            protection: PrivateKeyFile.Protection(
                passphrase: passphrase,
                cipher: arguments.cipher,
                rounds: arguments.rounds
            ),
            random: SystemRandom()
        )
        return World.replace(path, with: contents.exposed, mode: 0o600, isSecret: true)
    } catch {
        return error.description
    }
}

/// Writes a public key file (mode 0644). The reason when that fails.
func savePublicKey(_ key: PublicKey, comment: [UInt8], to path: String) -> String? {
    let line = key.text.octets + [0x20] + comment + [0x0a]
    return World.replace(path, with: line, mode: 0o644)
}

/// A comment on one line that cannot disturb a terminal.
func printable(_ text: String) -> String { text.visible(keeping: [0x09]) }

/// The same, with bytes that are not UTF-8 as they are: for what other programs read.
func printed(_ text: String) -> String { text.visible(keeping: [0x09], keepingOctets: true) }

/// As `printable`, of bytes that need not be UTF-8.
func printable(_ bytes: [UInt8]) -> String { String(visible: bytes, keeping: [0x09]) }
