// SPDX-License-Identifier: Apache-2.0

import HawserServer
import HawserSystem
import HawserTool
internal import HawserWire

/// The options of sshd(8).
enum ServerCommandLine {
    enum Result {
        case run(ServerProgram.Options)
        /// There is nothing to run: the exit status.
        case end(Int32)
    }

    /// One option: whether it takes a value, and what it does.
    private struct Option: Sendable {
        let letter: Character
        let takesValue: Bool
        let apply: @Sendable (inout ServerProgram.Options, String) -> String?
    }

    private static let rows: [Option] = [
        flag("4") { $0.family = .ipv4 },
        flag("6") { $0.family = .ipv6 },
        flag("D") { $0.staysInForeground = true },
        flag("d") { $0.debugLevel = min(3, $0.debugLevel + 1) },
        flag("e") { $0.logsToStandardError = true },
        flag("i") { $0.isInetd = true },
        flag("q") { options in
            options.isQuiet = true
            // For the connections too, whatever the file says.
            options.lines.append("LogLevel QUIET")
        },
        flag("t") { $0.tests = true },
        flag("T") { $0.testsExtended = true },
        flag("G") { $0.printsOnly = true },
        flag("r") { _ in },
        value("b") { _, _ in nil },
        value("k") { _, _ in nil },
        value("Q") { _, _ in nil },
        value("u") { options, text in
            // A word that is no number counts as none, as OpenSSH takes it.
            let width = Int(text) ?? 0
            options.hostWidth = width
            return (0...256).contains(width) ? nil : "Invalid utmp length."
        },
        value("C") { options, text in
            options.connectionSpecification += text.split(separator: ",").map(String.init)
            return nil
        },
        value("c") { options, text in
            options.lines.append("HostCertificate \(text)")
            return nil
        },
        value("E") { options, text in
            options.logFile = text
            return nil
        },
        value("f") { options, text in
            options.configurationFile = text
            return nil
        },
        value("g") { options, text in
            guard text.first?.isNumber == true else { return "Invalid login grace time." }
            options.lines.append("LoginGraceTime \(text)")
            return nil
        },
        value("h") { options, text in
            options.lines.append("HostKey \(text)")
            return nil
        },
        value("o") { options, text in
            options.lines.append(text)
            return nil
        },
        value("p") { options, text in
            guard let port = Int(text), (1...65535).contains(port) else {
                return "Bad port number."
            }
            options.ports.append(port)
            return nil
        },
    ]

    private static func flag(
        _ letter: Character,
        _ apply: @escaping @Sendable (inout ServerProgram.Options) -> Void
    ) -> Option {
        Option(letter: letter, takesValue: false) { options, _ in
            apply(&options)
            return nil
        }
    }

    private static func value(
        _ letter: Character,
        _ apply: @escaping @Sendable (inout ServerProgram.Options, String) -> String?
    ) -> Option {
        Option(letter: letter, takesValue: true, apply: apply)
    }

    /// Reads the arguments as getopt(3) does: letters may share a word, a value may be attached.
    static func parse(_ arguments: [String]) -> Result {
        var options = ServerProgram.Options()
        options.arguments = arguments
        var rest = arguments.dropFirst()[...]
        while let word = rest.first, word.hasPrefix("-"), word != "-" {
            rest = rest.dropFirst()
            if word == "--" { break }
            if word == "--origin" || word == "--json" {
                options.explains = true
                if word == "--json" { options.usesJSON = true }
                continue
            }
            if word == "--explain" {
                // Everything that follows is about the login.
                options.explanationSpecification = rest.flatMap { specification in
                    specification.hasPrefix("key=")
                        ? [specification] : specification.split(separator: ",").map(String.init)
                }
                if rest.isEmpty { options.explanationSpecification = [""] }
                return .run(options)
            }
            var letters = word.dropFirst()
            while let letter = letters.popFirst() {
                if letter == "V" {
                    say("\(Version.text)")
                    return .end(0)
                }
                guard let row = rows.first(where: { $0.letter == letter }) else {
                    say("unknown option -- \(letter)")
                    return usage()
                }
                var text = ""
                if row.takesValue {
                    if !letters.isEmpty {
                        text = String(letters)
                        letters = ""
                    } else if let next = rest.popFirst() {
                        text = next
                    } else {
                        say("option requires an argument -- \(letter)")
                        return usage()
                    }
                }
                if let failure = row.apply(&options, text) {
                    say(failure)
                    return .end(1)
                }
            }
        }
        if let extra = rest.first {
            say("Extra argument \(extra).")
            return .end(1)
        }
        return .run(options)
    }

    private static func usage() -> Result {
        say(Version.text)
        say("usage: sshd [-46DdeGiqTtV] [-C connection_spec] [-c host_cert_file]")
        say("            [-E log_file] [-f config_file] [-g login_grace_time]")
        say("            [-h host_key_file] [-o option] [-p port] [-u len]")
        say("       sshd [options] --explain user=USER[,addr=ADDRESS] [key=FILE]")
        return .end(1)
    }

    private static func say(_ text: String) {
        Descriptor.writeAll(2, (text + "\n").octets)
    }
}
