// SPDX-License-Identifier: Apache-2.0

package import HawserLog
package import HawserSFTP
package import HawserSystem
internal import HawserTool

/// The options of sftp-server(8), which `internal-sftp` takes too.
package struct ServerCommandLine {
    package var startDirectory: String?
    package var logsToStandardError = false
    package var level = LogLevel.error
    /// A number of syslog(3).
    package var facility: Int32 = 4 << 3
    package var rules = RequestRules()
    package var umask: UInt32?

    /// What to do after the options have been read.
    package enum Outcome {
        case serve(ServerCommandLine)
        /// A text and whether it is an error; the status to leave with.
        case end(text: String, isError: Bool, status: Int32)
    }

    package static func parse(_ words: [String], user: User?) -> Outcome {
        var line = ServerCommandLine()
        var parser = CommandLineParser(words, "d:f:l:P:p:Q:u:cehR")
        while let step = parser.next() {
            switch step {
            case .flag("c"):
                // As a login shell: what sshd passes on is not for us.
                return .serve(line)
            case .flag("e"): line.logsToStandardError = true
            case .flag("R"): line.rules.isReadOnly = true
            case .option("Q", let query):
                guard query == "requests" else {
                    return .end(text: "Invalid query type\n", isError: true, status: 1)
                }
                let names = ServerRequest.allCases.map(\.rawValue).joined(separator: "\n")
                return .end(text: names + "\n", isError: false, status: 0)
            case .option("d", let directory):
                guard let expanded = expand(directory, user) else {
                    return .end(text: "", isError: true, status: 255)
                }
                line.startDirectory = expanded
            case .option("l", let level):
                guard let level = LogLevel(keyword: level) else {
                    return .end(
                        text: "Invalid log level \"\(level)\"\n",
                        isError: true,
                        status: 1
                    )
                }
                line.level = level
            case .option("f", let name):
                guard let facility = Syslog.facility(name) else {
                    return .end(
                        text: "Invalid log facility \"\(name)\"\n",
                        isError: true,
                        status: 1
                    )
                }
                line.facility = facility
            case .option("p", let list):
                if line.rules.allowed != nil {
                    return .end(
                        text: "Permitted requests already set\n",
                        isError: true,
                        status: 255
                    )
                }
                line.rules.allowed = list.split(separator: ",").map(String.init)
            case .option("P", let list):
                if !line.rules.denied.isEmpty {
                    return .end(text: "Refused requests already set\n", isError: true, status: 255)
                }
                line.rules.denied = list.split(separator: ",").map(String.init)
            case .option("u", let text):
                guard let mask = UInt32(text, radix: 8), mask <= 0o777 else {
                    return .end(text: "Invalid umask \"\(text)\"\n", isError: true, status: 255)
                }
                line.umask = mask
            default:
                return .end(text: usage, isError: true, status: 1)
            }
        }
        return .serve(line)
    }

    /// `%d`: the home, `%u`: the name, `%U`: the number, `%%`; a tilde at the start is the home.
    /// Nil: another letter, or none, behind a percent sign.
    private static func expand(_ directory: String, _ user: User?) -> String? {
        var result = ""
        var rest = Substring(directory)
        if let user, rest == "~" || rest.hasPrefix("~/") {
            result = user.home
            rest = rest.dropFirst()
        }
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            switch rest.popFirst() {
            case "%": result += "%"
            case "d": result += user?.home ?? ""
            case "u": result += user?.name ?? ""
            case "U": result += user.map { String($0.uid) } ?? ""
            default: return nil
            }
        }
        return result
    }

    /// Serves the client of the standard descriptors; returns the status to leave with. `peer`: who
    /// it is, where the environment does not tell.
    package func serve(
        user: User,
        log: Log,
        peer: String? = nil,
        witness: (any FileWitness)? = nil
    ) -> Int32 {
        if let umask { _ = Daemon.setFileMask(umask) }
        let connection = Environment.value("SSH_CONNECTION")?.split(separator: " ").first
        var server = SubsystemServer(
            log: log,
            user: user.name,
            peer: peer ?? connection.map(String.init) ?? "UNKNOWN"
        )
        server.rules = rules
        server.witness = witness ?? FileEventPipe.inherited
        if let startDirectory, !Daemon.changeDirectory(startDirectory) {
            log.error(
                "chdir to \"\(startDirectory)\" failed: \(SystemError("chdir").reason)"
            )
        }
        return server.run()
    }
}

private let usage = """
    usage: sftp-server [-ehR] [-d start_directory] [-f log_facility] [-l log_level]
    \t[-P denied_requests] [-p allowed_requests] [-u umask]
           sftp-server -Q protocol_feature

    """
