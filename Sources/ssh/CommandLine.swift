// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserConfig
import HawserProtocol
import HawserSystem
import HawserTool

/// What the command line of ssh(1) said.
struct CommandLineOptions {
    var options = ClientOptions()
    /// `-o` settings, in order; they come before the files.
    var settings: [String] = []
    var configFile: String?
    var logFile: String?
    var verbosity = 0
    var isQuiet = false
    var printsConfiguration = false
    var controlCommand: String?
    var standardForward: Forward.End?
    var masterCount = 0
    var terminalCount = 0
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
        var parser = CommandLineParser(words, letters)
        while true {
            while let step = parser.next() { try apply(step, &result) }
            // One operand is the destination; options may follow it, then comes the command.
            guard result.destination == nil, let operand = parser.takeOperand() else { break }
            result.destination = try destination(operand)
            result.originalDestination = operand
        }
        result.command = parser.operands
        return result
    }

    private static func destination(_ operand: String) throws(CommandLineExit) -> Destination {
        if let destination = Destination(operand), destination.user != "" { return destination }
        let at = operand.lastIndex(of: "@")
        if operand.lowercased().hasPrefix("ssh://") || at == operand.startIndex {
            throw CommandLineExit(text: usage, status: 255)
        }
        let isUserSafe = at.map { Destination.isSafe(user: String(operand[..<$0])) } ?? true
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
            throw CommandLineExit(text: "unknown option -- \(letter)\n" + usage, status: 255)
        case .missingValue(let letter):
            throw CommandLineExit(
                text: "option requires an argument -- \(letter)\n" + usage,
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
            result.options.sessionType = ClientOptions.SessionType.none
            result.options.requestTTY = .no
        case "n": result.options.stdinNull = true
        case "q": result.isQuiet = true
        case "s": result.options.sessionType = .subsystem
        case "T": result.options.requestTTY = .no
        case "t": result.terminalCount += 1
        case "V": throw CommandLineExit(text: Version.text + "\n", status: 0)
        case "v": result.verbosity += 1
        default: break  // a, A, g, k, K, x, X, Y, y, Z, 2: nothing to do yet
        }
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
            guard !result.settings.contains(where: { isSetting($0, of: "proxycommand") }) else {
                throw fail("Cannot specify -J with ProxyCommand\r\n")
            }
            guard JumpHosts.areValid(value) else { throw fail("Invalid -J argument\r\n") }
            result.options.proxyJump = value
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
            guard ["check", "exit", "stop", "forward", "cancel", "proxy"].contains(value) else {
                throw fail("Invalid multiplex command.\r\n")
            }
            result.controlCommand = value
        case "o": result.settings.append(value)
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
        default: break  // D, I, L, P, R, w: nothing to do yet
        }
    }

    /// `~/` at the start is the home directory.
    private static func expandHome(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = Environment.value("HOME") else { return path }
        return home + path.dropFirst()
    }

    /// Whether the text of an `-o` sets a keyword.
    private static func isSetting(_ text: String, of keyword: String) -> Bool {
        text.lowercased().drop { $0 == " " }.prefix { $0 != "=" && $0 != " " } == keyword
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
            names = Algorithms.certificateSignatures.all.filter(Algorithms.isListed)
        case "key-sig", "pubkeyacceptedalgorithms", "hostkeyalgorithms",
            "hostbasedacceptedalgorithms", "pubkeyacceptedkeytypes", "hostbasedkeytypes",
            "hostbasedacceptedkeytypes":
            names = Algorithms.publicKey.all.filter(Algorithms.isListed)
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
