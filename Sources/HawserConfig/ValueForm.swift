// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The families of algorithms that a keyword may list.
package enum AlgorithmFamily: Sendable {
    case ciphers, macs, keyExchange, publicKey, certificateAuthority
}

/// How the arguments of a keyword are read, and how they are shown again by `ssh -G`.
package enum ValueForm: Sendable {
    /// `yes` or `no`, also `true` and `false`.
    case flag
    /// One of several words, blanks between them; `read:shown` where the two differ.
    case choice(String)
    /// A whole number that is not negative.
    case number
    /// Seconds; `none` is shown as the text given here.
    case time(none: String)
    /// One argument as it is; with a limit of what `none` means.
    case text(noneIsNothing: Bool)
    /// One argument in small letters.
    case lowercase
    /// The rest of the line. `none` stands for nothing.
    case command
    /// Every argument of the line, one blank between them; `none` stands alone.
    case words(limit: Int)
    /// Every argument of the line, each on a line of its own.
    case wordsApart
    /// A comma-separated list of names with `+`, `-` and `^`, as written.
    case algorithms(AlgorithmFamily)
    case port
    /// An octal number.
    case mask
    case addKeysToAgent
    case canonicalDomains
    case permittedCNAMEs
    case channelTimeout
    case controlPersist
    case escapeCharacter
    case fingerprintHash
    case forwardAgent
    case forward(Forward.Kind)
    case ipQoS
    case keystrokeTiming
    case logFacility
    case logLevel
    case permitRemoteOpen
    case proxyJump
    case refuseConnection
    case rekeyLimit
    case sendEnvironment
    case setEnvironment
    case tunnelDevice

    // Of sshd_config(5) alone.
    case acceptEnvironment
    case authenticationMethods
    /// A path, made absolute; `none` stays.
    case file
    /// Several of them.
    case files
    case groupPatterns
    case hostKeyAgent
    case listenAddress
    case maxStartups
    case netBlockSize
    case numberOrNone
    case penalties
    case penaltyExemptions
    case permitListen
    case permitOpen
    case permitTunnel
    case permitUserEnvironment
    /// The rest of the line; the command must begin with a slash.
    case program
    case pubkeyAuthOptions
    /// A file, `unix:` and a socket, or `fd:` and a descriptor.
    case eventLog
    /// Files, where `~` is a home.
    case keyFiles
    /// One of them.
    case principalsFile
    /// A network interface that stands for one, `%D` or `none`.
    case routingDomain
    case serverPort
    /// Every argument of the line, `none` like any other.
    case serverWords
    case subsystem
    case userPatterns
    /// One argument, `none` in small letters; the message says that there is none.
    case word(missing: StaticString)
}

/// What reading values needs to know of the program and the machine.
package struct ValueContext: Sendable {
    /// The names that a list of algorithms may hold.
    let algorithms: @Sendable (AlgorithmFamily) -> AlgorithmNames
    /// The port of a TCP service, `/etc/services`.
    let service: @Sendable (String) -> UInt16?
    /// The numeric addresses of a host name; nil when it has none.
    let addresses: @Sendable (String) -> [String]?
    /// Whether a routing domain is there.
    let isRoutingDomain: @Sendable (String) -> Bool
    /// Where relative paths begin.
    let directory: @Sendable () -> String
    /// The home of a user, or of whoever starts the program for no name; nil for nobody.
    let home: @Sendable (String) -> String?
    /// The value of a variable of the environment.
    let variable: @Sendable (String) -> String?
    /// Whether mistakes are worded as sshd's.
    let isServer: Bool

    package init(
        isServer: Bool = false,
        algorithms: @escaping @Sendable (AlgorithmFamily) -> AlgorithmNames,
        service: @escaping @Sendable (String) -> UInt16? = { _ in nil },
        addresses: @escaping @Sendable (String) -> [String]? = { [$0] },
        isRoutingDomain: @escaping @Sendable (String) -> Bool = { _ in true },
        directory: @escaping @Sendable () -> String = { "/" },
        home: @escaping @Sendable (String) -> String? = { _ in nil },
        variable: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        self.isServer = isServer
        self.algorithms = algorithms
        self.service = service
        self.addresses = addresses
        self.isRoutingDomain = isRoutingDomain
        self.directory = directory
        self.home = home
        self.variable = variable
    }

    package func names(_ family: AlgorithmFamily) -> AlgorithmNames { algorithms(family) }
}

/// Why a value cannot be read, in words for a person.
struct ValueMistake: Error {
    var text: String
    /// A line of its own before the text, without the place.
    var preface: String?

    init(_ text: String, preface: String? = nil) {
        self.text = text
        self.preface = preface
    }
}

extension ValueForm {
    /// Reads a line's arguments; the result is what is shown again, an entry for each line of it.
    func values(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow,
        _ context: ValueContext
    ) throws(ValueMistake) -> [String] {
        switch self {
        case .flag:
            let words = context.isServer ? "yes no" : "yes true:yes no false:no"
            return [try Self.choice(&line, words)]
        case .choice(let words): return [try Self.choice(&line, words)]
        case .number: return [try Self.number(&line, context.isServer ? row.name + " " : "")]
        case .time(let none): return [try Self.time(&line, none: none, context)]
        case .text: return [try Self.text(&line)]
        case .lowercase: return [try Self.text(&line).lowercased()]
        case .command:
            var rest = line.takeRest()[...]
            // Of several equals signs none belongs to a client's command.
            if !context.isServer { rest = rest.drop { " \t=".contains($0) } }
            guard !rest.isEmpty else { throw ValueMistake("Missing argument.") }
            if context.isServer, rest.lowercased() == "none" { return ["none"] }
            return [String(rest)]
        case .words(let limit): return try Self.words(&line, row, limit: limit)
        case .wordsApart: return try Self.words(&line, row, limit: 1000)
        case .algorithms(let family): return [try Self.algorithms(&line, family, context)]
        case .port:
            let word = try Self.text(&line)
            guard let port = Syntax.port(word) ?? context.service(word) else {
                throw ValueMistake("Bad port '\(word)'.")
            }
            return ["\(port)"]
        case .mask: return [try Self.mask(&line, row, context)]
        case .addKeysToAgent: return [try Self.addKeysToAgent(&line)]
        case .canonicalDomains: return try Self.canonicalDomains(&line, row)
        case .permittedCNAMEs: return try Self.permittedCNAMEs(&line, row)
        case .channelTimeout: return try Self.channelTimeout(&line, row)
        case .controlPersist: return [try Self.controlPersist(&line)]
        case .escapeCharacter: return [try Self.escapeCharacter(&line)]
        case .fingerprintHash:
            let word = try Self.text(&line)
            guard ["md5", "sha1", "sha256", "sha384", "sha512"].contains(word.lowercased()) else {
                let what = context.isServer ? "FingerprintHash" : "hash"
                throw ValueMistake("Invalid \(what) algorithm \"\(word)\".")
            }
            return [word.uppercased()]
        case .forwardAgent:
            guard let word = line.take(), !word.isEmpty else {
                throw ValueMistake("missing argument.")
            }
            return [Syntax.flag(word).map { $0 ? "yes" : "no" } ?? word]
        case .forward(let kind): return [try Self.forward(&line, kind, context)]
        case .ipQoS: return [try Self.ipQoS(&line)]
        case .keystrokeTiming: return [try Self.keystrokeTiming(&line)]
        case .logFacility:
            let word = line.take() ?? ""
            guard Syntax.logFacilities.contains(word.uppercased()) else {
                throw ValueMistake("unsupported log facility '\(word)'")
            }
            return [word.uppercased()]
        case .logLevel:
            let word = line.take() ?? ""
            guard Syntax.logLevels.contains(word.uppercased()) else {
                throw ValueMistake("unsupported log level '\(word)'")
            }
            switch word.uppercased() {
            case "DEBUG1": return ["DEBUG"]
            case "QUIET": return ["SILENT"]
            case let level: return [level]
            }
        case .permitRemoteOpen: return try Self.permitRemoteOpen(&line, row)
        case .proxyJump: return [try Self.proxyJump(&line)]
        case .refuseConnection:
            let text = line.takeAll().joined(separator: " ")
            return [text]
        case .rekeyLimit: return [try Self.rekeyLimit(&line, context)]
        case .sendEnvironment:
            let words = line.takeAll()
            guard words.allSatisfy({ !$0.isEmpty && !$0.contains("=") }) else {
                throw ValueMistake("Invalid environment name.")
            }
            return words
        case .setEnvironment: return try Self.setEnvironment(&line, context)
        case .tunnelDevice: return [try Self.tunnelDevice(&line)]
        default: return try serverValues(&line, row, context)
        }
    }

    // MARK: Forms that many keywords share

    static func text(_ line: inout ConfigLine.Arguments) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else { throw ValueMistake("Missing argument.") }
        return word
    }

    static func choice(
        _ line: inout ConfigLine.Arguments,
        _ choices: String
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else { throw ValueMistake("missing argument.") }
        let wanted = word.lowercased()
        for choice in choices.utf8.split(separator: UInt8(ascii: " ")) {
            let colon = choice.firstIndex(of: UInt8(ascii: ":"))
            if choice[..<(colon ?? choice.endIndex)].elementsEqual(wanted.utf8) {
                let shown = colon.map { choice[choice.index(after: $0)...] } ?? choice
                return String(Substring(shown))
            }
        }
        throw ValueMistake("unsupported option \"\(word)\".")
    }

    /// `prefix` stands before the messages.
    static func number(
        _ line: inout ConfigLine.Arguments,
        _ prefix: String
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake(prefix + "integer value missing.")
        }
        guard let number = Int(word) else {
            let digits = word.utf8.drop { $0 == UInt8(ascii: "-") }
            let isNumber = !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
            guard isNumber else { throw ValueMistake(prefix + "integer value invalid.") }
            let size = word.hasPrefix("-") ? "small" : "large"
            throw ValueMistake(prefix + "integer value too \(size).")
        }
        guard number >= 0 else { throw ValueMistake(prefix + "integer value too small.") }
        guard number <= Int(Int32.max) else {
            throw ValueMistake(prefix + "integer value too large.")
        }
        return "\(number)"
    }

    private static func time(
        _ line: inout ConfigLine.Arguments,
        none: String,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("missing time value.")
        }
        // sshd knows no `none` but where it shows one.
        if context.isServer ? none == "none" && word.lowercased() == none : word == "none" {
            return none
        }
        guard let seconds = TimeSpan.seconds(word) else {
            throw ValueMistake("invalid time value.")
        }
        // An idle time of nothing is no limit.
        return context.isServer && none == "none" && seconds == 0 ? none : "\(seconds)"
    }

    private static func words(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow,
        limit: Int
    ) throws(ValueMistake) -> [String] {
        let words = line.takeAll()
        let name = row.name.lowercased()
        for word in words {
            guard !word.isEmpty else { throw ValueMistake("keyword \(name) empty argument") }
            guard word.lowercased() != "none" || words.count == 1 else {
                throw ValueMistake("keyword \(name) \"none\" argument must appear alone.")
            }
        }
        guard words.count <= limit else { throw ValueMistake("too many \(name) arguments.") }
        guard !words.isEmpty else { throw ValueMistake("Missing argument.") }
        return words.count == 1 && words[0].lowercased() == "none" ? ["none"] : words
    }

    private static func algorithms(
        _ line: inout ConfigLine.Arguments,
        _ family: AlgorithmFamily,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        let word = try text(&line)
        guard context.algorithms(family).isValid(word, allowsPatterns: family.allowsPatterns) else {
            switch family {
            case .ciphers: throw ValueMistake("Bad SSH2 cipher spec '\(word)'.")
            case .macs:
                let name = context.isServer ? "mac" : "MAC"
                throw ValueMistake("Bad SSH2 \(name) spec '\(word)'.")
            case .keyExchange:
                let unknown = context.algorithms(family).firstUnknown(word)
                throw ValueMistake(
                    "Bad SSH2 KexAlgorithms '\(word)'.",
                    preface: unknown.map { "Unsupported KEX algorithm \"\($0)\"" }
                )
            case .publicKey, .certificateAuthority:
                throw ValueMistake("Bad key types '\(word)'.")
            }
        }
        return word
    }

    private static func mask(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake(
                context.isServer
                    ? "\(row.name) missing argument." : "Missing StreamLocalBindMask argument."
            )
        }
        guard let mask = UInt16(word, radix: 8), mask <= 0o777, !word.hasPrefix("+") else {
            throw ValueMistake(context.isServer ? "Invalid \(row.name)." : "Bad mask.")
        }
        return "0" + String(mask, radix: 8)
    }
}

extension AlgorithmFamily {
    /// Whether `*` and `?` are understood in a list that does not only remove.
    var allowsPatterns: Bool {
        switch self {
        case .publicKey, .certificateAuthority: true
        case .ciphers, .macs, .keyExchange: false
        }
    }
}
