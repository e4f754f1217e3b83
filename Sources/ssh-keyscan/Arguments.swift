// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserTool

/// What the command line asked for.
struct Arguments {
    var types = HostKeyFamily.allCases.filter { $0 != .dsa }
    var asksForCertificates = false
    var port = 22
    var addresses = Resolver.Family.any
    /// How long a host may be silent, in seconds.
    var timeoutSeconds: UInt64 = 5
    var format = Format()
    var isQuiet = false
    var verbosity = 0
    /// `-` is the standard input.
    var files: [String] = []
    var hosts: [String] = []

    /// How keys are printed.
    struct Format {
        var hashesNames = false
        var printsRecords = false
        var recordHashes: [Fingerprint.Hash] = [.sha1, .sha256]
    }

    var logLevel: LogLevel {
        switch verbosity {
        case 0: .info
        case 1: .debug1
        case 2: .debug2
        default: .debug3
        }
    }

    /// Reads the words after the program's name; leaves the program when they make no sense.
    init(_ words: [String]) {
        var parser = CommandLineParser(words, "46cDHqvO:p:T:t:f:")
        while let step = parser.next() {
            switch step {
            case .flag(let letter): set(letter)
            case .option(let letter, let value): set(letter, to: value)
            case .unknown(let letter): Self.leave("unknown option -- \(letter)\r\n" + usage)
            case .missingValue(let letter):
                Self.leave("option requires an argument -- \(letter)\r\n" + usage)
            }
        }
        hosts = parser.operands
        if hosts.isEmpty, files.isEmpty { Self.leave(usage) }
    }

    private mutating func set(_ letter: Character) {
        switch letter {
        case "4": addresses = .ipv4
        case "6": addresses = .ipv6
        case "c": asksForCertificates = true
        case "D": format.printsRecords = true
        case "H": format.hashesNames = true
        case "q": isQuiet = true
        default: verbosity += 1
        }
    }

    private mutating func set(_ letter: Character, to value: String) {
        switch letter {
        case "O": setOption(value)
        case "p":
            guard let port = UInt16(value), port > 0 else { Self.leave("Bad port '\(value)'\n") }
            self.port = Int(port)
        case "T":
            guard let seconds = Self.seconds(value), seconds > 0 else {
                Self.leave("Bad timeout '\(value)'\n" + usage)
            }
            timeoutSeconds = seconds
        case "t":
            types = []
            for word in value.split(separator: ",") {
                guard let type = HostKeyFamily(word: word) else {
                    Self.leave("Unknown key type \"\(word)\"\r\n", status: 255)
                }
                if !types.contains(type) { types.append(type) }
            }
        default: files.append(value)
        }
    }

    private mutating func setOption(_ option: String) {
        guard option.hasPrefix("hashalg=") else {
            Self.leave("Unsupported option \"\(option)\"\r\n", status: 255)
        }
        switch Fingerprint.Hash(word: option.dropFirst("hashalg=".count)) {
        case .sha1: format.recordHashes = [.sha1]
        case .sha256: format.recordHashes = [.sha256]
        default: Self.leave("Unsupported hash algorithm\r\n", status: 255)
        }
    }

    /// A time as sshd_config(5) has it, `90` or `1h30m`; nil when it is none or beyond 2^31 seconds.
    private static func seconds(_ text: String) -> UInt64? {
        var total: UInt64 = 0
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard let number = UInt64(digits), number <= maximumSeconds else { return nil }
            switch rest.popFirst() {
            case nil, "s", "S": total += number
            case "m", "M": total += number * 60
            case "h", "H": total += number * 3600
            case "d", "D": total += number * 86400
            case "w", "W": total += number * 604_800
            default: return nil
            }
            guard total <= maximumSeconds else { return nil }
        }
        return total
    }

    private static let maximumSeconds: UInt64 = 1 << 31 - 1

    static func leave(_ text: String, status: Int32 = 1) -> Never {
        printError(text)
        Daemon.exit(status)
    }
}

private let usage = """
    usage: ssh-keyscan [-46cDHqv] [-f file] [-O option] [-p port] [-T timeout]
                       [-t type] [host | addrlist namelist]

    """
