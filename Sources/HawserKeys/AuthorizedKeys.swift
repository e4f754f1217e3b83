// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What an authorized_keys line allows a key to do: sshd(8) AUTHORIZED_KEYS FILE FORMAT.
package struct AuthorizedKeyOptions: Equatable, Sendable {
    /// A destination or listener that forwarding is limited to.
    package struct Forward: Equatable, Sendable {
        /// nil: any host (`permitlisten` without one).
        package let host: String?
        /// nil: any port (`*`).
        package let port: UInt16?
    }

    package struct EnvironmentVariable: Equatable, Sendable {
        package let name: String
        package let value: String
    }

    package var permitsPortForwarding = true
    package var permitsAgentForwarding = true
    package var permitsX11Forwarding = true
    package var permitsTerminal = true
    package var permitsUserRC = true
    package var requiresUserPresence = true
    package var requiresUserVerification = false
    /// The line names an authority, not a key that logs in itself.
    package var isCertAuthority = false
    /// `restrict` was given.
    package var isRestricted = false
    package var command: String?
    package var environment: [EnvironmentVariable] = []
    /// The pattern list of `from`, as written.
    package var from: String?
    /// The networks that a certificate is limited to (`limited(by:)`); nil: no limit.
    package var certificateSourceAddresses: [String]?
    /// The list of `principals`, for authorities.
    package var principals: [String]?
    /// Empty: no limit.
    package var permitOpen: [Forward] = []
    /// Empty: no limit.
    package var permitListen: [Forward] = []
    /// The number of the tun device that is forced; nil when none is.
    package var tunnel: TunnelNumber?
    /// The earliest of the `expiry-time` options.
    package var expiryTime: TimeSpecification?

    package enum TunnelNumber: Equatable, Sendable {
        case any
        case number(Int)
    }

    package init() {}

    /// Reads an options field. Throws `KeyError.invalidFormat` with what is wrong with it.
    package init(parsing field: some StringProtocol) throws(KeyError) {
        var rest = Substring(field).utf8[...]
        while !rest.isEmpty {
            try readOption(from: &rest)
            guard let next = rest.first else { break }
            guard next == UInt8(ascii: ","), rest.count > 1 else {
                throw .invalidFormat("unknown key option")
            }
            rest = rest.dropFirst()
        }
    }

    typealias Field = Substring.UTF8View.SubSequence

    private mutating func readOption(from rest: inout Field) throws(KeyError) {
        let name = rest.prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
        rest = rest[name.endIndex...]
        let word = String(Substring(name)).asciiLowercased
        if rest.first == UInt8(ascii: "=") {
            rest = rest.dropFirst()
            try setValue(of: word, to: Self.readQuoted(from: &rest))
        } else {
            try setFlag(word)
        }
    }

    /// A value in double quotes, where a backslash protects a quote.
    static func readQuoted(from rest: inout Field) throws(KeyError) -> String {
        guard rest.first == UInt8(ascii: "\"") else { throw .invalidFormat("missing start quote") }
        rest = rest.dropFirst()
        var value: [UInt8] = []
        while let character = rest.first {
            rest = rest.dropFirst()
            if character == UInt8(ascii: "\"") {
                return String(decoding: value, as: UTF8.self)
            }
            if character == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "\"") {
                rest = rest.dropFirst()
                value.append(UInt8(ascii: "\""))
            } else {
                value.append(character)
            }
        }
        throw .invalidFormat("missing end quote")
    }

    private mutating func setFlag(_ name: String) throws(KeyError) {
        switch name {
        case "restrict":
            isRestricted = true
            permitsPortForwarding = false
            permitsAgentForwarding = false
            permitsX11Forwarding = false
            permitsTerminal = false
            permitsUserRC = false
        case "cert-authority": isCertAuthority = true
        case "port-forwarding": permitsPortForwarding = true
        case "no-port-forwarding": permitsPortForwarding = false
        case "agent-forwarding": permitsAgentForwarding = true
        case "no-agent-forwarding": permitsAgentForwarding = false
        case "x11-forwarding": permitsX11Forwarding = true
        case "no-x11-forwarding": permitsX11Forwarding = false
        case "pty": permitsTerminal = true
        case "no-pty": permitsTerminal = false
        case "user-rc": permitsUserRC = true
        case "no-user-rc": permitsUserRC = false
        case "touch-required": requiresUserPresence = true
        case "no-touch-required": requiresUserPresence = false
        case "verify-required": requiresUserVerification = true
        case "no-verify-required": requiresUserVerification = false
        default: throw .invalidFormat("unknown key option")
        }
    }

    private mutating func setValue(of name: String, to value: String) throws(KeyError) {
        switch name {
        case "command":
            guard command == nil else { throw .invalidFormat("multiple \"command\" clauses") }
            command = value
        case "principals":
            guard principals == nil else { throw .invalidFormat("multiple \"principals\" clauses") }
            principals = value.split(separator: ",").map(String.init)
        case "from":
            guard from == nil else { throw .invalidFormat("multiple \"from\" clauses") }
            from = value
        case "environment":
            environment.append(try Self.variable(value))
            guard environment.count <= Self.maximumEntries else {
                throw .invalidFormat("too many environment strings")
            }
        case "expiry-time":
            guard let time = TimeSpecification(value) else {
                throw .invalidFormat("invalid expires time")
            }
            expiryTime = expiryTime.map { min($0, time) } ?? time
        case "permitopen":
            guard let forward = Forward(value, hostRequired: true) else {
                throw .invalidFormat("invalid permitopen")
            }
            permitOpen.append(forward)
            try checkCount(permitOpen.count)
        case "permitlisten":
            guard let forward = Forward(value, hostRequired: false) else {
                throw .invalidFormat("invalid permitlisten")
            }
            permitListen.append(forward)
            try checkCount(permitListen.count)
        case "tunnel":
            guard let number = Self.tunnelNumber(value) else {
                throw .invalidFormat("invalid tun device")
            }
            tunnel = number
        default:
            throw .invalidFormat("unknown key option")
        }
    }

    private func checkCount(_ count: Int) throws(KeyError) {
        if count > Self.maximumEntries { throw .invalidFormat("too many permission directives") }
    }

    private static func variable(_ text: String) throws(KeyError) -> EnvironmentVariable {
        guard let equals = text.firstIndex(of: "=") else {
            throw .invalidFormat("invalid environment string")
        }
        let name = text[..<equals]
        let isName =
            !name.isEmpty
            && name.utf8.allSatisfy { character in
                character == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character.asciiLowercased)
            }
        guard isName else { throw .invalidFormat("invalid environment string") }
        let value = text[text.index(after: equals)...]
        return EnvironmentVariable(name: String(name), value: String(value))
    }

    private static func tunnelNumber(_ text: String) -> TunnelNumber? {
        if text.asciiLowercased == "any" { return .any }
        guard let number = Int(text), number >= 0, number <= 0x7fff_fffd else { return nil }
        return .number(number)
    }

    /// How many forwards or variables one line may name.
    static let maximumEntries = 4096
}

extension AuthorizedKeyOptions.Forward {
    /// `host:port`, `[address]:port`, and where no host is required `port`; a port may be `*`.
    init?(_ text: String, hostRequired: Bool) {
        let portText: Substring
        if text.utf8.first == UInt8(ascii: "[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            let after = text[text.index(after: close)...]
            guard after.utf8.first == UInt8(ascii: ":") else { return nil }
            host = String(text[text.index(after: text.startIndex)..<close])
            portText = after.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = String(text[..<colon])
            portText = text[text.index(after: colon)...]
        } else {
            guard !hostRequired else { return nil }
            host = nil
            portText = text[...]
        }
        guard host.map({ !$0.isEmpty }) ?? true else { return nil }
        if portText == "*" {
            port = nil
        } else {
            guard let number = UInt16(portText), number > 0 else { return nil }
            port = number
        }
    }
}

/// A date, with or without a time of day: `YYYYMMDD[HHMM[SS]][Z]`, or `UTC` for the `Z`.
package struct TimeSpecification: Equatable, Sendable, Comparable {
    package let year: Int
    package let month: Int
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    /// Whether it is in UTC; if not, in the system's time zone.
    package let isUTC: Bool

    package init?(_ text: some StringProtocol) {
        var digits = text.octets
        let zone = ["Z", "UTC"].first { String(text).asciiLowercased.hasSuffix($0.asciiLowercased) }
        let isUTC = zone != nil
        digits.removeLast(zone?.utf8.count ?? 0)
        guard [8, 12, 14].contains(digits.count),
            digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
        else { return nil }
        func number(_ start: Int, _ count: Int) -> Int {
            guard start + count <= digits.count else { return 0 }
            return digits[start..<start + count].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        }
        year = number(0, 4)
        month = number(4, 2)
        day = number(6, 2)
        hour = number(8, 2)
        minute = number(10, 2)
        second = number(12, 2)
        self.isUTC = isUTC
        guard year >= 1970, (1...12).contains(month), (1...31).contains(day), hour < 24,
            minute < 60, second < 61
        else { return nil }
    }

    /// Seconds since 1970, reading the fields as UTC. A local time is this, less the offset of the
    /// time zone at that time, which only the system knows.
    package var secondsAsUTC: Int64 {
        // Days since 1 March of year 0, so that the leap day ends the year.
        let shifted = month <= 2 ? year - 1 : year
        let monthIndex = (month + 9) % 12
        let days =
            365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (153 * monthIndex + 2) / 5
            + day - 1 - 719_468
        return Int64(days * 86400 + hour * 3600 + minute * 60 + second)
    }

    package static func < (first: TimeSpecification, second: TimeSpecification) -> Bool {
        first.secondsAsUTC < second.secondsAsUTC
    }
}

/// A line of an authorized_keys file.
package struct AuthorizedKeysLine: Sendable {
    package let options: AuthorizedKeyOptions
    /// The options field as written; empty without one.
    package let optionsText: String
    package let key: PublicKey
    package let comment: String

    /// Reads a line without its end; nil for blank lines and comments. Throws for a line that is
    /// no entry, has an unknown option or a key that we cannot use.
    package static func parse(_ line: [UInt8]) throws(KeyError) -> AuthorizedKeysLine? {
        guard line.count <= maximumLineBytes else { throw .invalidFormat("line too long") }
        let words = LineWords(line)
        guard let first = words.peek(), first != UInt8(ascii: "#") else { return nil }
        let text = String(octets: words.rest)
        let keyError: KeyError
        do {
            let key = try PublicKeyLine.parse(text)
            return AuthorizedKeysLine(
                options: AuthorizedKeyOptions(),
                optionsText: "",
                key: key.key,
                comment: key.comment
            )
        } catch {
            keyError = error
        }
        let split = endOfOptions(text)
        guard split < text.endIndex else { throw keyError }
        let options = text[..<split]
        let key: PublicKeyLine
        do {
            key = try PublicKeyLine.parse(text[split...])
        } catch {
            // A line without options is better told what its key lacks.
            throw KeyType(name: String(options)) == nil ? error : keyError
        }
        let parsed: AuthorizedKeyOptions
        do {
            parsed = try AuthorizedKeyOptions(parsing: options)
        } catch {
            guard case .invalidFormat(let reason) = error else { throw error }
            throw .badOptions(reason)
        }
        return AuthorizedKeysLine(
            options: parsed,
            optionsText: String(options),
            key: key.key,
            comment: key.comment
        )
    }

    /// The first blank outside of quotes.
    private static func endOfOptions(_ text: String) -> String.Index {
        var isQuoted = false
        var isEscaped = false
        for index in text.utf8.indices {
            let character = text.utf8[index]
            if !isQuoted, character.isBlank { return index }
            if character == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            isEscaped = character == UInt8(ascii: "\\") && !isEscaped
        }
        return text.endIndex
    }

    /// The longest line that is read, in bytes: a 16384-bit RSA key, with room for options.
    package static let maximumLineBytes = 64 * 1024
}

/// An authorized_keys file: its lines in order, and what is wrong with those that are no entries.
package struct AuthorizedKeys: Sendable {
    package let entries: [(number: Int, entry: AuthorizedKeysLine)]
    package let errors: [(number: Int, error: KeyError)]

    package init(contents: [UInt8]) {
        var entries: [(number: Int, entry: AuthorizedKeysLine)] = []
        var errors: [(number: Int, error: KeyError)] = []
        let lines = contents.split(separator: 0x0a, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            do throws(KeyError) {
                guard let entry = try AuthorizedKeysLine.parse(Array(line)) else { continue }
                entries.append((index + 1, entry))
            } catch {
                errors.append((index + 1, error))
            }
        }
        self.entries = entries
        self.errors = errors
    }

    /// The lines whose key is `key`, or whose authority has signed it; their options still have
    /// their say.
    package func entries(for key: PublicKey) -> [(number: Int, entry: AuthorizedKeysLine)] {
        entries.filter { candidate in
            if let authority = key.certificate?.signatureKey {
                candidate.entry.options.isCertAuthority && candidate.entry.key == authority
            } else {
                !candidate.entry.options.isCertAuthority && candidate.entry.key == key
            }
        }
    }
}
