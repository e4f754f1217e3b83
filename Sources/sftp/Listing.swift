// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// `ls` and `df`.
extension Interpreter {
    /// One line to be of a listing.
    private struct Entry {
        /// As it is printed.
        var name: [UInt8]
        var longName: [UInt8]
        var attributes: Attributes
    }

    mutating func list(_ command: Command) throws(SessionFault) -> Bool {
        let flags = command.flags
        guard let word = command.paths.first else {
            return try listTree(directory, prefix: [], flags)
        }
        let pattern = absolutePattern(word)
        let isAbsolute = word.first == RemotePath.slash
        let matches = try Glob(.remote(session)).matches(pattern)
        guard let first = matches.first, var attributes = first.attributes else {
            screen.fail("Can't ls: \"\(shown(matches.first?.path ?? pattern))\" not found")
            return false
        }
        if matches.count == 1 {
            if attributes.isLink, let followed = try self.attributes(of: first.path),
                followed.isDirectory
            {
                attributes = followed
            }
            if attributes.isDirectory {
                let prefix = isAbsolute ? first.path : relative(first.path)
                return try listTree(first.path, prefix: prefix, flags)
            }
        }
        var entries: [Entry] = []
        for match in matches {
            guard let attributes = match.attributes else { continue }
            var isDirectory = attributes.isDirectory
            if attributes.isLink, let followed = try self.attributes(of: match.path) {
                isDirectory = followed.isDirectory
            }
            let isMarked = match.path.last == RemotePath.slash
            let mark: [UInt8] = isDirectory && !isMarked ? [RemotePath.slash] : []
            entries.append(
                Entry(
                    name: (isAbsolute ? match.path : relative(match.path)) + mark,
                    longName: [],
                    attributes: attributes
                )
            )
        }
        let widest =
            (matches.map { width($0.path) + ($0.attributes?.isDirectory == true ? 1 : 0) })
            .max() ?? 0
        try print(&entries, flags, widest: widest, sorts: true)
        return true
    }

    /// A path as it is shown: without the working directory before it.
    private func relative(_ path: [UInt8]) -> [UInt8] {
        let prefix = directory.last == RemotePath.slash ? directory : directory + [RemotePath.slash]
        return path.starts(with: prefix) && path.count > prefix.count
            ? Array(path[prefix.count...]) : path
    }

    /// A directory, and with `-R` each one below it under its name; links are not followed.
    private mutating func listTree(
        _ path: [UInt8],
        prefix: [UInt8],
        _ flags: Set<Character>
    ) throws(SessionFault) -> Bool {
        var isGood = true
        var waiting = [(path: path, prefix: prefix, depth: 0)]
        while let next = waiting.popLast(), !screen.isInterrupted {
            if next.depth > 0 { screen.say("\n\(shown(next.prefix)):") }
            var below: [Entry] = []
            // Below, the name above the listing says where it is.
            isGood =
                try listDirectory(
                    next.path,
                    prefix: next.depth == 0 ? next.prefix : [],
                    flags,
                    below: &below
                ) && isGood
            guard flags.contains("R") else { break }
            guard next.depth < maximumListingDepth else {
                screen.fail("\(shown(next.path)): too deep")
                isGood = false
                continue
            }
            for entry in below.reversed() {
                let name = RemotePath.name(of: entry.name)
                waiting.append(
                    (
                        RemotePath.join(next.path, name),
                        next.prefix.isEmpty ? name : RemotePath.join(next.prefix, name),
                        next.depth + 1
                    )
                )
            }
        }
        return isGood
    }

    /// `below`: the directories among its entries, in the order of the listing.
    private mutating func listDirectory(
        _ path: [UInt8],
        prefix: [UInt8],
        _ flags: Set<Character>,
        below: inout [Entry]
    ) throws(SessionFault) -> Bool {
        let opened = try session.answer(to: session.client.request(.opendir, path))
        guard case .handle(let handle) = opened.content else {
            screen.fail("remote readdir(\"\(shown(path))\"): \(opened.failureText)")
            return false
        }
        var entries: [Entry] = []
        var isGood = true
        while true {
            let reply = try session.answer(to: session.client.request(.readdir, handle))
            guard case .names(let names) = reply.content else {
                if case .status(.endOfFile, _) = reply.content { break }
                screen.fail("Couldn't read directory: \(reply.failureText)")
                isGood = false
                break
            }
            if screen.isInterrupted { break }
            for entry in names
            where entry.name.first != UInt8(ascii: ".") || flags.contains("a") {
                entries.append(
                    Entry(
                        name: prefix.isEmpty ? entry.name : RemotePath.join(prefix, entry.name),
                        longName: entry.longName,
                        attributes: entry.attributes
                    )
                )
            }
        }
        _ = try session.status(of: session.client.request(.close, handle))
        let widest = entries.map { width($0.name) }.max() ?? 0
        try print(&entries, flags, widest: widest, sorts: true)
        below = entries.filter {
            let name = RemotePath.name(of: $0.name)
            return $0.attributes.isDirectory && name != [46] && name != [46, 46]
                && RemotePath.isSafe(name: name)
        }
        return isGood
    }

    private mutating func print(
        _ entries: inout [Entry],
        _ flags: Set<Character>,
        widest: Int,
        sorts: Bool
    ) throws(SessionFault) {
        if !flags.contains("f") { sort(&entries, flags) }
        if flags.contains("l") || flags.contains("n") {
            if !flags.contains("n") { try names.learn(entries.map(\.attributes), session) }
            let now = Int64(Clock.epochSeconds)
            for entry in entries {
                if screen.isInterrupted { return }
                screen.say(longLine(entry, flags, now))
            }
            return
        }
        if flags.contains("1") {
            for entry in entries { screen.say(shown(entry.name)) }
            return
        }
        let window = Terminal.windowSize(of: Descriptor.standardOutput)
        let width = window.map { Int($0.columns) } ?? 80
        let columns = max(1, (width == 0 ? 80 : width) / (widest + 2))
        let columnWidth = (width == 0 ? 80 : width) / columns
        var line = ""
        for (index, entry) in entries.enumerated() {
            let blanks = max(0, columnWidth - self.width(entry.name))
            line += shown(entry.name) + String(repeating: " ", count: blanks)
            if index % columns == columns - 1 || index == entries.count - 1 {
                screen.say(line)
                line = ""
            }
        }
    }

    /// How wide a name is shown.
    private func width(_ name: [UInt8]) -> Int { PrintableText.columns(of: shown(name)) }

    private func sort(_ entries: inout [Entry], _ flags: Set<Character>) {
        func comesFirst(_ first: Entry, _ second: Entry) -> Bool {
            if flags.contains("t"), let a = first.attributes.times, let b = second.attributes.times,
                a.modification != b.modification
            {
                return a.modification > b.modification
            }
            if flags.contains("S"), let a = first.attributes.size, let b = second.attributes.size,
                a != b
            {
                return a > b
            }
            return first.name.lexicographicallyPrecedes(second.name)
        }
        let isReversed = flags.contains("r")
        entries.sort { isReversed ? comesFirst($1, $0) : comesFirst($0, $1) }
    }

    private func longLine(_ entry: Entry, _ flags: Set<Character>, _ now: Int64) -> String {
        let attributes = entry.attributes
        // The server's own line knows what the protocol does not say.
        let fields = String(octets: entry.longName).split(separator: " ")
        let links = fields.count > 4 && Int(fields[1]) != nil ? String(fields[1]) : "?"
        let isNumeric = flags.contains("n")
        var user = attributes.owner.map { String($0.uid) } ?? "?"
        var group = attributes.owner.map { String($0.gid) } ?? "?"
        if !isNumeric, let owner = attributes.owner {
            if let name = names.users[owner.uid] {
                user = name
            } else if fields.count > 4 {
                user = String(fields[2])
            }
            if let name = names.groups[owner.gid] {
                group = name
            } else if fields.count > 4 {
                group = String(fields[3])
            }
        }
        let size = flags.contains("h") ? ByteCount.short(attributes.size ?? 0) : nil
        let line = LongName.line(
            entry.name,
            attributes,
            links: links,
            user: PrintableText.of(user.octets),
            group: PrintableText.of(group.octets),
            size: size,
            now: now
        )
        return shown(line)
    }

    // MARK: df

    func usage(_ command: Command) throws(SessionFault) -> Bool {
        guard session.supports("statvfs@openssh.com") else {
            screen.fail("Server does not support statvfs@openssh.com extension")
            return false
        }
        let path = command.paths.first.map { absolute(Words.plain($0)) } ?? directory
        let id = session.client.extended("statvfs@openssh.com") { $0.append(string: path) }
        let reply = try session.answer(to: id)
        guard case .extended = reply.content else {
            screen.fail("remote statvfs(\"\(shown(path))\"): \(reply.failureText)")
            return false
        }
        let fields = session.extendedData
        var reader = WireReader(fields.rawBytes)
        guard let usage = try? FileSystemUsage(from: &reader) else {
            throw .misspoken("bad statvfs reply")
        }
        screen.say(UsageTable(usage).text(command.flags))
        return true
    }
}

/// The lines of `df`.
struct UsageTable {
    let usage: FileSystemUsage

    init(_ usage: FileSystemUsage) {
        self.usage = usage
    }

    func text(_ flags: Set<Character>) -> String {
        if flags.contains("i") { return inodes }
        let used = usage.blocks - min(usage.blocks, usage.freeBlocks)
        let percent = Self.percent(used, usage.blocks)
        let values = [usage.blocks, used, usage.availableBlocks, usage.freeBlocks]
        if flags.contains("h") {
            let texts = values.map {
                ByteCount.long($0.multipliedReportingOverflow(by: unit).partialValue)
            }
            return "    Size     Used    Avail   (root)    %Capacity\n"
                + texts.map { LongName.right($0, 8) }.joined(separator: " ")
                + LongName.right(percent, 12) + "%"
        }
        let texts = values.map {
            String($0.multipliedReportingOverflow(by: unit).partialValue / 1024)
        }
        return "        Size         Used        Avail       (root)    %Capacity\n"
            + texts.map { LongName.right($0, 12) }.joined(separator: " ")
            + LongName.right(percent, 12) + "%"
    }

    private var unit: UInt64 { usage.fragmentBytes == 0 ? usage.blockBytes : usage.fragmentBytes }

    private var inodes: String {
        let used = usage.files - min(usage.files, usage.freeFiles)
        let texts = [usage.files, used, usage.availableFiles, usage.freeFiles].map { String($0) }
        return "     Inodes        Used       Avail      (root)    %Capacity\n"
            + texts.map { LongName.right($0, 11) }.joined(separator: " ")
            + LongName.right(Self.percent(used, usage.files), 12) + "%"
    }

    private static func percent(_ part: UInt64, _ whole: UInt64) -> String {
        whole == 0 ? "0" : String(Int(Double(part) / Double(whole) * 100))
    }
}

/// Sizes with a unit, as ls and df write them.
enum ByteCount {
    private static let units = ["B", "K", "M", "G", "T", "P", "E"]

    /// `397B`, `14.8K`.
    static func short(_ bytes: UInt64) -> String { text(bytes, units) }

    /// `20.8GB`.
    static func long(_ bytes: UInt64) -> String {
        text(bytes, units.enumerated().map { $0.offset == 0 ? $0.element : $0.element + "B" })
    }

    private static func text(_ bytes: UInt64, _ units: [String]) -> String {
        var value = Double(bytes)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        if unit == 0 { return String(bytes) + units[0] }
        if value >= 100 { return String(Int(value.rounded())) + units[unit] }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }
}

/// The names of numbers, asked for once (users-groups-by-id@openssh.com).
struct AccountNames {
    private(set) var users: [UInt32: String] = [:]
    private(set) var groups: [UInt32: String] = [:]

    mutating func learn(_ list: [Attributes], _ session: RemoteSession) throws(SessionFault) {
        guard session.supports("users-groups-by-id@openssh.com") else { return }
        let owners = list.compactMap(\.owner)
        let uids = Array(Set(owners.map(\.uid)).subtracting(users.keys).prefix(1024))
        let gids = Array(Set(owners.map(\.gid)).subtracting(groups.keys).prefix(1024))
        guard !uids.isEmpty || !gids.isEmpty else { return }
        let id = session.client.extended("users-groups-by-id@openssh.com") {
            $0.append(uint32: UInt32(uids.count * 4))
            for uid in uids { $0.append(uint32: uid) }
            $0.append(uint32: UInt32(gids.count * 4))
            for gid in gids { $0.append(uint32: gid) }
        }
        guard case .extended = try session.answer(to: id).content else { return }
        let fields = session.extendedData
        var reader = WireReader(fields.rawBytes)
        if let first = try? reader.readBytes(), let second = try? reader.readBytes() {
            Self.fill(&users, uids, first)
            Self.fill(&groups, gids, second)
        }
    }

    private static func fill(_ table: inout [UInt32: String], _ numbers: [UInt32], _ bytes: [UInt8])
    {
        var reader = WireReader(bytes.rawBytes)
        for number in numbers {
            guard let name = try? reader.readBytes(limit: 256) else { return }
            if !name.isEmpty { table[number] = String(octets: name) }
        }
    }
}

/// How many levels below the first `ls -R` goes.
private let maximumListingDepth = 64
