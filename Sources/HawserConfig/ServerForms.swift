// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The forms of sshd_config(5) alone.
extension ValueForm {
    func serverValues(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow,
        _ context: ValueContext
    ) throws(ValueMistake) -> [String] {
        switch self {
        case .acceptEnvironment:
            let words = line.takeAll()
            guard !words.isEmpty, words.allSatisfy({ !$0.isEmpty && !$0.contains("=") }) else {
                throw ValueMistake("Invalid environment name.")
            }
            return words
        case .authenticationMethods: return [try Self.authenticationMethods(&line)]
        case .file: return [try Self.file(&line, context)]
        case .files:
            var paths: [String] = []
            while !line.isEmpty { paths.append(try Self.file(&line, context)) }
            guard !paths.isEmpty else { throw ValueMistake("missing file name.") }
            return [paths.joined(separator: " ")]
        case .groupPatterns:
            let words = line.takeAll()
            guard !words.contains("") else { throw ValueMistake("empty \(row.name) pattern") }
            return words
        case .hostKeyAgent:
            guard line.next?.isEmpty == false else { throw ValueMistake("missing socket name.") }
            if line.next == "SSH_AUTH_SOCK" { return [line.take() ?? ""] }
            return [try Self.file(&line, context)]
        case .listenAddress: return try Self.listenAddress(&line, context)
        case .maxStartups: return [try Self.maxStartups(&line)]
        case .netBlockSize: return [try Self.netBlockSize(&line)]
        case .numberOrNone:
            guard line.next?.isEmpty == false else {
                throw ValueMistake("\(row.name) missing argument.")
            }
            if line.next?.lowercased() == "none" {
                _ = line.take()
                return ["none"]
            }
            return [try Self.number(&line, row.name + " ")]
        case .penalties: return try Penalties.values(line.takeAll())
        case .penaltyExemptions: return [try Self.penaltyExemptions(&line, row)]
        case .permitListen, .permitOpen: return [try Self.permissions(&line, row)]
        case .permitTunnel: return [try Self.permitTunnel(&line)]
        case .permitUserEnvironment:
            guard let word = line.take(), !word.isEmpty else {
                throw ValueMistake("\(row.name) missing argument.")
            }
            return [word]
        case .program:
            let command = line.takeRest()
            if command.lowercased() == "none" { return ["none"] }
            guard command.hasPrefix("/") || command.hasPrefix("\"/") else {
                throw ValueMistake("\(row.name) must be an absolute path")
            }
            return [command]
        case .pubkeyAuthOptions: return [try Self.pubkeyAuthOptions(&line, row)]
        case .routingDomain:
            guard let word = line.take(), !word.isEmpty else {
                throw ValueMistake("missing argument.")
            }
            if word.lowercased() == "none" { return ["none"] }
            guard word == "%D" || context.isRoutingDomain(word) else {
                throw ValueMistake("bad routing domain")
            }
            return [word]
        case .serverPort:
            guard let word = line.take(), !word.isEmpty else {
                throw ValueMistake("missing port number.")
            }
            guard let port = Syntax.port(word) ?? context.service(word) else {
                throw ValueMistake("Badly formatted port number.")
            }
            return ["\(port)"]
        case .serverWords:
            let words = line.takeAll()
            guard !words.isEmpty, !words.contains("") else {
                throw ValueMistake("keyword \(row.name) empty argument")
            }
            return [words.joined(separator: " ")]
        case .keyFiles:
            var words = line.takeAll()
            guard !words.isEmpty, !words.contains("") else {
                throw ValueMistake("keyword \(row.name) empty argument")
            }
            for index in words.indices {
                words[index] = try Self.expandedHome(words[index], context)
            }
            return [words.joined(separator: " ")]
        case .principalsFile:
            guard let word = line.take(), !word.isEmpty else {
                throw ValueMistake("\(row.name) missing argument.")
            }
            return [word.lowercased() == "none" ? "none" : try Self.expandedHome(word, context)]
        case .eventLog:
            if let word = line.next, word.hasPrefix("unix:/") || word.hasPrefix("fd:") {
                return [line.take() ?? ""]
            }
            return [try Self.file(&line, context)]
        case .subsystem: return [try Self.subsystem(&line, row)]
        case .userPatterns:
            let words = line.takeAll()
            for word in words where !Self.isUserPattern(word) {
                throw ValueMistake("invalid \(row.name) pattern: \"\(word)\"")
            }
            return words
        case .word(let missing):
            guard let word = line.take(), !word.isEmpty else { throw ValueMistake("\(missing)") }
            let isUser = row.name.hasSuffix("User")
            return [word.lowercased() == "none" && !isUser ? "none" : word]
        default: return []
        }
    }

    /// Lists of methods with commas, one list a word; or `any`.
    private static func authenticationMethods(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        let lists = line.takeAll()
        for list in lists {
            if list == "any" {
                guard lists.count == 1 else {
                    throw ValueMistake("\"any\" must appear alone in AuthenticationMethods")
                }
                continue
            }
            for method in list.utf8.split(
                separator: UInt8(ascii: ","),
                omittingEmptySubsequences: false
            ) {
                let name = String(Substring(method.prefix { $0 != UInt8(ascii: ":") }))
                guard methods.contains(name) else {
                    throw ValueMistake(
                        "invalid AuthenticationMethods method list.",
                        preface: "Unknown authentication method \"\(name)\" in list"
                    )
                }
            }
        }
        guard !lists.isEmpty else {
            throw ValueMistake("invalid AuthenticationMethods method list.")
        }
        return lists.joined(separator: " ")
    }

    private static let methods = [
        "none", "password", "publickey", "keyboard-interactive", "hostbased", "gssapi-with-mic",
    ]

    private static func file(
        _ line: inout ConfigLine.Arguments,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("missing file name.")
        }
        if word.lowercased() == "none" { return "none" }
        let path = try expandedHome(word, context)
        if path.hasPrefix("/") { return path }
        let directory = context.directory()
        return directory.hasSuffix("/") ? directory + path : directory + "/" + path
    }

    /// `~` is the home of the user who starts the server, `~name` that of another.
    private static func expandedHome(
        _ path: String,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        guard path.hasPrefix("~") else { return path }
        let name = path.dropFirst().prefix { $0 != "/" }
        guard let home = context.home(String(name)) else {
            throw ValueMistake("tilde_expand: No such user \(name)")
        }
        let rest = path.dropFirst(1 + name.count)
        return home + (rest.isEmpty ? "/" : rest)
    }

    /// `address`, `address:port`, a host name for all its addresses; `rdomain` and a name behind it.
    private static func listenAddress(
        _ line: inout ConfigLine.Arguments,
        _ context: ValueContext
    ) throws(ValueMistake) -> [String] {
        guard let word = line.take(), !word.isEmpty else { throw ValueMistake("missing address") }
        var domain = ""
        if let next = line.take() {
            guard next == "rdomain", let name = line.take() else {
                throw ValueMistake("bad ListenAddress syntax")
            }
            guard context.isRoutingDomain(name) else { throw ValueMistake("bad routing domain") }
            domain = " rdomain \(name)"
        }
        var host = word
        var port: String?
        if word.hasPrefix("["), let close = word.firstIndex(of: "]") {
            host = String(word[word.index(after: word.startIndex)..<close])
            let rest = word[word.index(after: close)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":") else { throw ValueMistake("bad address") }
                port = String(rest.dropFirst())
            }
        } else if word.utf8.count(where: { $0 == UInt8(ascii: ":") }) == 1,
            let colon = word.firstIndex(of: ":")
        {
            host = String(word[..<colon])
            port = String(word[word.index(after: colon)...])
        }
        if let port, Syntax.port(port) == nil { throw ValueMistake("bad port number") }
        guard let addresses = context.addresses(host), !addresses.isEmpty else {
            throw ValueMistake("bad addr or host: \(host) (Name or service not known)")
        }
        let end = (port.map { ":\($0)" } ?? "") + domain
        // OpenSSH puts each before the one found earlier.
        return addresses.reversed().map { ($0.contains(":") ? "[\($0)]" : $0) + end }
    }

    /// `start`, or `start:rate:full`.
    private static func maxStartups(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("MaxStartups missing argument.")
        }
        let parts = word.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { Int(String(Substring($0))) ?? -1 }
        if parts.count == 1, parts[0] > 0 { return "\(parts[0]):30:\(parts[0])" }
        guard parts.count == 3, parts[0] > 0, (1...100).contains(parts[1]), parts[2] >= parts[0]
        else { throw ValueMistake("Invalid MaxStartups spec.") }
        return "\(parts[0]):\(parts[1]):\(parts[2])"
    }

    /// Bits of IPv4 addresses, and of IPv6 ones.
    private static func netBlockSize(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("PerSourceNetBlockSize missing argument.")
        }
        let parts = word.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { Int(String(Substring($0))) ?? -1 }
        guard (1...2).contains(parts.count), (0...32).contains(parts[0]),
            parts.count == 1 || (0...128).contains(parts[1])
        else { throw ValueMistake("Invalid PerSourceNetBlockSize spec.") }
        return "\(parts[0]):\(parts.count == 2 ? parts[1] : 128)"
    }

    private static func penaltyExemptions(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("\(row.name) missing argument.")
        }
        if word.lowercased() == "none" { return "none" }
        for entry in word.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        {
            let text = String(Substring(entry))
            guard !text.isEmpty, !NumericAddress.isInconsistent(text) else {
                throw ValueMistake("Invalid \(row.name) argument")
            }
        }
        return word
    }

    /// `PermitOpen` and `PermitListen`.
    private static func permissions(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> String {
        let words = line.takeAll()
        guard let first = words.first, !first.isEmpty else {
            throw ValueMistake("\(row.name) missing argument.")
        }
        if words.count == 1, first == "any" || first == "none" { return first }
        var shown: [String] = []
        for word in words {
            if case .permitListen = row.form, word == "*" || Syntax.port(word) != nil {
                shown.append("*:\(word)")
            } else {
                guard Forward.permits(word) else {
                    throw ValueMistake("\(row.name) bad port number")
                }
                shown.append(word)
            }
        }
        return shown.joined(separator: " ")
    }

    private static func permitTunnel(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("PermitTunnel missing argument.")
        }
        guard ["yes", "no", "point-to-point", "ethernet"].contains(word) else {
            throw ValueMistake("bad PermitTunnel argument \(word)")
        }
        return word
    }

    private static func pubkeyAuthOptions(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> String {
        let written = line.takeAll()
        let words = written.map { $0.lowercased() }
        for (word, text) in zip(words, written)
        where !["none", "touch-required", "verify-required"].contains(word) {
            throw ValueMistake("unsupported \(row.name) option \(text)")
        }
        let required = ["touch-required", "verify-required"].filter(words.contains)
        return required.isEmpty ? "none" : required.joined(separator: " ")
    }

    /// A name and a command; quotes around the command's own words stay as they are.
    private static func subsystem(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> String {
        guard let name = line.take(), !name.isEmpty else {
            throw ValueMistake("\(row.name) missing argument.")
        }
        let command = line.takeAll()
        guard let program = command.first, !program.isEmpty else {
            throw ValueMistake("Missing subsystem command.")
        }
        // A shell reads it: with quotes it is what was written (OpenSSH 9.5 and later).
        let written = line.takeWritten()
        guard written.hasPrefix(name), written.contains("\"") || written.contains("'") else {
            return name + " " + command.joined(separator: " ")
        }
        return name + " " + written.dropFirst(name.count).drop { $0 == " " || $0 == "\t" }
    }

    /// A user pattern, `@` and a host pattern behind it; the host may be a network.
    private static func isUserPattern(_ word: String) -> Bool {
        guard !word.isEmpty else { return false }
        guard let at = word.lastIndex(of: "@") else { return true }
        return AddressPatterns.entries(String(word[word.index(after: at)...])) != nil
    }
}
