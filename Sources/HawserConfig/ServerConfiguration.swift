// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The lists of names that edits start from and patterns expand over.
package struct ServerAlgorithms: Sendable {
    package typealias List = AlgorithmNames

    package var ciphers: List
    package var macs: List
    package var keyExchange: List
    package var publicKey: List
    package var certificateAuthority: List

    package init(
        ciphers: List,
        macs: List,
        keyExchange: List,
        publicKey: List,
        certificateAuthority: List? = nil
    ) {
        self.ciphers = ciphers
        self.macs = macs
        self.keyExchange = keyExchange
        self.publicKey = publicKey
        self.certificateAuthority = certificateAuthority ?? publicKey
    }

    package subscript(_ family: AlgorithmFamily) -> List {
        switch family {
        case .ciphers: ciphers
        case .macs: macs
        case .keyExchange: keyExchange
        case .publicKey: publicKey
        case .certificateAuthority: certificateAuthority
        }
    }
}

/// sshd_config(5) as it was read: lines in order, `Include`s in their places. What is in force
/// depends on whom it is asked for.
package struct ServerConfiguration {
    /// A `Match` block; number 0 is what stands outside of any.
    struct Block: Sendable {
        /// The block around the file that this one stands in.
        var parent: Int
        var criteria: [ServerCriterion]
        /// The line as written, for a person.
        var text: String
    }

    /// A line that said something.
    struct Line: Sendable {
        var keyword: ServerKeyword
        var values: [String]
        var block: Int
        /// The place of its file in `files`.
        var file: Int
        var number: Int
    }

    /// Where a line stands.
    private struct Place {
        var file: String
        var fileIndex: Int
        var number: Int
        var depth: Int
        var block: Int
        /// The block around this file.
        var outerBlock: Int
    }

    private(set) var blocks = [Block(parent: 0, criteria: [], text: "")]
    private(set) var lines: [Line] = []
    private(set) var files: [String] = []
    /// What each line sets and where, for the log.
    package var settingLines: [String] {
        lines.map { line in
            let words = line.values.joined(separator: " ")
            return "\(files[line.file]):\(line.number) setting \(line.keyword.row.name) \(words)"
        }
    }
    /// `Port` is read from here on, and does not count.
    package var ignoresPorts = false
    let context: ValueContext
    private let source: any ConfigSource
    /// Every mistake, in order; with one the configuration must not be used.
    package private(set) var errors: [ConfigError] = []
    /// What deserves a line in the log.
    package private(set) var notes: [String] = []
    private var isOver = false
    /// How many lines are wrong.
    private var badLines = 0
    /// The first mistake is one in an option of the command line that OpenSSH tells as a line that
    /// cannot be read, not as a value that is wrong: sshd's exit status is 1, not 255.
    package private(set) var beganWithUnreadableOption = false

    package init(algorithms: ServerAlgorithms, source: any ConfigSource) {
        self.init(
            context: ValueContext(isServer: true, algorithms: { algorithms[$0] }),
            source: source
        )
    }

    package init(context: ValueContext, source: any ConfigSource) {
        self.context = context
        self.source = source
    }

    // MARK: Reading

    /// A keyword and its value from the command line; it counts before any file.
    package mutating func read(option text: String) {
        var place = place(of: "command-line")
        read(line: text.octets[...], &place)
    }

    package mutating func read(_ contents: [UInt8], file: String) {
        var place = place(of: file)
        readWhole(contents, &place)
    }

    /// A file with mistakes ends the reading.
    private mutating func readWhole(_ contents: [UInt8], _ place: inout Place) {
        let before = badLines
        read(contents, &place)
        let bad = badLines - before
        guard bad > 0, !isOver else { return }
        let text = "\(place.file): terminating, \(bad) bad configuration options"
        errors.append(ConfigError(file: place.file, line: 0, text: text))
        isOver = true
    }

    private mutating func place(of file: String) -> Place {
        files.append(file)
        return Place(
            file: file,
            fileIndex: files.count - 1,
            number: 0,
            depth: 0,
            block: 0,
            outerBlock: 0
        )
    }

    private mutating func read(_ contents: [UInt8], _ place: inout Place) {
        var rest = contents[...]
        while !rest.isEmpty, !isOver {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            place.number += 1
            read(line: rest[..<end], &place)
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
        }
    }

    private mutating func read(line text: ArraySlice<UInt8>, _ place: inout Place) {
        guard let (word, rest) = ConfigLine.separated(text) else { return }
        var written: String { String(octets: word) }
        guard !rest.isEmpty else {
            return fail(
                "no argument after keyword \"\(written)\"",
                place,
                isUnreadable: true
            )
        }
        var line: ConfigLine.Arguments
        do throws(LexicalError) {
            line = try ConfigLine.Arguments(rest)
        } catch { return fail("invalid quotes", place, isUnreadable: true) }
        switch ServerKeyword.meaning(of: word) {
        case .keyword(let keyword):
            // Nothing but a comment.
            if line.isEmpty, ServerKeyword.lists.contains(keyword) { return }
            add(keyword, &line, written, place)
            if !line.isEmpty {
                fail(
                    "keyword \(written) extra arguments at end of line",
                    place,
                    isUnreadable: true
                )
            }
        case .match: match(line.takeAll(), rest, &place)
        case .include: include(line.takeAll(), written, place)
        case .ignored: break
        case .deprecated:
            notes.append("\(place.file) line \(place.number): Deprecated option \(written)")
        case .unsupported:
            notes.append("\(place.file) line \(place.number): Unsupported option \(written)")
        case nil:
            let names = ["Match", "Include"] + ServerKeyword.rows.map(\.name)
            noteBadLine(place, isUnreadable: true)
            errors.append(
                ConfigError(
                    file: place.file,
                    line: 0,
                    text: "\(place.file): line \(place.number): Bad configuration option: "
                        + written + Suggestion.text(for: written, among: names)
                )
            )
        }
    }

    private mutating func add(
        _ keyword: ServerKeyword,
        _ line: inout ConfigLine.Arguments,
        _ written: String,
        _ place: Place
    ) {
        let row = keyword.row
        // What stands behind `Match all` counts for all, even where the keyword fits no block.
        let isForAll =
            place.block > 0 && blocks[place.block].criteria.isEmpty
            && blocks[place.block].parent == 0
        guard place.block == 0 || row.inMatch || isForAll else {
            line = .none
            return fail("Directive '\(written)' is not allowed within a Match block", place)
        }
        do throws(ValueMistake) {
            let values = try row.form.values(&line, row, context)
            guard line.isEmpty, keyword != .port || !ignoresPorts else { return }
            lines.append(
                Line(
                    keyword: keyword,
                    values: values,
                    block: row.inMatch ? place.block : 0,
                    file: place.fileIndex,
                    number: place.number
                )
            )
        } catch {
            line = .none
            let isFirst = errors.isEmpty
            if let preface = error.preface {
                errors.append(ConfigError(file: place.file, line: 0, text: preface))
            }
            if isFirst, place.number == 0 {
                beganWithUnreadableOption = keyword == .pubkeyAuthOptions
            }
            fail(error.text, place, isUnreadable: keyword == .pubkeyAuthOptions)
        }
    }

    private mutating func noteBadLine(_ place: Place, isUnreadable: Bool) {
        if errors.isEmpty, place.number == 0 { beganWithUnreadableOption = isUnreadable }
        badLines += 1
    }

    private mutating func fail(_ text: String, _ place: Place, isUnreadable: Bool = false) {
        noteBadLine(place, isUnreadable: isUnreadable)
        errors.append(
            ConfigError(
                file: place.file,
                line: 0,
                text: "\(place.file) line \(place.number): \(text)"
            )
        )
    }

    private mutating func failOnCommandLine(_ name: String, _ place: Place) {
        noteBadLine(place, isUnreadable: false)
        let text = "\(name) directive not supported as a command-line option"
        errors.append(ConfigError(file: place.file, line: 0, text: text))
    }

    private mutating func match(
        _ words: [String],
        _ rest: ArraySlice<UInt8>,
        _ place: inout Place
    ) {
        guard place.number > 0 else {
            return failOnCommandLine("Match", place)
        }
        var criteria: [ServerCriterion] = []
        do throws(ValueMistake) {
            criteria = try ServerCriterion.parse(words)
        } catch {
            errors.append(ConfigError(file: place.file, line: 0, text: error.text))
            fail("Bad Match condition", place)
            // Something must stand there that is not `all`.
            criteria = [.user([])]
        }
        blocks.append(
            Block(
                parent: place.outerBlock,
                criteria: criteria,
                text: "Match " + String(octets: rest)
            )
        )
        place.block = blocks.count - 1
    }

    private mutating func include(_ patterns: [String], _ written: String, _ place: Place) {
        guard place.number > 0 else {
            return failOnCommandLine("Include", place)
        }
        guard place.depth < 16 else {
            isOver = true
            errors.append(
                ConfigError(
                    file: place.file,
                    line: 0,
                    text: "Too many recursive configuration includes"
                )
            )
            return
        }
        for pattern in patterns where !isOver {
            guard !pattern.isEmpty else {
                return fail("keyword \(written) empty argument", place)
            }
            let path = pattern.hasPrefix("/") ? pattern : "/etc/ssh/" + pattern
            for match in source.paths(matching: path) where !isOver {
                guard let contents = source.contents(of: match) else {
                    if let obstacle = source.obstacle(to: match) {
                        fail("\(match): \(obstacle)", place)
                    }
                    continue
                }
                // A block inside the file ends with it, and stands inside the one around it.
                var inner = self.place(of: match)
                inner.depth = place.depth + 1
                inner.block = place.block
                inner.outerBlock = place.block
                readWhole(contents, &inner)
            }
        }
    }

    // MARK: What is in force

    /// `sshd -T`'s lines for a subject: lower-case keyword, blank, value. Without a subject no
    /// `Match` but `all` holds.
    package func effective(for subject: ServerMatchSubject? = nil) -> String {
        listing(for: subject).text
    }

    package func listing(for subject: ServerMatchSubject? = nil) -> ServerListing {
        ServerListing(self, subject)
    }

    /// Whether a `Match` block says something about a keyword.
    package func varies(_ keyword: ServerKeyword) -> Bool {
        lines.contains { $0.block > 0 && $0.keyword == keyword }
    }

    /// Which blocks hold: all that what is in force depends on.
    package func active(for subject: ServerMatchSubject?) -> [Bool] {
        var result: [Bool] = []
        result.reserveCapacity(blocks.count)
        for (index, block) in blocks.enumerated() {
            let isInside = index == 0 || result[block.parent]
            result.append(isInside && block.criteria.allSatisfy { $0.holds(for: subject) })
        }
        return result
    }
}
