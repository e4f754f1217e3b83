// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserConfig
import HawserProtocol
import HawserSystem
import HawserTool

/// What the command line of ssh(1) said.
struct CommandLineOptions {
    var options = ClientOptions()
    var configFile: String?
    var logFile: String?
    /// `-y`: messages go to the system's log.
    var usesSyslog = false
    var verbosity = 0
    /// What deserves a word although it is no mistake.
    var notes: [String] = []
    var isQuiet = false
    var printsConfiguration = false
    /// `-Z`
    var printsKeys = false
    /// `-G --origin`: where each value comes from; `--json` in JSON.
    var explains = false
    var usesJSON = false
    var controlCommand: String?
    var standardForward: Forward.End?
    var masterCount = 0
    var destination: Destination?
    var originalDestination = ""
    var command: [String] = []
}

/// Why ssh stops before it connects: something to print and an exit status.
struct CommandLineExit: Error {
    var text: String
    var status: Int32
    var isOutput = false
}

enum CommandLine {
    /// getopt's letters of ssh(1).
    static let letters =
        "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYyZ"

    static let usage = """
        usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface] [-b bind_address]
                   [-c cipher_spec] [-D [bind_address:]port] [-E log_file]
                   [-e escape_char] [-F configfile] [-I pkcs11] [-i identity_file]
                   [-J destination] [-L address] [-l login_name] [-m mac_spec]
                   [-O ctl_cmd] [-o option] [-P tag] [-p port] [-R address]
                   [-S ctl_path] [-W host:port] [-w local_tun[:remote_tun]]
                   destination [command [argument ...]]
               ssh [-Q query_option]

        """

    static func parse(_ words: [String]) throws(CommandLineExit) -> CommandLineOptions {
        var result = CommandLineOptions()
        readLongOptions(words, &result)
        var parser = CommandLineParser(words, letters)
        var longOnes: [String] = []
        while true {
            while let step = result.explains ? next(&parser, &longOnes) : parser.next() {
                try apply(step, &result)
            }
            // One operand is the destination; options may follow it, then comes the command.
            guard result.destination == nil, let operand = parser.takeOperand() else { break }
            let destination = try destination(operand)
            result.destination = destination
            // What stands earlier counts: an option behind the destination comes too late.
            if result.options.user == nil { result.options.user = destination.user }
            if result.options.port == nil { result.options.port = destination.port }
            result.originalDestination = operand
        }
        result.command = parser.operands
        if result.usesSyslog, result.logFile != nil {
            throw CommandLineExit(text: "Can't specify both -y and -E\r\n", status: 255)
        }
        return result
    }

    // MARK: --origin and --json

    private static let longOptions = ["--origin", "--json"]

    /// Words of `-G` and of `-O list`, wherever options may stand. Behind the destination's options
    /// begins a command, whose words are its own.
    private static func readLongOptions(_ words: [String], _ result: inout CommandLineOptions) {
        guard words.contains(where: longOptions.contains) else { return }
        var parser = CommandLineParser(words, letters)
        var found: [String] = []
        var isForThem = false
        for _ in ["before the destination", "behind it"] {
            while let step = next(&parser, &found) {
                if step == .flag("G") || step == .option("O", "list") { isForThem = true }
            }
            if parser.takeOperand() == nil { break }
        }
        guard isForThem, !found.isEmpty else { return }
        result.explains = true
        result.usesJSON = found.contains("--json")
        result.options.keepsHidden = true
    }

    /// The next option; long ones in front of it go to `found`.
    private static func next(
        _ parser: inout CommandLineParser,
        _ found: inout [String]
    ) -> CommandLineParser.Step? {
        while let word = parser.takeWord(of: longOptions) { found.append(word) }
        return parser.next()
    }

    private static func destination(_ operand: String) throws(CommandLineExit) -> Destination {
        if let destination = Destination(operand), destination.user != "" { return destination }
        let at = operand.lastIndex(of: "@")
        if operand.lowercased().hasPrefix("ssh://") || at == operand.startIndex {
            throw CommandLineExit(text: usage, status: 255)
        }
        let isUserSafe = at.map { Destination.isSafe(user: String(operand[..<$0])) } ?? true
        if isUserSafe,
            at.map({ operand.index(after: $0) }) ?? operand.startIndex == operand.endIndex
        {
            throw CommandLineExit(
                text: "ssh: Could not resolve hostname : Name or service not known\r\n",
                status: 255
            )
        }
        throw CommandLineExit(
            text: isUserSafe
                ? "hostname contains invalid characters\r\n"
                : "remote username contains invalid characters\r\n",
            status: 255
        )
    }

    private static func apply(
        _ step: CommandLineParser.Step,
        _ result: inout CommandLineOptions
    ) throws(CommandLineExit) {
        switch step {
        case .unknown(let letter):
            throw CommandLineExit(text: "unknown option -- \(letter)\r\n" + usage, status: 255)
        case .missingValue(let letter):
            throw CommandLineExit(
                text: "option requires an argument -- \(letter)\r\n" + usage,
                status: 255
            )
        case .flag(let letter): try apply(letter, &result)
        case .option(let letter, let value): try apply(letter, value, &result)
        }
    }

    /// The options without a value.
    private static func apply(
        _ letter: Character,
        _ result: inout CommandLineOptions
    ) throws(CommandLineExit) {
        switch letter {
        case "1":
            throw CommandLineExit(text: "SSH protocol v.1 is no longer supported\r\n", status: 255)
        case "4": result.options.addressFamily = .inet
        case "6": result.options.addressFamily = .inet6
        case "C": result.options.compression = true
        case "f":
            result.options.forkAfterAuthentication = true
            result.options.stdinNull = true
        case "G": result.printsConfiguration = true
        case "M": result.masterCount += 1
        case "N":
            try setSessionType(ClientOptions.SessionType.none, "-N with -s", &result)
            result.options.requestTTY = .no
        case "n": result.options.stdinNull = true
        case "q": result.isQuiet = true
        case "s": try setSessionType(.subsystem, "-s with -N", &result)
        case "T": result.options.requestTTY = .no
        case "t":
            result.options.requestTTY = result.options.requestTTY == .yes ? .force : .yes
        case "V": throw CommandLineExit(text: Version.text + "\n", status: 0)
        case "v": result.verbosity += 1
        case "A": result.options.forwardAgent = "yes"
        case "a": result.options.forwardAgent = "no"
        case "g": result.options.gatewayPorts = true
        case "K":
            result.options.gssapiAuthentication = true
            result.options.gssapiDelegateCredentials = true
        case "k": result.options.gssapiDelegateCredentials = false
        case "X": result.options.forwardX11 = true
        case "x": result.options.forwardX11 = false
        case "y": result.usesSyslog = true
        case "Y":
            result.options.forwardX11 = true
            result.options.forwardX11Trusted = true
        case "Z": result.printsKeys = true
        default: break  // 2: always so.
        }
    }

    /// `-N` and `-s`, which exclude each other.
    private static func setSessionType(
        _ type: ClientOptions.SessionType,
        _ both: String,
        _ result: inout CommandLineOptions
    ) throws(CommandLineExit) {
        if let other = result.options.sessionType, other != type {
            throw CommandLineExit(text: "Cannot specify \(both)/SessionType\r\n", status: 255)
        }
        result.options.sessionType = type
    }

    /// The options with a value.
    private static func apply(
        _ letter: Character,
        _ value: String,
        _ result: inout CommandLineOptions
    ) throws(CommandLineExit) {
        func fail(_ text: String) -> CommandLineExit { CommandLineExit(text: text, status: 255) }
        switch letter {
        case "B": result.options.bindInterface = value
        case "b": result.options.bindAddress = value
        case "c":
            guard
                Syntax.algorithms(
                    value,
                    defaults: Algorithms.ciphers.offered,
                    known: Algorithms.ciphers.all
                )
                    != nil
            else { throw fail("Unknown cipher type '\(value)'\n") }
            result.options.ciphers = value
        case "E": result.logFile = value
        case "e":
            guard EscapeCharacter(value) != nil else {
                throw fail("Bad escape character '\(value)'.\n")
            }
            result.options.escapeChar = value
        case "F": result.configFile = value
        case "i":
            let path = expandHome(value)
            if let reason = Files.reasonForAbsence(of: path) {
                printError("Warning: Identity file \(path) not accessible: \(reason).\n")
                break
            }
            result.options.identityFiles.append(value)
        case "J":
            guard result.options.proxyJump == nil else {
                throw fail(
                    "Only a single -J option is permitted "
                        + "(use commas to separate multiple jump hops)\r\n"
                )
            }
            guard result.options.proxyCommand == nil else {
                throw fail("Cannot specify -J with ProxyCommand\r\n")
            }
            if value.lowercased() == "none" {
                result.options.proxyJump = value
            } else {
                if let harm = JumpHosts.harm(in: value) {
                    throw fail("\(harm)\r\nInvalid -J argument\r\n")
                }
                do throws(CommandLineExit) {
                    try set("ProxyJump=\(value)", &result)
                } catch { throw fail("Invalid -J argument\r\n") }
                result.options[.proxyJump]?.origin = .commandLine
            }
        case "l":
            guard Destination.isSafe(user: value) else {
                throw fail("remote username contains invalid characters\r\n")
            }
            if result.options.user == nil { result.options.user = value }
        case "m":
            guard
                Syntax.algorithms(
                    value,
                    defaults: Algorithms.macs.offered,
                    known: Algorithms.macs.all
                ) != nil
            else { throw fail("Unknown mac type '\(value)'\n") }
            result.options.macs = value
        case "O":
            guard
                CommandLine.controlCommands.contains(value)
                    || isSessionCommand(value)
            else {
                throw fail("Invalid multiplex command.\r\n")
            }
            result.controlCommand = value
        case "o": try set(value, &result)
        case "p":
            guard result.options.port == nil else { break }
            guard let port = Syntax.port(value) else { throw fail("Bad port '\(value)'\n") }
            result.options.port = port
        case "Q": throw try query(value)
        case "S": result.options.controlPath = value
        case "W":
            guard let target = Forward.target(value) else {
                throw fail("Bad stdio forwarding specification '\(value)'\n")
            }
            result.standardForward = target
            result.options.sessionType = ClientOptions.SessionType.none
            result.options.requestTTY = .no
        case "D": try add(.dynamic, value, &result)
        case "L": try add(.local, value, &result)
        case "R": try add(.remote, value, &result)
        case "I": result.options.pkcs11Provider = value
        case "P":
            if result.options.tag == nil { result.options.tag = value }
        case "w":
            guard let device = Syntax.tunnelDevice(value) else {
                throw fail("Bad tun device '\(value)'\n")
            }
            result.options.tunnelDevice = device
            if result.options.tunnel == nil { result.options.tunnel = .pointToPoint }
        default: break
        }
    }

    /// `-L`, `-R` and `-D`.
    private static func add(
        _ kind: Forward.Kind,
        _ value: String,
        _ result: inout CommandLineOptions
    ) throws(CommandLineExit) {
        guard let forward = Forward(kind, value, variable: Environment.value) else {
            let what =
                switch kind {
                case .local: "local"
                case .remote: "remote"
                case .dynamic: "dynamic"
                }
            let unset = Tokens.firstVariable(value) { Environment.value($0) == nil }
            let preface = unset.map { "vdollar_percent_expand: env var ${\($0)} has no value\r\n" }
            throw CommandLineExit(
                text: (preface ?? "") + "Bad \(what) forwarding specification '\(value)'\n",
                status: 255
            )
        }
        result.options.add(forward)
    }

    /// What `-O` can ask of a master.
    static let controlCommands = [
        "check", "conninfo", "channels", "forward", "cancel", "proxy", "exit", "stop", "list",
        "sessions",
    ]

    /// `kill:ID` or `signal:NAME:ID`.
    private static func isSessionCommand(_ text: String) -> Bool {
        let fields = text.split(separator: ":")
        return (fields.first == "kill" && fields.count == 2)
            || (fields.first == "signal" && fields.count == 3)
    }

    /// `~/` at the start is the home directory.
    private static func expandHome(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = User.numbered(Daemon.realUser)?.home else {
            return path
        }
        return home + path.dropFirst()
    }

    /// `-o`: a keyword and its value.
    private static func set(
        _ text: String,
        _ result: inout CommandLineOptions
    ) throws(CommandLineExit) {
        var reader = ClientConfigReader(
            result.options,
            for: ClientConfigSubject(originalHost: "", localUser: "", home: ""),
            from: NoFiles(),
            context: .client
        )
        reader.read(commandLineOption: text)
        guard reader.errors.isEmpty else {
            throw CommandLineExit(
                text: reader.errors.map { $0.description + "\r\n" }.joined(),
                status: 255
            )
        }
        result.options = reader.options
        result.notes += reader.notes
        if let refusal = reader.refusal {
            throw CommandLineExit(text: "\(refusal)\r\n", status: 255)
        }
    }

    /// `-Q`: the lists, one name a line.
    private static func query(_ word: String) throws(CommandLineExit) -> CommandLineExit {
        let names: [String]
        switch word.lowercased() {
        case "cipher", "ciphers": names = Algorithms.ciphers.all
        case "cipher-auth": names = Algorithms.authenticatedCiphers
        case "mac", "macs": names = Algorithms.macs.all
        case "kex", "kexalgorithms": names = Algorithms.keyExchange.all
        case "key": names = Algorithms.keyAndCertificateTypes
        case "key-plain": names = Algorithms.keyTypes
        case "key-cert": names = Algorithms.certificateTypes
        case "sig", "key-ca-sign", "casignaturealgorithms":
            names = Algorithms.certificateSignatures.all
        case "key-sig", "pubkeyacceptedalgorithms", "hostkeyalgorithms",
            "hostbasedacceptedalgorithms", "pubkeyacceptedkeytypes", "hostbasedkeytypes",
            "hostbasedacceptedkeytypes":
            names = Algorithms.publicKey.all
        case "protocol-version": names = ["2"]
        case "compression": names = Algorithms.compression
        case "help":
            names = [
                "cipher", "cipher-auth", "compression", "kex", "kex-gss", "key", "key-cert",
                "key-plain", "key-sig", "mac", "protocol-version", "sig",
            ]
        default:
            throw CommandLineExit(text: "Unsupported query \"\(word)\"\r\n", status: 255)
        }
        return CommandLineExit(
            text: names.map { $0 + "\n" }.joined(),
            status: 0,
            isOutput: true
        )
    }
}

/// The world of a line that stands alone.
private struct NoFiles: ConfigSource {
    func contents(of path: String) -> [UInt8]? { nil }
    func paths(matching pattern: String) -> [String] { [] }
    func succeeds(_ command: String) -> Bool { false }
}
