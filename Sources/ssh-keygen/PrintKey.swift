// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// `-y`: the public key of a private key file, with its comment.
func printPublicKey(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    requireFile(path)
    let (key, _) = loadPrivateKey(path, arguments) { "Load key \"\(path)\": \($0)" }
    var line = Array(key.publicKey.text.utf8)
    if !key.commentBytes.isEmpty { line += [0x20] + key.commentBytes }
    World.write(line + [0x0a])
    return 0
}

/// `-l` and `-B`: the digests of the keys in a file, or on standard input for `-`.
func printFingerprints(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    if path == "-" {
        return printKeyLines(World.readStandardInput(), "(stdin)", arguments)
            ? 0 : notAKey("(stdin)")
    }
    guard let contents = World.read(path) else {
        let problem = World.problem(reading: path) ?? "unreadable"
        if problem == World.isFolder { return notAKey(path) }
        fatal("\(Arguments.program): \(path): \(problem)")
    }
    if contents.starts(with: Array("-----BEGIN".utf8)) {
        printPrivateKey(path, contents, arguments)
        return 0
    }
    return printKeyLines(contents, path, arguments) ? 0 : notAKey(path)
}

private func notAKey(_ path: String) -> Int32 {
    fatal("\(path) is not a public key file.")
}

private func printPrivateKey(_ path: String, _ contents: [UInt8], _ arguments: Arguments) {
    let beside = World.read(path + ".pub").flatMap { firstKey(in: $0) }
    var key: PublicKey?
    var comment: String?
    if let opened = try? PrivateKeyFile.parse(contents) {
        key = opened.publicKey
        // A file that could hold a comment and does not shows an empty one.
        let canHold = (try? PrivateKeyFile.publicKey(in: contents)) != nil
        comment = canHold || !opened.commentBytes.isEmpty ? opened.comment : nil
    } else if let shown = try? PrivateKeyFile.publicKey(in: contents) {
        key = shown
    }
    guard let key = key ?? beside?.key else { fatal("\(path) is not a key file.") }
    if let beside, beside.key == key {
        comment = beside.comment.isEmpty ? path + ".pub" : beside.comment
    }
    printDigest(of: key, comment ?? "no comment", arguments)
}

private func printKeyLines(_ contents: [UInt8], _ path: String, _ arguments: Arguments) -> Bool {
    var isEmpty = true
    var number = 0
    var rest = contents[...]
    while !rest.isEmpty {
        let end = rest.firstIndex(of: 0x0a) ?? rest.endIndex
        let line = rest[..<end]
        rest = rest[end...].dropFirst()
        number += 1
        guard let first = line.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }) else {
            continue
        }
        guard let (key, comment) = keyLine(Array(line)) else {
            // A word alone is passed over without one.
            let isOneWord = !line.contains { $0 == 0x20 || $0 == 0x09 }
            if first != UInt8(ascii: "#"), !isOneWord {
                arguments.log.debug("\(path):\(number): not a public key")
            }
            continue
        }
        isEmpty = false
        printDigest(of: key, comment.isEmpty ? "no comment" : comment, arguments)
    }
    return !isEmpty
}

private func printDigest(of key: PublicKey, _ comment: String, _ arguments: Arguments) {
    let hash = arguments.fingerprintHash ?? .sha256
    let digest =
        arguments.printsBubbleBabble
        ? BubbleBabble.encode(Fingerprint(of: key, .sha1).digest) : key.fingerprint(hash)
    // As bytes: the standard library makes and ends a long String with more types than all else here has.
    var line: [UInt8] = []
    line.append(decimal: key.bits)
    line += " ".utf8
    line += digest.utf8
    line += " ".utf8
    line += printable(comment).utf8
    line += " (".utf8
    line += key.type.shortName.utf8
    line += ")\n".utf8
    World.write(line)
    if arguments.verbosity > 0 { World.print(Randomart.picture(of: key, hash)) }
}

/// `-r`: SSHFP records (RFC 4255, 6594, 7479).
func printRecords(_ arguments: Arguments) -> Int32 {
    let host = arguments.recordName ?? ""
    if let file = arguments.file {
        requireFile(file)
        for path in [file, file + ".pub"] {
            guard let contents = World.read(path), let (key, _) = firstKey(in: contents) else {
                continue
            }
            printRecords(of: key, host: host, arguments)
            return 0
        }
        let problem = World.problem(reading: file + ".pub") ?? "invalid format"
        fatal("Failed to read v2 public key from \"\(file)\": \(problem)")
    }
    var isEmpty = true
    for word in ["rsa", "dsa", "ecdsa", "ed25519"] {
        let path = "\(World.configurationFolder)/ssh_host_\(word)_key.pub"
        guard let contents = World.read(path), let (key, _) = firstKey(in: contents) else {
            continue
        }
        printRecords(of: key, host: host, arguments)
        isEmpty = false
    }
    if isEmpty { fatal("no keys found.") }
    return 0
}

private func printRecords(of key: PublicKey, host: String, _ arguments: Arguments) {
    let wanted = arguments.options.last { $0.hasPrefix("hashalg=") }
    var hashes: [Fingerprint.Hash] = [.sha1, .sha256]
    if let name = wanted?.dropFirst("hashalg=".count) {
        guard let hash = Fingerprint.Hash(word: name) else {
            fatal("Unsupported hash algorithm \"\(name)\": sha1 or sha256")
        }
        hashes = [hash]
    }
    guard let records = SSHFPRecord.records(of: key, hashes: hashes) else {
        World.error("export_dns_rr: unsupported algorithm and/or digest_type")
        return
    }
    for record in records {
        World.print(record.text(host: host, isGeneric: arguments.usesGenericRecord))
    }
}
