// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserTool
internal import HawserWire

/// The options of scp(1).
struct SCPCommandLine {
    enum Role { case user, source, sink }

    /// What scp was called as: it stands before its messages.
    let name: String
    var role = Role.user
    var ssh = SSHProgram()
    /// What ssh gets before host and command.
    var sshArguments = [
        "-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none",
        "-oRequestTTY=no",
    ]
    /// What ssh gets for a login from one host to the other (`-R`).
    var directArguments = ["-x", "-oClearAllForwardings=yes", "-n"]
    /// What the far scp gets in the old protocol.
    var remoteFlags = ""
    var usesLegacy = false
    var directServer: String?
    /// Between two hosts: through here (`-3`), or by a login from one to the other (`-R`).
    var isDirectBetweenHosts = false
    var isRecursive = false
    var targetIsDirectory = false
    var checksNames = true
    var showsProgress = true
    var isQuiet = false
    var verbosity = 0
    var port: String?
    var printsJSON = false
    var options = CopyOptions()
    var operands: [[UInt8]] = []

    enum Failure: Error { case leave(String, Int32) }

    init(_ words: [[UInt8]]) throws(Failure) {
        name = words.first.map { String(octets: $0) } ?? "scp"
        options.followsLinks = true
        options.isInPlace = true
        var texts: [String] = []
        for word in words.dropFirst() {
            switch String(octets: word) {
            case "--resume": options.resumes = true
            case "--atomic": options.isAtomic = true
            case "--verify": options.verifies = true
            case "--json": printsJSON = true
            case let text: texts.append(text)
            }
        }
        var parser = CommandLineParser(texts, "12346ABCTdfOpqRrstvD:F:J:M:P:S:c:i:l:o:X:")
        while let step = parser.next() {
            switch step {
            case .flag(let letter): try set(letter)
            case .option(let letter, let value): try set(letter, value)
            case .unknown(let letter):
                throw .leave("\(name): unknown option -- \(letter)\r\n" + usage, 1)
            case .missingValue(let letter):
                throw .leave("\(name): option requires an argument -- \(letter)\r\n" + usage, 1)
            }
        }
        sshArguments.append("-oForwardAgent=no")
        operands = Array(words.suffix(parser.operands.count))
        if role == .user, operands.count < 2 { throw .leave(usage, 1) }
        if usesLegacy, options.resumes || options.isAtomic || options.verifies {
            throw .leave("\(name): --resume, --atomic and --verify need the SFTP protocol\n", 1)
        }
        if printsJSON { showsProgress = false }
    }

    /// Notes what every ssh gets.
    private mutating func pass(_ words: [String]) {
        sshArguments += words
        directArguments += words
    }

    private mutating func set(_ letter: Character) throws(Failure) {
        switch letter {
        case "1": throw .leave("\(name): SSH protocol v.1 is no longer supported\r\n", 255)
        case "2": break
        case "3": isDirectBetweenHosts = false
        case "R": isDirectBetweenHosts = true
        case "4", "6", "A", "C": pass(["-\(letter)"])
        case "B": pass(["-oBatchmode=yes"])
        case "O": usesLegacy = true
        case "s": usesLegacy = false
        case "T": checksNames = false
        case "p":
            options.preserves = true
            remoteFlags += " -p"
        case "r": isRecursive = true
        case "q":
            showsProgress = false
            isQuiet = true
            pass(["-q"])
        case "v":
            verbosity += 1
            pass(["-v"])
        case "d": targetIsDirectory = true
        case "f": role = .source
        case "t": role = .sink
        default: throw .leave(usage, 1)
        }
    }

    private mutating func set(_ letter: Character, _ value: String) throws(Failure) {
        switch letter {
        case "c", "i", "J", "F", "o": pass(["-\(letter)", value])
        case "D": directServer = value
        case "M":
            guard value == "scp" || value == "sftp" else { throw .leave(usage, 1) }
            usesLegacy = value == "scp"
        case "P":
            guard let number = UInt16(value), number > 0 else {
                throw .leave("\(name): bad port \"\(value)\"\n\r\n", 255)
            }
            port = value
        case "S": ssh.path = value
        case "l":
            guard let limit = UInt64(value), limit > 0, limit <= 100 << 20 else {
                throw .leave(usage, 1)
            }
            options.kilobitsPerSecond = limit
        default:
            if let fault = TransferTuning.apply(value, to: &options) {
                throw .leave("\(name): \(fault)\r\n", 255)
            }
        }
    }

    /// The command of the far scp, without its files; `isMany`: they go to one target.
    func remoteCommand(_ end: String, isMany: Bool) -> String {
        var command = "scp"
        if verbosity > 0 { command += " -v" }
        if isRecursive { command += " -r" }
        command += remoteFlags
        if isMany || targetIsDirectory { command += " -d" }
        return command + (end.isEmpty ? "" : " " + end)
    }

    /// What ssh gets for a destination, up to the command.
    func sshArguments(for destination: RemoteDestination, subsystem: Bool) -> [String] {
        var words = sshArguments
        if let port = destination.port ?? port { words += ["-p", port] }
        if let user = destination.user { words += ["-l", user] }
        if subsystem { words.append("-s") }
        return words + ["--", destination.host]
    }
}

let usage = """
    usage: scp [-346ABCOpqRrsTv] [-c cipher] [-D sftp_server_path] [-F ssh_config]
               [-i identity_file] [-J destination] [-l limit] [-o ssh_option]
               [-P port] [-S program] [-X sftp_option]
               [--atomic] [--json] [--resume] [--verify] source ... target

    """
