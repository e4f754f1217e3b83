// SPDX-License-Identifier: Apache-2.0

/// What reading a configuration needs from the world.
package protocol ConfigSource {
    /// The content of a file, or nil when there is none.
    func contents(of path: String) -> [UInt8]?
    /// The paths that a pattern of `Include` stands for, sorted.
    func paths(matching pattern: String) -> [String]
    /// The exit status of a command in the user's shell is 0 (`Match exec`).
    func succeeds(_ command: String) -> Bool
}

/// Whom a configuration is read for.
package struct ClientConfigSubject: Sendable {
    /// The host as the command line names it.
    package var originalHost: String
    package var localUser: String
    package var home: String

    package init(originalHost: String, localUser: String, home: String) {
        self.originalHost = originalHost
        self.localUser = localUser
        self.home = home
    }
}

/// Reads ssh_config(5) files: `Host`, `Match`, `Include`, one keyword a line.
package struct ClientConfigReader {
    package var options: ClientOptions
    /// Every mistake that was found, in order.
    package private(set) var errors: [ConfigError] = []
    private let subject: ClientConfigSubject
    private let source: any ConfigSource

    package init(
        _ options: ClientOptions,
        for subject: ClientConfigSubject,
        from source: any ConfigSource
    ) {
        self.options = options
        self.subject = subject
        self.source = source
    }

    /// A file, if it is there; false when it is not.
    package mutating func read(file path: String, isUserFile: Bool) -> Bool {
        guard let contents = source.contents(of: path) else { return false }
        var isActive = true
        read(contents, path, isUserFile: isUserFile, depth: 0, &isActive)
        return true
    }

    /// A keyword and its value from `-o`.
    package mutating func read(commandLineOption text: String) {
        var isActive = true
        apply(text, "command-line", 0, isUserFile: true, depth: 0, &isActive, isOption: true)
    }

    private mutating func read(
        _ contents: [UInt8],
        _ path: String,
        isUserFile: Bool,
        depth: Int,
        _ isActive: inout Bool
    ) {
        let before = errors.count
        for (index, line) in contents.split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        ).enumerated() {
            apply(
                String(decoding: line, as: UTF8.self),
                path,
                index + 1,
                isUserFile: isUserFile,
                depth: depth,
                &isActive
            )
        }
        let bad = errors.count - before
        if bad > 0, depth == 0 {
            errors.append(
                ConfigError(
                    file: path,
                    line: 0,
                    text: "\(path): terminating, \(bad) bad configuration options"
                )
            )
        }
    }

    private mutating func apply(
        _ text: String,
        _ path: String,
        _ number: Int,
        isUserFile: Bool,
        depth: Int,
        _ isActive: inout Bool,
        isOption: Bool = false
    ) {
        func fail(_ message: String, isKeyword: Bool = false) {
            let place = isKeyword ? "\(path): line \(number): " : "\(path) line \(number): "
            errors.append(ConfigError(file: path, line: 0, text: place + message))
        }
        let line: ConfigLine
        do throws(LexicalError) {
            guard let parsed = try ConfigLine.parse(text) else { return }
            line = parsed
        } catch { return fail("invalid quotes") }
        switch line.keyword.lowercased() {
        case "host" where !isOption:
            guard !line.arguments.isEmpty else { return fail("missing argument.") }
            isActive = Patterns.verdict(line.arguments, subject.originalHost) == true
        case "match" where !isOption:
            guard let verdict = match(line.arguments) else {
                return fail("Bad Match condition")
            }
            isActive = verdict
        case "include" where !isOption:
            include(line.arguments, isUserFile: isUserFile, depth: depth, isActive)
        default:
            guard let row = ClientKeywords.row(named: line.keyword) else {
                return fail(
                    "Bad configuration option: \(line.keyword.lowercased())",
                    isKeyword: true
                )
            }
            // What is not selected is still checked, on a copy.
            var scratch = options
            if let message = row.apply(&scratch, line) { return fail(message) }
            if isActive { options = scratch }
        }
    }

    private mutating func include(
        _ patterns: [String],
        isUserFile: Bool,
        depth: Int,
        _ isActive: Bool
    ) {
        guard depth < Self.maximumDepth else {
            errors.append(
                ConfigError(
                    file: "",
                    line: 0,
                    text: "Too many recursive configuration includes"
                )
            )
            return
        }
        for pattern in patterns {
            var path = pattern
            if path.hasPrefix("~/") { path = subject.home + path.dropFirst() }
            if !path.hasPrefix("/") {
                path = (isUserFile ? "\(subject.home)/.ssh/" : "/etc/ssh/") + path
            }
            for file in source.paths(matching: path) {
                guard let contents = source.contents(of: file) else { continue }
                var inner = isActive
                read(contents, file, isUserFile: isUserFile, depth: depth + 1, &inner)
            }
        }
    }

    /// Whether the criteria of a `Match` line hold; nil when one is not known.
    private func match(_ words: [String]) -> Bool? {
        var words = words[...]
        var result = true
        guard !words.isEmpty else { return nil }
        while var criterion = words.popFirst() {
            let isNegated = criterion.hasPrefix("!")
            if isNegated { criterion.removeFirst() }
            var value: String?
            if let equals = criterion.firstIndex(of: "=") {
                value = String(criterion[criterion.index(after: equals)...])
                criterion = String(criterion[..<equals])
            }
            let name = criterion.lowercased()
            if name == "all" { continue }
            if name == "canonical" || name == "final" {
                result = result && isNegated
                continue
            }
            guard let argument = value ?? words.popFirst() else { return nil }
            let list = argument.split(separator: ",").map(String.init)
            let holds: Bool
            switch name {
            case "host":
                holds = Patterns.verdict(list, options.hostName ?? subject.originalHost) == true
            case "originalhost": holds = Patterns.verdict(list, subject.originalHost) == true
            case "user": holds = Patterns.verdict(list, options.user ?? subject.localUser) == true
            case "localuser": holds = Patterns.verdict(list, subject.localUser) == true
            case "exec": holds = result && source.succeeds(argument)
            case "localnetwork", "tagged", "command", "version", "sessiontype": holds = false
            default: return nil
            }
            result = result && holds != isNegated
        }
        return result
    }

    private static let maximumDepth = 16
}
