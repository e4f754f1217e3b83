// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// What the tab key puts in: commands, and paths here or on the server.
struct Completion {
    private let interpreter: Interpreter

    init(_ interpreter: Interpreter) {
        self.interpreter = interpreter
    }

    func complete(_ before: [UInt8]) -> LineEditor.Completion {
        let word = PartialWord(before)
        if word.index == 0 {
            let typed = String(octets: word.plain).lowercased()
            let names = (CommandRow.all.map(\.name) + ["!"]).map { $0.octets }
                .filter { String(octets: $0).hasPrefix(typed) }
            return choose(names, typed: word.plain.count, word) { _ in false }
        }
        let isLocal = Self.isLocal(command: word.command, argument: word.index)
        var folder: [UInt8] = []
        var prefix = word.plain
        if let slash = prefix.lastIndex(of: RemotePath.slash) {
            folder = Array(prefix[...slash])
            prefix = Array(prefix[(slash + 1)...])
        }
        let found = isLocal ? local(folder) : remote(folder)
        let fitting = found.filter {
            $0.name.starts(with: prefix) && (!prefix.isEmpty || $0.name.first != 46)
        }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        let directories = Set(fitting.filter(\.isDirectory).map(\.name))
        return choose(fitting.map(\.name), typed: prefix.count, word) { directories.contains($0) }
    }

    private struct Name {
        var name: [UInt8]
        var isDirectory: Bool
    }

    private func local(_ folder: [UInt8]) -> [Name] {
        guard let stream = DirectoryStream.open(folder.isEmpty ? [46] : folder).1 else { return [] }
        var names: [Name] = []
        while let name = stream.next(), names.count < Self.limit {
            guard name != [46], name != [46, 46] else { continue }
            let isDirectory = stream.status(of: name, followingLinks: true)?.isDirectory ?? false
            names.append(Name(name: name, isDirectory: isDirectory))
        }
        return names
    }

    private func remote(_ folder: [UInt8]) -> [Name] {
        let path = folder.isEmpty ? interpreter.directory : interpreter.absolute(folder)
        let pattern = RemotePath.join(GlobPattern.escape(path), [UInt8(ascii: "*")])
        let hidden = RemotePath.join(GlobPattern.escape(path), Array(".*".utf8))
        var names: [Name] = []
        for pattern in [pattern, hidden] {
            guard let matches = try? Glob(.remote(interpreter.session)).matches(pattern) else {
                continue
            }
            for match in matches.prefix(Self.limit) {
                guard let attributes = match.attributes else { continue }
                let name = RemotePath.name(of: match.path)
                guard name != [46], name != [46, 46] else { continue }
                names.append(Name(name: name, isDirectory: attributes.isDirectory))
            }
        }
        return names
    }

    /// As much as all names have in common, and the choices when there are several.
    private func choose(
        _ names: [[UInt8]],
        typed: Int,
        _ word: PartialWord,
        isDirectory: ([UInt8]) -> Bool
    ) -> LineEditor.Completion {
        guard var common = names.first else { return .init(inserted: [], choices: []) }
        for name in names {
            let shared = zip(common, name).prefix { $0.0 == $0.1 }.count
            common = Array(common[..<shared])
        }
        // Half a character is of no use.
        while common.count > typed, String(validating: common, as: UTF8.self) == nil {
            common.removeLast()
        }
        var inserted = word.quoted(Array(common.dropFirst(typed)))
        if names.count == 1 {
            if isDirectory(common) {
                inserted.append(RemotePath.slash)
            } else {
                if let quote = word.quote { inserted.append(quote) }
                inserted.append(UInt8(ascii: " "))
            }
        }
        guard names.count > 1 else { return .init(inserted: inserted, choices: []) }
        return .init(
            inserted: inserted,
            choices: names.map { PrintableText.of($0) + (isDirectory($0) ? "/" : "") }
        )
    }

    private static func isLocal(command: String, argument: Int) -> Bool {
        switch CommandRow.all.first(where: { $0.name == command })?.verb {
        case .put, .resumePut: argument == 1
        case .get, .resumeGet: argument > 1
        case .changeLocalDirectory, .listLocal, .makeLocalDirectory: true
        default: false
        }
    }

    private static let limit = 10_000
}

/// The word that the cursor is behind.
struct PartialWord {
    /// The first word of the line, in lower case.
    private(set) var command = ""
    /// How many words, flags aside, are before it.
    private(set) var index = 0
    /// What has been typed of it, without quotes and backslashes.
    private(set) var plain: [UInt8] = []
    /// The quote it is in.
    private(set) var quote: UInt8?

    init(_ line: [UInt8]) {
        var isInWord = false
        var position = 0
        while position < line.count {
            let byte = line[position]
            position += 1
            if let mark = quote {
                if byte == mark {
                    quote = nil
                } else if byte == backslash, position < line.count {
                    plain.append(line[position])
                    position += 1
                } else {
                    plain.append(byte)
                }
            } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                if isInWord { endWord() }
                isInWord = false
            } else {
                isInWord = true
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                } else if byte == backslash {
                    if position < line.count { plain.append(line[position]) }
                    position += 1
                } else {
                    plain.append(byte)
                }
            }
        }
    }

    private mutating func endWord() {
        if index == 0 { command = String(octets: plain).lowercased() }
        if index == 0 || plain.first != UInt8(ascii: "-") { index += 1 }
        plain = []
    }

    /// Text as it has to be typed here.
    func quoted(_ text: [UInt8]) -> [UInt8] {
        let special: [UInt8] =
            quote.map { [$0, backslash] } ?? " \t\"'\\*?[]#".octets
        return text.flatMap { special.contains($0) ? [backslash, $0] : [$0] }
    }
}

private let backslash = UInt8(ascii: "\\")
