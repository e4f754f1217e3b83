// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// `-k`: a list of revoked keys from files of keys and of specifications.
func makeRevocationList(_ arguments: Arguments) -> Int32 {
    guard let path = arguments.file else { fatal("KRL generation requires an output file") }
    var builder = KeyRevocationListBuilder()
    if arguments.updates {
        guard World.exists(path) else { fatal("KRL \"\(path)\" does not exist") }
        let list = readRevocationList(path, arguments)
        do {
            builder = try KeyRevocationListBuilder(list)
        } catch {
            fatal("Invalid KRL file \(path): \(error)")
        }
    }
    if arguments.serial != 0 { builder.version = arguments.serial }
    if let comment = arguments.commentBytes { builder.comment = comment }
    let authority = Specification.Authority(arguments)
    for file in arguments.files {
        if !arguments.isQuiet {
            World.print("Revoking from \(file == "-" ? "(standard input)" : file)")
        }
        let contents: [UInt8]
        if file == "-" {
            contents = World.readStandardInput()
        } else if let read = World.read(file) {
            contents = read
        } else {
            fatal("fopen \(file): \(World.problem(reading: file) ?? "unreadable")")
        }
        let name = file == "-" ? "(stdin)" : file
        Specification(name: name, authority: authority, log: arguments.log)
            .add(contents, to: &builder)
    }
    let bytes = builder.serialized(at: World.now)
    if let problem = World.replace(path, with: bytes, mode: 0o644) {
        fatal("write \(path): \(problem)")
    }
    return 0
}

/// When a list was made, as OpenSSH writes it: `YYYYMMDDThhmmss`.
private func generated(_ list: KeyRevocationList) -> String {
    World.timestamp(list.generated).filter { $0 != "-" && $0 != ":" }
}

/// `-Q`: whether keys are on a list, and with `-l` the list itself.
func queryRevocationList(_ arguments: Arguments) -> Int32 {
    guard let path = arguments.file else { fatal("KRL checking requires an input file") }
    let list = readRevocationList(path, arguments)
    if arguments.printsFingerprint { printList(list, path) }
    var status: Int32 = 0
    for file in arguments.files {
        guard let (key, comment) = publicKey(in: file) else {
            fatal("Cannot load public key \(file): \(problemOfPublicKey(in: file))")
        }
        let isRevoked = list.isRevoked(key)
        if isRevoked { status = 1 } else { tellAuthority(of: key, arguments.log) }
        let shown = comment.isEmpty ? "" : " (\(printed(String(octets: comment))))"
        World.print("\(file)\(shown): \(isRevoked ? "REVOKED" : "ok")")
    }
    return status
}

private func readRevocationList(_ path: String, _ arguments: Arguments) -> KeyRevocationList {
    guard let contents = World.read(path) else {
        fatal("Unable to load KRL \(path): \(World.problem(reading: path) ?? "unreadable")")
    }
    do {
        let list = try KeyRevocationList(contents: contents)
        tellVersion(of: list, arguments.log)
        return list
    } catch {
        fatal("Invalid KRL file \(path): \(error)")
    }
}

/// Whoever certified a key that is not revoked itself is looked at, too.
func tellAuthority(of key: PublicKey, _ log: Log) {
    if key.certificate != nil { log.debug2("ssh_krl_check_key: checking CA key") }
}

func tellVersion(of list: KeyRevocationList, _ log: Log) {
    log.debug("KRL version \(list.version) generated at \(generated(list))")
}

private func printList(_ list: KeyRevocationList, _ path: String) {
    World.print("# KRL version \(list.version)")
    let time = generated(list)
    World.print("# Generated at \(time)")
    if !list.comment.isEmpty {
        World.print("# Comment: \(printable(list.comment))")
    }
    World.print("")
    let content: KeyRevocationListBuilder
    do {
        content = try KeyRevocationListBuilder(list)
    } catch {
        fatal("Invalid KRL file \(path): \(error)")
    }
    for blob in content.keys {
        guard let key = try? PublicKey(blob: blob) else {
            World.print("# unreadable key")
            continue
        }
        World.print("hash: \(key.fingerprint()) # \(key.type.name)")
    }
    for digest in content.sha256Digests {
        World.print("hash: SHA256:\(Hexadecimal.encode(digest))")
    }
    for digest in content.sha1Digests {
        World.print("# hash SHA1:\(Hexadecimal.encode(digest))")
    }
    for part in content.certificates { print(part) }
}

private func print(_ part: KeyRevocationListBuilder.Certificates) {
    World.print("")
    if let authority = part.authority {
        World.print("# CA key \(authority.type.name) \(authority.fingerprint())")
    } else {
        World.print("# Wildcard CA")
    }
    var text: [UInt8] = []
    for range in part.serials {
        let isOne = range.lowerBound == range.upperBound
        let last = isOne ? "" : "-\(range.upperBound)"
        text += "serial: \(range.lowerBound)\(last)\n".octets
    }
    World.write(text)
    for id in part.keyIDs {
        World.print("id: \(printed(String(octets: id)))")
    }
}

/// A file of what is to be revoked, ssh-keygen(1) KEY REVOCATION LISTS: one thing a line.
private struct Specification {
    /// Whose certificates serial numbers and key IDs are about.
    enum Authority {
        case none
        case any
        case key(PublicKey)

        init(_ arguments: Arguments) {
            guard let path = arguments.signer else {
                self = .none
                return
            }
            if path.asciiLowercased == "none" {
                self = .any
                return
            }
            guard let (key, _) = publicKey(in: path) else {
                fatal("Cannot load CA public key \(path): \(problemOfPublicKey(in: path))")
            }
            self = .key(key.plain)
        }
    }

    let name: String
    let authority: Authority
    let log: Log

    func add(_ contents: [UInt8], to builder: inout KeyRevocationListBuilder) {
        var number = 0
        for line in contents.split(separator: 0x0a, omittingEmptySubsequences: false) {
            number += 1
            var line = line
            if let hash = line.firstIndex(of: UInt8(ascii: "#")) { line = line[..<hash] }
            line = line.drop(while: { Self.blanks.contains($0) })
            while let last = line.last, Self.blanks.contains(last) { line.removeLast() }
            if line.isEmpty { continue }
            add(line, "\(name):\(number)", to: &builder)
        }
    }

    private static let blanks = Array(" \t".utf8)

    private func add(
        _ line: ArraySlice<UInt8>,
        _ place: String,
        to builder: inout KeyRevocationListBuilder
    ) {
        let text = String(octets: line)
        if let value = value(of: "serial:", in: text) {
            builder.add(.serials(serials(value, place), authorityKey("serial number")))
        } else if let value = value(of: "id:", in: text) {
            builder.add(.keyID(value.octets, authorityKey("key ID")))
        } else if let value = value(of: "hash:", in: text) {
            builder.add(.digest(.sha256, digest(value, place)))
        } else if let value = value(of: "key:", in: text) {
            let key = key(value, place).plain
            tellExplicit(key)
            builder.add(.key(blob: key.blob))
        } else if let value = value(of: "sha1:", in: text) {
            builder.add(.digest(.sha1, Fingerprint(of: key(value, place), .sha1).digest))
        } else if let value = value(of: "sha256:", in: text) {
            builder.add(.digest(.sha256, Fingerprint(of: key(value, place), .sha256).digest))
        } else {
            let key = key(text, place)
            if !key.type.isCertificate { tellExplicit(key) }
            builder.revoke(key)
        }
    }

    private func tellExplicit(_ key: PublicKey) {
        log.debug3("ssh_krl_revoke_key_explicit: revoke type \(key.type.shortName)")
    }

    /// What follows a word, in any case, and blanks.
    private func value(of word: String, in text: String) -> String? {
        guard text.utf8.count >= word.utf8.count,
            String(decoding: text.utf8.prefix(word.utf8.count), as: UTF8.self).asciiLowercased
                == word
        else { return nil }
        let rest = text.utf8.dropFirst(word.utf8.count)
        return String(decoding: rest.drop(while: { Self.blanks.contains($0) }), as: UTF8.self)
    }

    private func authorityKey(_ what: String) -> PublicKey? {
        switch authority {
        case .none: fatal("revoking certificates by \(what) requires specification of a CA key")
        case .any: nil
        case .key(let key): key
        }
    }

    private func key(_ text: String, _ place: String) -> PublicKey {
        guard let key = try? PublicKeyLine.parse(text).key, isSound(key) else {
            fatal("\(place): invalid key: invalid format")
        }
        return key
    }

    private func serials(_ text: String, _ place: String) -> ClosedRange<UInt64> {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        func number(_ part: Substring) -> UInt64 {
            let digits = part.utf8
            let isHex = part.asciiLowercased.hasPrefix("0x")
            let radix = isHex ? 16 : digits.first == UInt8(ascii: "0") ? 8 : 10
            let significant = isHex ? part.dropFirst(2) : part
            guard !significant.isEmpty,
                significant.utf8.allSatisfy({ Self.isDigit($0, radix: radix) })
            else { fatal("\(place): invalid serial \"\(part)\"") }
            guard let value = UInt64(significant, radix: radix) else {
                fatal("\(place): serial out of range")
            }
            return value
        }
        let first = number(parts.first ?? "")
        let last = parts.count > 1 ? number(parts[1]) : first
        if last < first { fatal("\(place): invalid serial range \(first):\(last)") }
        if first == 0 { fatal("update_krl_from_file: revoke serial failed") }
        return first...last
    }

    private static func isDigit(_ character: UInt8, radix: Int) -> Bool {
        guard let value = Character(UnicodeScalar(character)).hexDigitValue else { return false }
        return value < radix
    }

    private func digest(_ text: String, _ place: String) -> [UInt8] {
        let prefix = "SHA256:"
        guard text.asciiLowercased.hasPrefix(prefix.asciiLowercased) else {
            fatal("\(place): unsupported hash algorithm")
        }
        guard
            let digest = Base64.decode(text.utf8.dropFirst(prefix.utf8.count), .lenient),
            digest.count == 32
        else { fatal("\(place): decode hash failed: invalid format") }
        return digest
    }
}
