// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserWire

/// `-F`, `-R` and `-H`: what known_hosts says of a host, without it, and with its names hashed.
func editKnownHosts(_ arguments: Arguments) -> Int32 {
    let path = arguments.file ?? World.home + "/.ssh/known_hosts"
    // A folder holds no lines.
    if let problem = World.problem(reading: path), problem != World.isFolder {
        fatal("Cannot stat \(path): \(problem)")
    }
    let contents = World.read(path) ?? []
    let file = KnownHostsFile(path: path, contents: contents)
    if let host = arguments.findsHost { return find(host, in: file, arguments) }
    var editor = KnownHostsEditor(file: file, isQuiet: arguments.isQuiet)
    if let host = arguments.removesHost {
        editor.remove(host)
    } else {
        editor.hash()
    }
    return editor.finish(removing: arguments.removesHost)
}

private func find(_ host: String, in file: KnownHostsFile, _ arguments: Arguments) -> Int32 {
    var isFound = false
    for line in file.lines {
        guard let outline = try? line.outline(), outline.matches(host) == true else { continue }
        let entry = arguments.printsFingerprint ? line.entry : nil
        if arguments.printsFingerprint, entry == nil { continue }
        isFound = true
        if !arguments.isQuiet {
            let mark =
                switch outline.marker {
                case .none: ""
                case .certAuthority: "CA"
                case .revoked: "REVOKED"
                }
            World.print("# Host \(host) found: line \(line.number) \(mark)")
        }
        if let entry {
            let hash = arguments.fingerprintHash ?? .sha256
            let comment = entry.comment.isEmpty ? "" : " " + printable(entry.comment)
            let fingerprint = entry.key.fingerprint(hash)
            World.print("\(host) \(entry.key.type.shortName) \(fingerprint)\(comment)")
            if arguments.verbosity > 0 { World.print(Randomart.picture(of: entry.key, hash)) }
        } else if arguments.hashesHosts {
            for text in KnownHostsEditor.hashedLines(of: line, outline) {
                World.write(text + [0x0a])
            }
        } else {
            World.write(line.bytes + [0x0a])
        }
    }
    return isFound ? 0 : 1
}

/// A known_hosts file on its way to its next version.
private struct KnownHostsEditor {
    let file: KnownHostsFile
    let isQuiet: Bool
    private var lines: [UInt8] = []
    private var found: [String] = []
    private var hasUnhashed = false
    private var isInvalid = false

    init(file: KnownHostsFile, isQuiet: Bool) {
        self.file = file
        self.isQuiet = isQuiet
    }

    /// Leaves out the lines about a host, but no authorities and no revocations.
    mutating func remove(_ host: String) {
        for line in file.lines {
            let outline = outline(of: line)
            let isMatch = outline.map { $0.matches(host) } ?? false
            if isMatch == nil { refuse(line) }
            if outline?.marker == KnownHostsLine.Marker.none, isMatch == true {
                found.append("# Host \(host) found: line \(line.number)")
            } else {
                append(line.bytes)
            }
        }
    }

    /// Hashes every name that can be: no patterns, authorities or revocations.
    mutating func hash() {
        for line in file.lines {
            guard let outline = outline(of: line) else {
                append(line.bytes)
                continue
            }
            if Self.isPattern(outline) {
                World.error(
                    "\(file.path):\(line.number): ignoring host name with wildcard: "
                        + outline.hosts
                )
            }
            if Self.canHash(outline) { hasUnhashed = true }
            Self.hashedLines(of: line, outline).forEach { append($0) }
        }
    }

    static func hashedLines(
        of line: KnownHostsLine,
        _ outline: KnownHostsLine.Outline
    ) -> [[UInt8]] {
        guard canHash(outline) else { return [line.bytes] }
        return outline.hosts.split(separator: ",").map { name in
            let salt = SystemRandom().bytes(HashedHostName.bytes)
            return HashedHostName(String(name), salt: salt).text.octets + [0x20]
                + outline.rest
        }
    }

    private static func canHash(_ outline: KnownHostsLine.Outline) -> Bool {
        outline.marker == .none && !outline.isHashed && !isPattern(outline)
    }

    private static func isPattern(_ outline: KnownHostsLine.Outline) -> Bool {
        outline.hosts.utf8.contains { "*?!".utf8.contains($0) }
    }

    /// What can be edited of a line; nil for one that says nothing or is none, which is told.
    private mutating func outline(of line: KnownHostsLine) -> KnownHostsLine.Outline? {
        do throws(KeyError) {
            return try line.outline()
        } catch {
            refuse(line)
            return nil
        }
    }

    private mutating func refuse(_ line: KnownHostsLine) {
        World.error("\(file.path):\(line.number): invalid line")
        isInvalid = true
    }

    private mutating func append(_ line: [UInt8]) {
        lines += line
        lines.append(0x0a)
    }

    /// Puts the new version in place and the old one beside it.
    func finish(removing host: String?) -> Int32 {
        if isInvalid {
            World.error("\(file.path) is not a valid known_hosts file.")
            World.error("Not replacing existing known_hosts file because of errors")
        }
        if !isQuiet { found.forEach { World.print($0) } }
        if isInvalid { return 1 }
        if let host, found.isEmpty {
            World.error("Host \(host) not found in \(file.path)")
            return 0
        }
        let backup = file.path + ".old"
        if let problem = World.replaceKeeping(file.path, with: lines, backup: backup) {
            fatal(problem)
        }
        World.print("\(file.path) updated.")
        World.print("Original contents retained as \(backup)")
        if hasUnhashed {
            World.error("WARNING: \(backup) contains unhashed entries")
            World.error("Delete this file to ensure privacy of hostnames")
        }
        return 0
    }
}
