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
    /// What `Match version` looks at.
    package var version: String

    package init(
        user: String? = nil,
        groups: [String] = [],
        host: String? = nil,
        address: String? = nil,
        localAddress: String? = nil,
        localPort: Int? = nil,
        rdomain: String? = nil,
        isInvalidUser: Bool = false,
        version: String = ""
    ) {
        self.user = user
        self.groups = groups
        self.host = host
        self.address = address
        self.localAddress = localAddress
        self.localPort = localPort
        self.rdomain = rdomain
        self.isInvalidUser = isInvalidUser
        self.version = version
    }
}

/// A criterion of a `Match` line of sshd_config(5).
enum ServerCriterion: Sendable {
    case user([String]), group([String]), host([String])
    case address([String]), localAddress([String])
    case localPort(Int), rdomain([String]), version([String])
    case invalidUser

    /// The criteria of a line; none of them for `all`. Throws what is wrong with it.
    static func parse(_ words: [String]) throws(ValueMistake) -> [ServerCriterion] {
        var result: [ServerCriterion] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            var name = word[...]
            var attached: String?
            if let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")) {
                name = word[..<equals]
                attached = String(word[word.index(after: equals)...])
            }
            let criterion = name.lowercased()
            if criterion == "all", attached == nil {
                guard words.count == 1 else {
                    throw ValueMistake("'all' cannot be combined with other Match attributes")
                }
                return []
            }
            if criterion == "invalid-user", attached == nil {
                result.append(.invalidUser)
                continue
            }
            guard names.contains(criterion) else {
                throw ValueMistake("Unsupported Match attribute \(name)")
            }
            // Blanks may stand around the equals sign.
            var argument = attached ?? rest.popFirst() ?? ""
            let isApart = attached == nil && argument.hasPrefix("=")
            if isApart { argument.removeFirst() }
            if argument.isEmpty, isApart || attached != nil { argument = rest.popFirst() ?? "" }
            guard !argument.isEmpty else {
                throw ValueMistake("Missing Match criteria for \(name)")
            }
            result.append(try Self(criterion, argument))
        }
        guard !result.isEmpty else { throw ValueMistake("missing Match criteria") }
        return result
    }

    private static let names = [
        "user", "group", "host", "address", "localaddress", "localport", "rdomain", "version",
    ]

    private init(_ name: String, _ argument: String) throws(ValueMistake) {
        let list = argument.utf8.split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
        switch name {
        case "user": self = .user(list)
        case "group": self = .group(list)
        case "host": self = .host(list.map { $0.lowercased() })
        case "rdomain": self = .rdomain(list)
        case "version": self = .version(list)
        case "localport":
            guard let port = Int(argument), (0...65535).contains(port) else {
                throw ValueMistake("Invalid LocalPort '\(argument)' on Match line")
            }
            self = .localPort(port)
        default:
            guard AddressPatterns.entries(argument) != nil else {
                throw ValueMistake("Invalid Match \(name) argument '\(argument)'")
            }
            self = name == "address" ? .address(list) : .localAddress(list)
        }
    }

    func holds(for subject: ServerMatchSubject?) -> Bool {
        guard let subject else { return false }
        func matches(_ list: [String], _ text: String?) -> Bool {
            text.map { Patterns.verdict(list, $0) == true } ?? false
        }
        switch self {
        case .user(let list): return matches(list, subject.user)
        case .group(let list): return Self.matches(list, anyOf: subject.groups)
        case .host(let list): return matches(list, subject.host?.lowercased())
        case .address(let list): return AddressPatterns.verdict(list, subject.address) == true
        case .localAddress(let list):
            return AddressPatterns.verdict(list, subject.localAddress) == true
        case .localPort(let port): return subject.localPort == port
        case .rdomain(let list): return matches(list, subject.rdomain)
        case .version(let list): return matches(list, subject.version)
        case .invalidUser: return subject.isInvalidUser
        }
    }

    /// A group that is excluded excludes whoever is in it.
    private static func matches(_ list: [String], anyOf groups: [String]) -> Bool {
        let verdicts = groups.map { Patterns.verdict(list, $0) }
        return !verdicts.contains(false) && verdicts.contains(true)
    }
}
