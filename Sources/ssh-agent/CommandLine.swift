// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserTool
internal import HawserWire

/// What the command line asked for.
struct Arguments {
    enum Shell { case bourne, c }

    var socketPath: String?
    var shell: Shell?
    var staysInForeground = false
    var debugs = false
    var kills = false
    var usesTemporaryDirectory = false
    /// `-U`: leaves sockets of agents that are gone.
    var keepsStaleSockets = false
    /// How often `-u` stands there: once for this host's stale sockets, twice for any host's.
    var cleansSockets = 0
    var printsVersion = false
    var hash = Fingerprint.Hash.sha256
    var lifetimeSeconds: UInt32?
    var allowedProviders: String?
    var allowsRemoteProviders = false
    var restrictsWebsafe = true
    var websafeApplications: String?
    var command: [String] = []

    /// What is wrong with a command line: a message and whether the usage follows it.
    struct Problem: Error {
        var text: String
        var showsUsage: Bool
        var status: Int32
    }

    init(_ words: [String]) throws(Problem) {
        var parser = CommandLineParser(words, "cDdkTsUuVa:E:O:P:t:")
        while let step = parser.next() {
            switch step {
            case .flag(let letter): try set(flag: letter)
            case .option(let letter, let value): try set(letter, to: value)
            case .unknown(let letter):
                throw Problem(text: "unknown option -- \(letter)", showsUsage: true, status: 1)
            case .missingValue(let letter):
                throw Problem(
                    text: "option requires an argument -- \(letter)",
                    showsUsage: true,
                    status: 1
                )
            }
        }
        command = parser.operands
        let wantsOutput = shell != nil || staysInForeground || debugs || kills
        if !command.isEmpty, wantsOutput || cleansSockets > 0 { throw Self.wrongUsage }
        if kills, staysInForeground || debugs { throw Self.wrongUsage }
        if staysInForeground, debugs { throw Self.wrongUsage }
        if usesTemporaryDirectory, socketPath != nil { throw Self.wrongUsage }
    }

    private static var wrongUsage: Problem { Problem(text: "", showsUsage: true, status: 1) }

    private mutating func set(flag letter: Character) throws(Problem) {
        switch letter {
        case "c":
            if shell == .bourne { throw Self.wrongUsage }
            shell = .c
        case "s":
            if shell == .c { throw Self.wrongUsage }
            shell = .bourne
        case "D": staysInForeground = true
        case "d": debugs = true
        case "k": kills = true
        case "T": usesTemporaryDirectory = true
        case "U": keepsStaleSockets = true
        case "u": cleansSockets += 1
        default: printsVersion = true
        }
    }

    private mutating func set(_ letter: Character, to value: String) throws(Problem) {
        switch letter {
        case "a": socketPath = value
        case "E":
            guard let known = Fingerprint.Hash(word: value) else {
                throw Problem(
                    text: "Invalid hash algorithm \"\(value)\"\r",
                    showsUsage: false,
                    status: 255
                )
            }
            hash = known
        case "O": try setOption(value)
        case "P":
            if allowedProviders != nil {
                throw Problem(
                    text: "-P option already specified\r",
                    showsUsage: false,
                    status: 255
                )
            }
            allowedProviders = value
        default:
            guard let seconds = TimeSpan.seconds(value), seconds >= 0 else {
                throw Problem(text: "Invalid lifetime", showsUsage: true, status: 1)
            }
            lifetimeSeconds = UInt32(clamping: seconds)
        }
    }

    private mutating func setOption(_ value: String) throws(Problem) {
        switch value {
        case "no-restrict-websafe": restrictsWebsafe = false
        case "allow-remote-pkcs11": allowsRemoteProviders = true
        case _ where value.hasPrefix("websafe-allow="):
            if websafeApplications != nil {
                throw Problem(
                    text: "websafe-allow already set\r",
                    showsUsage: false,
                    status: 255
                )
            }
            websafeApplications = String(value.dropFirst("websafe-allow=".count))
        default:
            throw Problem(text: "Unknown -O option\r", showsUsage: false, status: 255)
        }
    }

    static let usage = """
        usage: ssh-agent [-c | -s] [-DdTU] [-a bind_address] [-E fingerprint_hash]
                         [-O option] [-P allowed_providers] [-t life]
               ssh-agent [-TU] [-a bind_address] [-E fingerprint_hash] [-O option]
                         [-P allowed_providers] [-t life] command [arg ...]
               ssh-agent [-c | -s] -k
               ssh-agent -u

        """
}
