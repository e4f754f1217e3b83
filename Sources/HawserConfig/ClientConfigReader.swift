// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What reading a configuration needs from the world.
package protocol ConfigSource {
    /// The content of a file, or nil when there is none.
    func contents(of path: String) -> [UInt8]?
    /// The paths that a pattern of `Include` stands for, sorted.
    func paths(matching pattern: String) -> [String]
    /// The exit status of a command in the user's shell is 0 (`Match exec`).
    func succeeds(_ command: String) -> Bool
    /// Why a file that is there cannot be read; nil also for a directory, in which nothing is read.
    func obstacle(to path: String) -> String?
    /// Why a file must not be used although it is there; nil when it may.
    func objection(to path: String) -> String?
    /// A variable of the environment.
    func variable(_ name: String) -> String?
    /// Whether one of this machine's addresses is within a list of networks (`Match localnetwork`).
    func hasAddress(within networks: [String]) -> Bool
}

extension ConfigSource {
    package func obstacle(to path: String) -> String? { nil }
    package func objection(to path: String) -> String? { nil }
    package func variable(_ name: String) -> String? { nil }
    package func hasAddress(within networks: [String]) -> Bool { false }
}

/// Whom a configuration is read for.
package struct ClientConfigSubject: Sendable {
    /// The host as the command line names it.
    package var originalHost: String
    package var localUser: String
    package var home: String
    /// The remote command of the command line; nil for none.
    package var command: String?
    /// The program's version, as `Match version` sees it.
    package var version: String
    /// The numeric id of the local user.
    package var userID: UInt32
    /// The name of this machine, asked for only when a token needs it.
    package var localHost: @Sendable () -> String
    /// The host of the second reading, where `Host` and `Match host` look at it.
    package var finalHost: String?
    /// The second reading.
    package var isFinal = false
    /// The value of `%C`.
    package var connectionHash: @Sendable (String) -> String

    package init(
        originalHost: String,
        localUser: String,
        home: String,
        command: String? = nil,
        version: String = "",
        userID: UInt32 = 0,
        localHost: @escaping @Sendable () -> String = { "" },
        connectionHash: @escaping @Sendable (String) -> String = { $0 }
    ) {
        self.originalHost = originalHost
        self.localUser = localUser
        self.home = home
        self.command = command
        self.version = version
        self.userID = userID
        self.localHost = localHost
        self.connectionHash = connectionHash
    }
}

/// Reads ssh_config(5) files: `Host`, `Match`, `Include`, one keyword a line.
package struct ClientConfigReader {
    package var options: ClientOptions
    /// Every mistake that was found, in order.
    package private(set) var errors: [ConfigError] = []
    /// What deserves a word although it is no mistake.
    package private(set) var notes: [String] = []
    /// A `Match final` or `Match canonical` was met: the files are to be read once more.
    package private(set) var wantsFinalPass = false
    /// What `RefuseConnection` said in a block that applies.
    package private(set) var refusal: String?
    /// Is told what is read and what applies, with how much detail that is: 1 to 3, as `-v` is
    /// repeated.
    package var trace: ((_ detail: Int, _ text: String) -> Void)?
    let subject: ClientConfigSubject
    let source: any ConfigSource
    private let context: ValueContext
    /// How many lines are wrong.
    private var badLines = 0
    /// A mistake after which nothing more is read.
    private var isOver = false

    /// Where a line stands.
    struct Place {
        var file: String
        var line: Int
        var isUserFile: Bool
        var depth: Int
        /// Whether the block applies.
        var isActive: Bool
        /// The line that began the block.
        var block: String
        /// Included from a block that does not apply.
        var isWithinInactive = false
    }

    package init(
        _ options: ClientOptions,
        for subject: ClientConfigSubject,
        from source: any ConfigSource,
        context: ValueContext = ValueContext { _ in AlgorithmNames(offered: [], all: []) }
    ) {
        self.options = options
        self.subject = subject
        self.source = source
        self.context = context
    }

    /// A file, if it is there; false when it is not.
    package mutating func read(file path: String, isUserFile: Bool) -> Bool {
        guard let contents = source.contents(of: path) else { return false }
        var place = Place(
            file: path,
            line: 0,
            isUserFile: isUserFile,
            depth: 0,
            isActive: true,
            block: ""
        )
        readWhole(contents, &place)
        return true
    }

    /// A file with mistakes ends the reading: what is read in between is not used.
    private mutating func readWhole(_ contents: [UInt8], _ place: inout Place) {
        trace?(1, "Reading configuration data \(place.file)")
        let before = badLines
        read(contents, &place)
        let bad = badLines - before
        guard bad > 0, !isOver else { return }
        let text = "\(place.file): terminating, \(bad) bad configuration options"
        errors.append(ConfigError(file: place.file, line: 0, text: text))
        isOver = true
    }

    /// A keyword and its value from `-o`.
    package mutating func read(commandLineOption text: String) {
        var place = Place(
            file: "command-line",
            line: 0,
            isUserFile: true,
            depth: 0,
            isActive: true,
            block: ""
        )
        apply(text.octets[...], &place)
    }

    private mutating func read(_ contents: [UInt8], _ place: inout Place) {
        var rest = contents[...]
        while !rest.isEmpty, !isOver {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            place.line += 1
            apply(rest[..<end], &place)
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
        }
    }

    /// Traces what a line came to; the text is made only where someone wants it.
    func tell(_ detail: Int, _ place: Place, _ text: @autoclosure () -> String) {
        trace?(detail, "\(place.file) line \(place.line): \(text())")
    }

    /// A mistake whose place says nothing.
    private mutating func failBare(_ text: String) {
        badLines += 1
        errors.append(ConfigError(file: "", line: 0, text: text))
    }

    private mutating func fail(_ text: String, _ place: Place, isKeyword: Bool = false) {
        badLines += 1
        let colon = isKeyword ? ":" : ""
        errors.append(
            ConfigError(
                file: place.file,
                line: 0,
                text: "\(place.file)\(colon) line \(place.line): \(text)"
            )
        )
    }

    private mutating func apply(_ text: ArraySlice<UInt8>, _ place: inout Place) {
        guard let (word, rest) = ConfigLine.separated(text), !word.isEmpty else { return }
        func keyword() -> String { String(octets: word).lowercased() }
        guard !rest.isEmpty else {
            return fail("no argument after keyword \"\(keyword())\"", place)
        }
        var line: ConfigLine.Arguments
        do throws(LexicalError) {
            line = try ConfigLine.Arguments(rest)
        } catch { return fail("invalid quotes", place) }
        switch ClientKeyword.meaning(of: word) {
        case .keyword(let keyword):
            // Nothing but a comment.
            if line.isEmpty, ClientKeyword.lists.contains(keyword) { return }
            set(keyword, &line, place)
        case .ignored: return
        case .unsupported:
            notes.append(
                "\(place.file) line \(place.line): Unsupported option \"\(keyword())\""
            ); return
        case .host: host(line.takeAll(), rest, &place)
        case .match: match(&line, rest, &place)
        case .include: include(line.takeAll(), place)
        case nil:
            line = ConfigLine.Arguments.none
            unknown(keyword(), place)
        }
        if !line.isEmpty {
            fail("keyword \(keyword()) extra arguments at end of line", place)
        }
    }

    private mutating func unknown(_ keyword: String, _ place: Place) {
        if let patterns = options.ignoreUnknown {
            let list = patterns.lowercased().split(separator: ",").map(String.init)
            if Patterns.verdict(list, keyword) == true { return }
        }
        let names = ["Host", "Match", "Include"] + ClientKeyword.rows.map(\.name)
        fail(
            "Bad configuration option: \(keyword)" + Suggestion.text(for: keyword, among: names),
            place,
            isKeyword: true
        )
    }

    private mutating func set(
        _ keyword: ClientKeyword,
        _ line: inout ConfigLine.Arguments,
        _ place: Place
    ) {
        let row = keyword.row
        do throws(ValueMistake) {
            let values = try row.form.values(&line, row, context)
            guard line.isEmpty else { return }
            if keyword == .refuseConnection {
                if place.isActive, refusal == nil {
                    refusal =
                        "\(place.file) line \(place.line): RefuseConnection: \(values.first ?? "")"
                }
                return
            }
            // What a program puts together for the command line may not reach a shell.
            if keyword == .proxyJump, place.line == 0, let jump = values.first,
                let harm = JumpHosts.harm(in: jump)
            {
                errors.append(ConfigError(file: "", line: 0, text: harm))
                throw ValueMistake("Invalid ProxyJump \"\(jump)\"")
            }
            guard place.isActive || keyword == .streamLocalBindMask || keyword == .syslogFacility
            else { return }
            let origin = ConfigOrigin(
                file: place.line == 0 ? "-o" : place.file,
                line: place.line,
                block: place.block
            )
            options.merge(keyword, values, from: origin)
        } catch {
            line = .none
            if let preface = error.preface {
                errors.append(ConfigError(file: "", line: 0, text: preface))
            }
            fail(error.text, place)
        }
    }

    // MARK: Blocks

    private mutating func host(
        _ patterns: [String],
        _ rest: ArraySlice<UInt8>,
        _ place: inout Place
    ) {
        guard place.file != "command-line" else {
            return failBare("Host directive not supported as a command-line option")
        }
        guard !patterns.contains("") else { return fail("keyword host empty argument", place) }
        place.block = "Host " + String(octets: rest)
        place.isActive = false
        switch Patterns.finding(patterns, subject.finalHost ?? subject.originalHost) {
        case .matched(let pattern) where !place.isWithinInactive:
            place.isActive = true
            tell(1, place, "Applying options for \(pattern)")
        case .negated(let pattern) where !place.isWithinInactive:
            tell(1, place, "Skipping Host block because of negated match for \(pattern)")
        default: break
        }
    }

    private mutating func match(
        _ line: inout ConfigLine.Arguments,
        _ rest: ArraySlice<UInt8>,
        _ place: inout Place
    ) {
        guard place.file != "command-line" else {
            line = .none
            return failBare("Host directive not supported as a command-line option")
        }
        place.block = "Match " + String(octets: rest)
        trace?(
            2,
            "checking match for '\(String(octets: rest))' "
                + "host \(host) originally \(subject.originalHost)"
        )
        do throws(ValueMistake) {
            var criteria = ClientMatch(self)
            let holds = try criteria.holds(line.takeAll(), place)
            if criteria.wantsFinalPass { wantsFinalPass = true }
            place.isActive = holds && !place.isWithinInactive
            trace?(2, holds ? "match found" : "match not found")
        } catch {
            line = .none
            for text in error.text.utf8.split(separator: 10) {
                errors.append(ConfigError(file: "", line: 0, text: String(Substring(text))))
            }
            fail("Bad Match condition", place)
            place.isActive = false
        }
    }

    private mutating func include(_ patterns: [String], _ place: Place) {
        guard place.file != "command-line" else {
            return failBare("Include directive not supported as a command-line option")
        }
        guard place.depth < Self.maximumDepth else {
            isOver = true
            errors.append(
                ConfigError(file: "", line: 0, text: "Too many recursive configuration includes")
            )
            return
        }
        for pattern in patterns where !isOver {
            guard !pattern.isEmpty else { return fail("keyword include empty argument", place) }
            guard let path = includedPath(pattern, place) else {
                return fail("Unable to expand user config file '\(pattern)'", place)
            }
            let files = source.paths(matching: path)
            if files.isEmpty { tell(1, place, "include \(path) matched no files") }
            for file in files where !isOver {
                tell(
                    3,
                    place,
                    "Including file \(file) depth \(place.depth)"
                        + (place.isActive ? "" : " (parse only)")
                )
                if place.isUserFile, let objection = source.objection(to: file) {
                    isOver = true
                    errors.append(ConfigError(file: "", line: 0, text: objection))
                    return
                }
                guard let contents = source.contents(of: file) else {
                    if let obstacle = source.obstacle(to: file) {
                        fail("Can't open user config file \(file): \(obstacle)", place)
                    }
                    continue
                }
                var inner = place
                inner.file = file
                inner.line = 0
                inner.depth += 1
                inner.isWithinInactive = !place.isActive
                readWhole(contents, &inner)
            }
        }
    }

    private func includedPath(_ pattern: String, _ place: Place) -> String? {
        var path = pattern
        if path.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "$") }) {
            guard let withVariables = Tokens.expandVariables(path, source.variable),
                let expanded = tokens.expand(withVariables)
            else { return nil }
            path = expanded
        }
        // What begins with a tilde is the source's to expand, by HOME, as glob(3) does.
        if path.hasPrefix("/") || path.hasPrefix("~") { return path }
        return (place.isUserFile ? "\(subject.home)/.ssh/" : "/etc/ssh/") + path
    }

    // MARK: Tokens

    /// The host to connect to, as far as it is known.
    var host: String {
        if let canonical = subject.finalHost { return canonical }
        guard let name = options.hostName else { return subject.originalHost }
        return Tokens(host: subject.originalHost).expand(name) ?? name
    }

    /// The tokens of ssh_config(5), as far as they are known here.
    var tokens: Tokens {
        let localHost = subject.localHost()
        let port = "\(options.port ?? 22)"
        let user = options.user ?? subject.localUser
        let jump = JumpHosts.lastHost(options.proxyJump)
        var tokens = Tokens()
        tokens["C"] = subject.connectionHash(localHost + host + port + user + jump)
        tokens["d"] = subject.home
        tokens["h"] = host
        tokens["i"] = "\(subject.userID)"
        tokens["j"] = jump
        tokens["k"] = options.hostKeyAlias ?? subject.originalHost
        tokens["L"] = String(localHost.prefix { $0 != "." })
        tokens["l"] = localHost
        tokens["n"] = subject.originalHost
        tokens["p"] = port
        tokens["r"] = user
        tokens["u"] = subject.localUser
        return tokens
    }

    private static let maximumDepth = 16
}
