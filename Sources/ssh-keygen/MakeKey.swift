// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserWire

/// Makes a key pair and puts it into two files.
func makeKey(_ arguments: Arguments) -> Int32 {
    if let algorithm = tokenAlgorithm(arguments) { return makeTokenKey(algorithm, arguments) }
    let (word, kind) = newKey(arguments)
    if !arguments.isQuiet {
        World.print("Generating public/private \(arguments.typeName ?? word) key pair.")
    }
    let path = outputFile(arguments, word: word)
    guard mayWrite(path) else { return 1 }
    let passphrase = newPassphrase(path, arguments)
    let comment = newComment(arguments)
    let key: PrivateKey
    do {
        key = try PrivateKey.generate(kind, comment: comment, random: SystemRandom())
    } catch {
        fatal("sshkey_generate failed: \(error)", status: 255)
    }
    return save(key, path, passphrase, arguments)
}

/// Makes a key in a FIDO token; the file gets what the token needs to find it again.
private func makeTokenKey(_ algorithm: SecurityKey.Algorithm, _ arguments: Arguments) -> Int32 {
    let name = arguments.typeName ?? ""
    if !arguments.isQuiet { World.print("Generating public/private \(name) key pair.") }
    let comment = newComment(arguments)
    let words = EnrollmentWords(arguments.options)
    let (key, attestation) = enrollKey(algorithm, words, comment: comment, arguments)
    let path = outputFile(arguments, word: typeWord(name) ?? name)
    guard mayWrite(path) else { return 1 }
    let status = save(key, path, newPassphrase(path, arguments), arguments)
    if status == 0 { writeAttestation(attestation, words, arguments) }
    return status
}

private func newComment(_ arguments: Arguments) -> [UInt8] {
    arguments.commentBytes ?? World.userAtHost.octets
}

/// The passphrase for a new key: the one that was given, or the one that is typed.
func newPassphrase(_ path: String, _ arguments: Arguments) -> SecretBytes {
    arguments.newPassphraseBytes
        ?? readNewPassphrase("Enter passphrase for \"\(path)\" (empty for no passphrase): ")
}

/// Puts both halves of a new key into their files, and shows it.
private func save(
    _ key: PrivateKey,
    _ path: String,
    _ passphrase: SecretBytes,
    _ arguments: Arguments
) -> Int32 {
    let comment = key.commentBytes
    if let problem = savePrivateKey(key, to: path, passphrase: passphrase, arguments) {
        World.error("Saving key \"\(path)\" failed: \(problem)")
        return 1
    }
    if !arguments.isQuiet { World.print("Your identification has been saved in \(path)") }
    if let problem = savePublicKey(key.publicKey, comment: comment, to: path + ".pub") {
        World.error("Unable to save public key to \(path).pub: \(problem)")
        return 1
    }
    if !arguments.isQuiet {
        let hash = arguments.fingerprintHash ?? .sha256
        World.print("Your public key has been saved in \(path).pub")
        World.print("The key fingerprint is:")
        World.print(key.publicKey.fingerprint(hash) + " " + printed(key.comment))
        World.print("The key's randomart image is:")
        World.print(Randomart.picture(of: key.publicKey, hash))
    }
    return 0
}

/// The word for the new key's type, and what to make; leaves when `-t` or `-b` is wrong.
private func newKey(_ arguments: Arguments) -> (word: String, kind: PrivateKey.NewKey) {
    let name = arguments.typeName ?? "ed25519"
    guard let word = typeWord(name) else { fatal("unknown key type \(name)") }
    var bits: Int?
    if let text = arguments.bits {
        guard let number = Int(text) else { fatal("Bits has bad value \(text) (invalid)") }
        if number < 1 { fatal("Bits has bad value \(text) (too small)") }
        bits = number
    }
    switch word {
    case "ed25519": return (word, .ed25519)
    case "mldsa44-ed25519": return (word, .mldsa44Ed25519)
    case "rsa":
        let bits = bits ?? 3072
        if bits < PublicKey.minimumRSABits {
            fatal("Invalid RSA key length: minimum is \(PublicKey.minimumRSABits) bits")
        }
        if bits > PublicKey.maximumRSABits {
            fatal("Invalid RSA key length: maximum is \(PublicKey.maximumRSABits) bits")
        }
        return (word, .rsa(bits: bits))
    case "ecdsa":
        let named = KeyType(name: name)?.curve
        guard let curve = named ?? NISTCurve(bits: bits ?? 256) else {
            fatal("Invalid ECDSA key length: valid lengths are 256, 384 or 521 bits")
        }
        return (word, .ecdsa(curve))
    default: fatal("unknown key type \(name)")
    }
}

private func outputFile(_ arguments: Arguments, word: String) -> String {
    var path = arguments.file ?? ""
    if arguments.file == nil {
        let usual = defaultFile(word: word)
        World.write("Enter file in which to save the key (\(usual)): ")
        guard let answer = World.readLine() else { World.exit(1) }
        path = answer.isEmpty ? usual : answer
    }
    let folder = World.home + "/.ssh"
    if path.hasPrefix(folder + "/"), !World.exists(folder) {
        if let problem = World.makeFolder(folder, mode: 0o700) {
            World.error("Could not create directory '\(folder)': \(problem)")
        } else if !arguments.isQuiet {
            World.print("Created directory '\(folder)'.")
        }
    }
    return path
}

/// Asks before a file is overwritten.
func mayWrite(_ path: String) -> Bool {
    guard World.exists(path) else { return true }
    World.print("\(path) already exists.")
    return isAgreed("Overwrite (y/n)? ")
}

/// Whether a line that begins with y answers the question.
func isAgreed(_ question: String) -> Bool {
    World.write(question)
    guard let answer = World.readLine() else { return false }
    return answer.utf8.first == UInt8(ascii: "y") || answer.utf8.first == UInt8(ascii: "Y")
}

/// Asks for a new passphrase until the second time gives the same; when it changes an old one, only
/// once.
func readNewPassphrase(_ prompt: String, isChange: Bool = false) -> SecretBytes {
    while true {
        let first = World.readPassphrase(prompt)
        let second = World.readPassphrase("Enter same passphrase again: ")
        if first == second { return first }
        if isChange {
            World.print("Pass phrases do not match.  Try again.")
            World.exit(1)
        }
        World.print("Passphrases do not match.  Try again.")
    }
}

/// `-A`: a host key of each type that is not there yet.
func makeHostKeys(_ arguments: Arguments) -> Int32 {
    let prefix = arguments.file ?? ""
    let kinds: [(String, PrivateKey.NewKey)] = [
        ("rsa", .rsa(bits: 3072)), ("ecdsa", .ecdsa(.p256)), ("ed25519", .ed25519),
        ("mldsa44-ed25519", .mldsa44Ed25519),
    ]
    let comment = newComment(arguments)
    var isFirst = true
    for (word, kind) in kinds {
        let name = String(word.map { $0 == "-" ? "_" : $0 })
        let path = "\(prefix)\(World.configurationFolder)/ssh_host_\(name)_key"
        if World.size(of: path).map({ $0 > 0 }) ?? false { continue }
        if isFirst {
            isFirst = false
            World.write("\(Arguments.program): generating new host keys: ")
        }
        World.write(word.uppercased() + " ")
        do {
            let key = try PrivateKey.generate(kind, comment: comment, random: SystemRandom())
            let empty = SecretBytes([])
            if let problem = savePrivateKey(key, to: path, passphrase: empty, arguments) {
                World.error("Could not save your private key in \(path): \(problem)")
                isFirst = true
                continue
            }
            if let problem = savePublicKey(key.publicKey, comment: comment, to: path + ".pub") {
                World.error("Unable to save public key to \(path).pub: \(problem)")
                isFirst = true
            }
        } catch {
            World.error("sshkey_generate failed: \(error)")
            isFirst = true
        }
    }
    if !isFirst { World.write("\n") }
    return 0
}
