// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// One line of a known_hosts file, sshd(8) SSH_KNOWN_HOSTS FILE FORMAT.
package struct KnownHostsLine: Sendable {
    /// What stands before the hosts.
    package enum Marker: String, Sendable {
        case none = ""
        case certAuthority = "@cert-authority"
        case revoked = "@revoked"
    }

    /// What a line says about hosts.
    package struct Entry: Sendable {
        package let marker: Marker
        /// The host field as it is written.
        package let hosts: String
        package let key: PublicKey
        package let comment: String

        /// The host field is one hashed name, `|1|salt|hash`.
        package var isHashed: Bool { hosts.utf8.first == UInt8(ascii: "|") }

        /// Whether the line is about `name` (`host`, an address, or `[host]:port`; any case).
        package func matches(_ name: String) -> Bool {
            KnownHostsLine.field(hosts, matches: name)
        }
    }

    /// A line without a look into its key.
    package struct Outline: Sendable {
        package let marker: Marker
        /// The host field as it is written.
        package let hosts: String
        /// What follows it: type, key and comment.
        package let rest: [UInt8]

        /// The host field is one hashed name, `|1|salt|hash`.
        package var isHashed: Bool { hosts.utf8.first == UInt8(ascii: "|") }

        /// Whether the line is about `name`; nil for a hashed name that is none.
        package func matches(_ name: String) -> Bool? {
            if isHashed, HashedHostName(hosts) == nil { return nil }
            return KnownHostsLine.field(hosts, matches: name)
        }
    }

    package enum Content: Sendable {
        /// Nothing, or a comment.
        case nothing
        case entry(Entry)
        /// Something that is no entry, or whose key is of no type that we know.
        case invalid(KeyError)
    }

    /// From one.
    package let number: Int
    /// The line as it is in the file, without its end.
    package let bytes: [UInt8]

    init(number: Int, bytes: [UInt8]) {
        self.number = number
        self.bytes = bytes
    }

    /// The line, read: the key is decoded at each call, as most lines are about other hosts.
    package var content: Content {
        do {
            guard let fields = try Fields(bytes) else { return .nothing }
            return .entry(try fields.entry())
        } catch {
            return .invalid(error)
        }
    }

    /// The line as it can be edited, whatever its key is worth: nil for a line that says nothing.
    /// Throws for a line that names no hosts, or no type of key that we know.
    package func outline() throws(KeyError) -> Outline? {
        guard let fields = try Fields(bytes) else { return nil }
        let type = fields.rest.prefix { !$0.isBlank }
        let key = fields.rest[type.endIndex...].drop(while: \.isBlank)
        let name = String(octets: type)
        guard KeyType(name: name) != nil else { throw .unknownType(name) }
        guard !key.isEmpty else { throw .invalidFormat("no key") }
        return Outline(marker: fields.marker, hosts: fields.hosts, rest: Array(fields.rest))
    }

    package var entry: Entry? {
        if case .entry(let entry) = content { entry } else { nil }
    }

    /// The entry, if the line is one and about `name`.
    func entry(matching name: String) -> Entry? {
        guard let fields = try? Fields(bytes), Self.field(fields.hosts, matches: name) else {
            return nil
        }
        return try? fields.entry()
    }

    /// What stands before the key, and the rest of the line.
    private struct Fields {
        var marker = Marker.none
        var hosts: String
        var rest: ArraySlice<UInt8>

        /// nil for a line that says nothing.
        init?(_ bytes: [UInt8]) throws(KeyError) {
            var words = LineWords(bytes)
            guard let first = words.peek(), first != UInt8(ascii: "#") else { return nil }
            hosts = words.next() ?? ""
            if hosts.utf8.first == UInt8(ascii: "@") {
                guard let known = Marker(rawValue: hosts) else {
                    throw .invalidFormat("unknown marker")
                }
                marker = known
                hosts = words.next() ?? ""
            }
            guard !hosts.isEmpty else { throw .invalidFormat("no host") }
            rest = words.rest
        }

        func entry() throws(KeyError) -> Entry {
            let line = try PublicKeyLine.parse(rest)
            return Entry(marker: marker, hosts: hosts, key: line.key, comment: line.comment)
        }
    }

    fileprivate static func field(_ hosts: String, matches name: String) -> Bool {
        let name = name.asciiLowercased
        if hosts.utf8.first == UInt8(ascii: "|") {
            return HashedHostName(hosts)?.matches(name) ?? false
        }
        return Pattern.listContains(hosts.asciiLowercased, name)
    }
}

/// A known_hosts file: its lines, all of them, so that it can be edited and written back.
package struct KnownHostsFile: Sendable {
    /// As it is shown to the user.
    package let path: String
    package let lines: [KnownHostsLine]

    package init(path: String, contents: [UInt8]) {
        self.path = path
        var lines: [KnownHostsLine] = []
        var start = contents.startIndex
        while start < contents.endIndex {
            let end = contents[start...].firstIndex(of: 0x0a) ?? contents.endIndex
            lines.append(
                KnownHostsLine(number: lines.count + 1, bytes: Array(contents[start..<end]))
            )
            start = end < contents.endIndex ? end + 1 : end
        }
        self.lines = lines
    }

    /// The bytes to append to a file with these contents, so that the new line stands by itself.
    package static func appending(_ line: String, to contents: [UInt8]) -> [UInt8] {
        let separator: [UInt8] = contents.last.map { $0 == 0x0a } ?? true ? [] : [0x0a]
        return separator + line.octets + [0x0a]
    }

    /// A new line without its end: names separated by commas, or one hashed name per line.
    package static func line(
        names: [String],
        key: PublicKey,
        marker: KnownHostsLine.Marker = .none,
        comment: String = ""
    ) -> String {
        let parts = [marker.rawValue, names.joined(separator: ","), key.text, comment]
        return parts.filter { !$0.isEmpty }.joined(separator: " ")
    }
}

/// Everything that is known about hosts, from several files, the user's first.
package struct KnownHosts: Sendable {
    package let files: [KnownHostsFile]

    package init(files: [KnownHostsFile]) {
        self.files = files
    }

    /// Where an entry stands.
    package struct Match: Sendable {
        package let path: String
        package let line: Int
        package let entry: KnownHostsLine.Entry
    }

    /// What is known about a host and the key that it showed.
    package enum Verdict: Sendable {
        /// This key (or the authority of this certificate) is known for the host.
        case known(Match)
        /// Other keys are known for the host; the last of them.
        case changed(Match)
        /// Nothing is known for the host that could speak for or against this key.
        case unknown
        /// The key, or the authority of its certificate, is marked as revoked for the host.
        case revoked(Match)
    }

    /// The name under which a host is looked up and stored: `host`, or `[host]:port`.
    package static func name(host: String, port: UInt16, defaultPort: UInt16 = 22) -> String {
        let host = host.asciiLowercased
        return port == defaultPort || port == 0 ? host : "[\(host)]:\(port)"
    }

    /// All entries about `name`, in the order of files and lines.
    package func entries(for name: String) -> [Match] {
        var matches: [Match] = []
        for file in files {
            for line in file.lines {
                if let entry = line.entry(matching: name) {
                    matches.append(Match(path: file.path, line: line.number, entry: entry))
                }
            }
        }
        return matches
    }

    /// What to think of `key` from the host known as `name`. For a certificate, `.known` says that
    /// its authority is trusted for the host; the certificate itself is still to be checked.
    package func verdict(on key: PublicKey, for name: String) -> Verdict {
        Self.verdict(on: key, among: entries(for: name))
    }

    package static func verdict(on key: PublicKey, among entries: [Match]) -> Verdict {
        let authority = key.certificate?.signatureKey
        let plain = key.plain
        if let revoked = entries.first(where: {
            $0.entry.marker == .revoked
                && ($0.entry.key.plain == plain || $0.entry.key == authority)
        }) {
            return .revoked(revoked)
        }
        if let authority {
            let trusted = entries.first {
                $0.entry.marker == .certAuthority && $0.entry.key == authority
            }
            return trusted.map { .known($0) } ?? .unknown
        }
        let plainEntries = entries.filter { $0.entry.marker == .none }
        if let same = plainEntries.first(where: { $0.entry.key == key }) { return .known(same) }
        return plainEntries.last.map { .changed($0) } ?? .unknown
    }

    /// Where `key` stands under any name, for "this host key is known by the following other
    /// names/addresses".
    package func entries(holding key: PublicKey) -> [Match] {
        var matches: [Match] = []
        for file in files {
            for line in file.lines {
                if let entry = line.entry, entry.marker == .none, entry.key == key {
                    matches.append(Match(path: file.path, line: line.number, entry: entry))
                }
            }
        }
        return matches
    }

    /// The types of the keys known for `name`, each once; these go first in what a client offers.
    /// A trusted authority stands for the certificates that any type of key may have.
    package func keyTypes(for name: String) -> (types: [KeyType], hasAuthority: Bool) {
        var types: [KeyType] = []
        var hasAuthority = false
        for match in entries(for: name) {
            switch match.entry.marker {
            case .revoked: continue
            case .certAuthority: hasAuthority = true
            case .none:
                if !types.contains(match.entry.key.type) { types.append(match.entry.key.type) }
            }
        }
        return (types, hasAuthority)
    }
}

/// The words of a line, one after the other.
struct LineWords {
    private let bytes: [UInt8]
    private var position: Int

    init(_ bytes: [UInt8]) {
        var end = bytes.count
        while end > 0, bytes[end - 1].isBlank || bytes[end - 1] == 0x0d { end -= 1 }
        self.bytes = Array(bytes[..<end])
        position = 0
        skipBlanks()
    }

    /// The first byte of the next word.
    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func next() -> String? {
        guard position < bytes.count else { return nil }
        let start = position
        while position < bytes.count, !bytes[position].isBlank { position += 1 }
        defer { skipBlanks() }
        return String(octets: bytes[start..<position])
    }

    /// Everything that has not been read.
    var rest: ArraySlice<UInt8> { bytes[position...] }

    private mutating func skipBlanks() {
        while position < bytes.count, bytes[position].isBlank { position += 1 }
    }
}
