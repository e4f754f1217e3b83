// SPDX-License-Identifier: Apache-2.0

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
    /// `Port` is read from here on, and does not count.
    package var ignoresPorts = false
    let context: ValueContext
    private let source: any ConfigSource
    /// Every mistake, in order; with one the configuration must not be used.
    package private(set) var errors: [ConfigError] = []
    /// What deserves a line in the log.
    package private(set) var notes: [String] = []
    private var isOver = false

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
        read(line: Array(text.utf8)[...], &place)
    }

    package mutating func read(_ contents: [UInt8], file: String) {
        let before = errors.count
        var place = place(of: file)
        read(contents, &place)
        let bad = errors.count - before
        if bad > 0, !isOver {
            let text = "\(file): terminating, \(bad) bad configuration options"
            errors.append(ConfigError(file: file, line: 0, text: text))
        }
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
        var written: String { String(decoding: word, as: UTF8.self) }
        guard !rest.isEmpty else {
            return fail("no argument after keyword \"\(written)\"", place)
        }
        var line: ConfigLine.Arguments
        do throws(LexicalError) {
            line = try ConfigLine.Arguments(rest)
        } catch { return fail("invalid quotes", place) }
        switch ServerKeyword.meaning(of: word) {
        case .keyword(let keyword):
            add(keyword, &line, written, place)
            if !line.isEmpty {
                fail("keyword \(written) extra arguments at end of line", place)
            }
        case .match: match(line.takeAll(), rest, &place)
        case .include: include(line.takeAll(), written, place)
        case .ignored: break
        case .deprecated:
            notes.append("\(place.file) line \(place.number): Deprecated option \(written)")
        case .unsupported:
            notes.append("\(place.file) line \(place.number): Unsupported option \(written)")
        case nil:
            let names = ServerKeyword.rows.map(\.name)
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
        guard place.block == 0 || row.inMatch else {
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
                    block: place.block,
                    file: place.fileIndex,
                    number: place.number
                )
            )
        } catch {
            line = .none
            fail(error.text, place)
        }
    }

    private mutating func fail(_ text: String, _ place: Place) {
        errors.append(
            ConfigError(
                file: place.file,
                line: 0,
                text: "\(place.file) line \(place.number): \(text)"
            )
        )
    }

    private mutating func match(
        _ words: [String],
        _ rest: ArraySlice<UInt8>,
        _ place: inout Place
    ) {
        guard place.number > 0 else {
            errors.append(
                ConfigError(
                    file: place.file,
                    line: 0,
                    text: "Match directive not supported as a command-line option"
                )
            )
            return
        }
        var criteria: [ServerCriterion] = []
        do throws(ValueMistake) {
            criteria = try ServerCriterion.parse(words)
        } catch {
            fail("Bad Match condition: \(error.text)", place)
        }
        blocks.append(
            Block(
                parent: place.outerBlock,
                criteria: criteria,
                text: "Match " + String(decoding: rest, as: UTF8.self)
            )
        )
        place.block = blocks.count - 1
    }

    private mutating func include(_ patterns: [String], _ written: String, _ place: Place) {
        guard place.number > 0 else {
            return fail("Include directive not supported as a command-line option", place)
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
                read(contents, &inner)
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
