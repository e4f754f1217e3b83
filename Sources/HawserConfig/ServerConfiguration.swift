// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Whom a `Match` block is asked about; nil criteria match nothing.
package struct ServerMatchSubject: Sendable {
    package var user: String?
    package var groups: [String]
    package var host: String?
    package var address: String?
    package var localAddress: String?
    package var localPort: Int?
    package var rdomain: String?
    package var isInvalidUser: Bool

    package init(
        user: String? = nil,
        groups: [String] = [],
        host: String? = nil,
        address: String? = nil,
        localAddress: String? = nil,
        localPort: Int? = nil,
        rdomain: String? = nil,
        isInvalidUser: Bool = false
    ) {
        self.user = user
        self.groups = groups
        self.host = host
        self.address = address
        self.localAddress = localAddress
        self.localPort = localPort
        self.rdomain = rdomain
        self.isInvalidUser = isInvalidUser
    }
}

/// The lists of names that edits start from and patterns expand over.
package struct ServerAlgorithms: Sendable {
    package struct List: Sendable {
        package var offered: [String]
        package var all: [String]

        package init(offered: [String], all: [String]) {
            self.offered = offered
            self.all = all
        }
    }

    package var ciphers: List
    package var macs: List
    package var keyExchange: List
    package var publicKey: List

    package init(ciphers: List, macs: List, keyExchange: List, publicKey: List) {
        self.ciphers = ciphers
        self.macs = macs
        self.keyExchange = keyExchange
        self.publicKey = publicKey
    }

    func list(_ family: ServerKeyword.Family) -> List {
        switch family {
        case .ciphers: ciphers
        case .macs: macs
        case .keyExchange: keyExchange
        case .publicKey, .certificateAuthority: publicKey
        }
    }
}

/// sshd_config(5) as it was read: lines in order, `Include`s in their places. What is in force
/// depends on whom it is asked for.
package struct ServerConfiguration {
    private struct Line: Sendable {
        var keyword: String
        var row: ServerKeyword?
        var line: ConfigLine
        var file: String
        var number: Int
        /// The `Match` blocks that it stands in, each a list of words.
        var conditions: [[String]]

        /// An empty list stands for a file outside of any block.
        var isFromMatch: Bool { conditions.contains { !$0.isEmpty } }
    }

    private var lines: [Line] = []
    private let algorithms: ServerAlgorithms
    private let source: any ConfigSource
    /// Every mistake, in order; with one the configuration must not be used.
    package private(set) var errors: [ConfigError] = []
    /// What deserves a line in the log.
    package private(set) var notes: [String] = []

    package init(algorithms: ServerAlgorithms, source: any ConfigSource) {
        self.algorithms = algorithms
        self.source = source
    }

    // MARK: Reading

    /// A keyword and its value from the command line; it counts before any file.
    package mutating func read(option text: String) {
        var conditions: [[String]] = []
        read(line: text, "command-line", 0, depth: 0, &conditions)
    }

    package mutating func read(_ contents: [UInt8], file: String) {
        let before = errors.count
        var conditions: [[String]] = []
        read(contents, file, depth: 0, &conditions)
        let bad = errors.count - before
        if bad > 0 {
            errors.append(
                ConfigError(
                    file: file,
                    line: 0,
                    text: "\(file): terminating, \(bad) bad configuration options"
                )
            )
        }
    }

    private mutating func read(
        _ contents: [UInt8],
        _ file: String,
        depth: Int,
        _ conditions: inout [[String]]
    ) {
        for (index, line) in contents.split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        ).enumerated() {
            read(
                line: String(decoding: line, as: UTF8.self),
                file,
                index + 1,
                depth: depth,
                &conditions
            )
        }
    }

    private mutating func read(
        line text: String,
        _ file: String,
        _ number: Int,
        depth: Int,
        _ conditions: inout [[String]]
    ) {
        let line: ConfigLine
        do throws(LexicalError) {
            guard let parsed = try ConfigLine.parse(text) else { return }
            line = parsed
        } catch { return fail(file, number, "invalid quotes") }
        let keyword = line.keyword.lowercased()
        switch keyword {
        case "match":
            guard depth > 0 || number > 0 else {
                return fail(file, number, "Directive 'Match' is not allowed on the command line")
            }
            let base = depth == 0 ? [] : Array(conditions.prefix(depth))
            conditions = base + [line.arguments]
            if let reason = Self.mistake(inMatch: line.arguments) { fail(file, number, reason) }
        case "include": include(line.arguments, file, number, depth, conditions)
        case _ where ServerKeywords.ignored.contains(keyword): break
        case _ where ServerKeywords.deprecated.contains(keyword):
            notes.append("\(file) line \(number): Deprecated option \(line.keyword)")
        default: add(line, keyword, file, number, conditions)
        }
    }

    private mutating func add(
        _ line: ConfigLine,
        _ keyword: String,
        _ file: String,
        _ number: Int,
        _ conditions: [[String]]
    ) {
        guard let row = ServerKeywords.byName[keyword] else {
            errors.append(
                ConfigError(
                    file: file,
                    line: 0,
                    text: "\(file): line \(number): Bad configuration option: \(line.keyword)"
                        + suggestion(for: keyword)
                )
            )
            return
        }
        if conditions.contains(where: { !$0.isEmpty }), !row.isAllowedInMatch {
            return fail(
                file,
                number,
                "Directive '\(line.keyword)' is not allowed within a Match block"
            )
        }
        switch values(of: line, row) {
        case .failure(let mistake): fail(file, number, mistake.text)
        case .success:
            lines.append(
                Line(
                    keyword: row.name.lowercased(),
                    row: row,
                    line: line,
                    file: file,
                    number: number,
                    conditions: conditions
                )
            )
        }
    }

    private mutating func fail(_ file: String, _ number: Int, _ text: String) {
        errors.append(
            ConfigError(file: file, line: 0, text: "\(file) line \(number): \(text)")
        )
    }

    /// The nearest real keyword, for a misspelt one.
    private func suggestion(for keyword: String) -> String {
        let nearest = ServerKeywords.rows.map(\.name).min {
            Self.distance(keyword, $0.lowercased()) < Self.distance(keyword, $1.lowercased())
        }
        guard let nearest, Self.distance(keyword, nearest.lowercased()) <= 2 else { return "" }
        return " (\(nearest)?)"
    }

    /// How many letters differ (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second.utf8)
        var row = Array(0...second.count)
        for (index, letter) in first.utf8.enumerated() {
            var previous = row[0]
            row[0] = index + 1
            for column in second.indices {
                let change = previous + (second[column] == letter ? 0 : 1)
                previous = row[column + 1]
                row[column + 1] = min(change, previous + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }

    private mutating func include(
        _ patterns: [String],
        _ file: String,
        _ number: Int,
        _ depth: Int,
        _ conditions: [[String]]
    ) {
        guard depth < 16 else {
            return fail(file, number, "Too many recursive configuration includes")
        }
        guard !patterns.isEmpty else { return fail(file, number, "missing argument.") }
        for pattern in patterns {
            let path = pattern.hasPrefix("/") ? pattern : "/etc/ssh/" + pattern
            for match in source.paths(matching: path) {
                guard let contents = source.contents(of: match) else { continue }
                // A block inside the file ends with it, and stands inside the one around it.
                var inner = conditions
                while inner.count <= depth { inner.append([]) }
                read(contents, match, depth: depth + 1, &inner)
            }
        }
    }

    // MARK: Values

    private struct Mistake: Error { var text: String }

    /// What a line says, as `sshd -T` shows it: one or several values.
    private func values(of line: ConfigLine, _ row: ServerKeyword) -> Result<[String], Mistake> {
        func bad(_ word: String) -> Result<[String], Mistake> {
            .failure(Mistake(text: "unsupported option \"\(word)\"."))
        }
        guard let first = line.arguments.first else {
            return .failure(Mistake(text: "missing argument."))
        }
        switch row.form {
        case .choice(let words):
            var word = first.lowercased()
            if word == "true" { word = "yes" }
            if word == "false" { word = "no" }
            guard words.contains(word) else { return bad(first) }
            switch word {
            case "prohibit-password": return .success(["without-password"])
            case "all": return .success(["yes"])
            case "delayed" where row.name == "Compression": return .success(["yes"])
            default: return .success([word])
            }
        case .number(let range):
            guard let number = Int(first), range.contains(number) else {
                return .failure(Mistake(text: "integer value \(first) out of range"))
            }
            return .success(["\(number)"])
        case .time:
            if first.lowercased() == "none" {
                return .success([row.name == "UnusedConnectionTimeout" ? "none" : "0"])
            }
            guard let seconds = Syntax.seconds(first) else {
                return .failure(Mistake(text: "invalid time value."))
            }
            return .success(["\(seconds)"])
        case .word: return .success([first.lowercased() == "none" ? "none" : first])
        case .command: return .success([line.rest])
        case .words: return .success([line.arguments.joined(separator: " ")])
        case .wordsApart, .wordsAddUp: return .success(line.arguments)
        case .linesAddUp: return addedLine(line, row)
        case .named:
            guard line.arguments.count >= 2 else {
                return .failure(Mistake(text: "Missing subsystem command."))
            }
            return .success([line.arguments.joined(separator: " ")])
        case .algorithms(let family):
            let list = algorithms.list(family)
            guard
                let names = Syntax.algorithms(first, defaults: list.offered, known: list.all)
            else { return .failure(Mistake(text: "Bad \(row.name) spec '\(first)'.")) }
            return .success([names.joined(separator: ",")])
        case .rekeyLimit:
            guard let bytes = first == "default" ? 0 : Syntax.bytes(first),
                bytes == 0 || bytes >= 16
            else { return .failure(Mistake(text: "RekeyLimit too small")) }
            var seconds = 0
            if line.arguments.count > 1, line.arguments[1] != "none" {
                guard let value = Syntax.seconds(line.arguments[1]) else {
                    return .failure(Mistake(text: "invalid time value."))
                }
                seconds = value
            }
            return .success(["\(bytes) \(seconds)"])
        case .maxStartups:
            let parts = first.split(separator: ":", omittingEmptySubsequences: false)
                .map { Int($0) ?? -1 }
            if parts.count == 1, parts[0] > 0 {
                return .success(["\(parts[0]):100:\(parts[0])"])
            }
            guard parts.count == 3, parts[0] > 0, (1...100).contains(parts[1]), parts[2] >= parts[0]
            else { return .failure(Mistake(text: "Invalid MaxStartups spec.")) }
            return .success([first])
        case .mask:
            guard let mask = UInt16(first, radix: 8), mask <= 0o777 else {
                return .failure(Mistake(text: "Bad mask."))
            }
            let digits = String(mask, radix: 8)
            return .success(["0" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits]
            )
        }
    }

    private func addedLine(
        _ line: ConfigLine,
        _ row: ServerKeyword
    ) -> Result<[String], Mistake> {
        let first = line.arguments[0]
        if row.name == "Port" {
            guard let port = Syntax.port(first) else {
                return .failure(Mistake(text: "Badly formatted port number."))
            }
            return .success(["\(port)"])
        }
        return .success([
            row.name == "ListenAddress" ? line.arguments.joined(separator: " ") : first
        ])
    }

    // MARK: Match

    private static let criteria: Set<String> = [
        "user", "group", "host", "address", "localaddress", "localport", "rdomain",
    ]

    private static func mistake(inMatch words: [String]) -> String? {
        guard !words.isEmpty else { return "missing Match criteria" }
        var words = words[...]
        while let word = words.popFirst() {
            let name = word.prefix { $0 != "=" }.lowercased()
            if name == "all" {
                if !words.isEmpty { return "'all' cannot be combined with other Match attributes" }
                continue
            }
            if name == "invalid-user" { continue }
            guard criteria.contains(name) else { return "Unsupported Match attribute \(word)" }
            let argument =
                word.firstIndex(of: "=").map { String(word[word.index(after: $0)...]) }
                ?? words.popFirst()
            guard let argument else { return "Missing Match criteria for \(word)" }
            guard name == "address" || name == "localaddress" else { continue }
            if let bad = argument.split(separator: ",").first(where: {
                AddressPatterns.isInconsistent(String($0))
            }) {
                return "Invalid Match address argument '\(bad)'"
            }
        }
        return nil
    }

    private static func holds(_ words: [String], for subject: ServerMatchSubject?) -> Bool {
        var words = words[...]
        while let word = words.popFirst() {
            let name = word.prefix { $0 != "=" }.lowercased()
            if name == "all" { continue }
            guard let subject else { return false }
            if name == "invalid-user" {
                guard subject.isInvalidUser else { return false }
                continue
            }
            let argument =
                word.contains("=")
                ? String(word[word.index(after: word.firstIndex(of: "=") ?? word.startIndex)...])
                : words.popFirst() ?? ""
            let list = argument.split(separator: ",").map(String.init)
            func matches(_ text: String?) -> Bool {
                text.map { Patterns.verdict(list, $0) == true } ?? false
            }
            let result =
                switch name {
                case "user": matches(subject.user)
                case "group": subject.groups.contains { Patterns.verdict(list, $0) == true }
                case "host": matches(subject.host?.lowercased())
                case "address": AddressPatterns.verdict(list, subject.address) == true
                case "localaddress": AddressPatterns.verdict(list, subject.localAddress) == true
                case "localport": subject.localPort == Int(argument)
                case "rdomain": matches(subject.rdomain)
                default: false
                }
            guard result else { return false }
        }
        return true
    }

    // MARK: What is in force

    /// `sshd -T`'s lines for a subject: lower-case keyword, blank, value. Without a subject no
    /// `Match` but `all` holds.
    package func effective(for subject: ServerMatchSubject? = nil) -> String {
        var found: [String: [String]] = [:]
        var matchedNames: [String: Bool] = [:]
        // Lines under Match count before global ones; among equals the first counts.
        let active = lines.filter { line in
            line.conditions.allSatisfy { Self.holds($0, for: subject) }
        }
        let ordered =
            active.filter(\.isFromMatch) + active.filter { !$0.isFromMatch }
        for line in ordered {
            guard let row = line.row, case .success(let values) = values(of: line.line, row) else {
                continue
            }
            let isFromMatch = line.isFromMatch
            switch row.form {
            case .wordsAddUp, .linesAddUp:
                // What a block lists replaces what the file lists.
                if matchedNames[line.keyword] == true, !isFromMatch { continue }
                found[line.keyword, default: []] += values
            case .named:
                let name = values[0].prefix { $0 != " " }
                let isThere = found[line.keyword]?.contains { $0.prefix { $0 != " " } == name }
                if isThere != true { found[line.keyword, default: []] += values }
            default:
                if found[line.keyword] == nil { found[line.keyword] = values }
            }
            if matchedNames[line.keyword] == nil { matchedNames[line.keyword] = isFromMatch }
        }
        return ServerKeywords.rows.flatMap { row in shown(row, found) }.joined()
    }

    private func shown(_ row: ServerKeyword, _ found: [String: [String]]) -> [String] {
        let keyword = row.name.lowercased()
        var values = found[keyword] ?? row.defaults
        if case .algorithms(let family) = row.form, found[keyword] == nil {
            values = [algorithms.list(family).offered.joined(separator: ",")]
        }
        if keyword == "listenaddress" {
            values = listenAddresses(values, ports: found["port"] ?? ["22"])
        }
        return values.map { "\(keyword) \($0)\n" }
    }

    /// Each address with each port, unless it has one of its own.
    private func listenAddresses(_ addresses: [String], ports: [String]) -> [String] {
        let all = addresses.isEmpty ? ["[::]", "0.0.0.0"] : addresses
        return all.flatMap { address -> [String] in
            let colons = address.filter { $0 == ":" }.count
            if address.hasPrefix("[") {
                return address.contains("]:") ? [address] : ports.map { "\(address):\($0)" }
            }
            if colons == 1 { return [address] }
            return ports.map { colons > 1 ? "[\(address)]:\($0)" : "\(address):\($0)" }
        }
    }
}
