// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// `-y`: the public key of a private key file, with its comment.
func printPublicKey(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    requireFile(path)
    let (key, _) = loadPrivateKey(path, arguments) { "Load key \"\(path)\": \($0)" }
    var line = key.publicKey.text.octets
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
    let firstLine = String(octets: contents.prefix { $0 != 0x0a })
    if firstLine.hasPrefix("-----BEGIN"), firstLine.contains("PRIVATE KEY") {
        printPrivateKey(path, contents, arguments)
        return 0
    }
    return printKeyLines(contents, path, arguments) ? 0 : notAKey(path)
}

private func notAKey(_ path: String) -> Int32 {
    fatal("\(path) is not a public key file.")
}

private func printPrivateKey(_ path: String, _ contents: [UInt8], _ arguments: Arguments) {
    let shown = try? PrivateKeyFile.publicKey(in: contents)
    if let beside = World.read(path + ".pub").flatMap({ firstKey(in: $0) }) {
        let inside = shown ?? (try? PrivateKeyFile.parse(contents))?.publicKey
        if inside == nil || inside == beside.key {
            let comment = beside.comment.isEmpty ? "\(path).pub".octets : beside.comment
            printDigest(of: beside.key, comment, arguments)
            return
        }
    }
    let log = arguments.log
    if shown == nil { log.debug("load public \"\(path)\": \(problemOfPublicKey(in: path))") }
    var opened: PrivateKey?
    do throws(KeyError) {
        if othersMayRead(path) {
            log.debug("load private \"\(path)\": bad permissions")
        } else {
            opened = try PrivateKeyFile.parse(contents)
        }
    } catch {
        log.debug("load private \"\(path)\": \(error)")
    }
    guard let key = opened?.publicKey ?? shown else { fatal("\(path) is not a key file.") }
    // A file that could hold a comment and does not shows an empty one.
    let comment = opened.flatMap { shown == nil && $0.commentBytes.isEmpty ? nil : $0.commentBytes }
    printDigest(of: key, comment ?? Array("no comment".utf8), arguments)
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
        printDigest(of: key, comment.isEmpty ? Array("no comment".utf8) : comment, arguments)
    }
    return !isEmpty
}

private func printDigest(of key: PublicKey, _ comment: [UInt8], _ arguments: Arguments) {
    let hash = arguments.fingerprintHash ?? .sha256
    let digest =
        arguments.printsBubbleBabble
        ? BubbleBabble.encode(Fingerprint(of: key, .sha1).digest) : key.fingerprint(hash)
    // As bytes: the standard library makes and ends a long String with more types than all else here has.
    var line: [UInt8] = []
    line.append(decimal: key.bits)
    line += " ".utf8
    line += digest.octets
    line += " ".utf8
    line += printable(comment).octets
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
        guard let (key, _) = publicKey(in: file) else {
            fatal(
                "Failed to read v2 public key from \"\(file)\": \(problemOfPublicKey(in: file))"
            )
        }
        printRecords(of: key, host: host, arguments)
        return 0
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
