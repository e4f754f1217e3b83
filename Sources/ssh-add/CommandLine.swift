// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserTool
internal import HawserWire

/// What the command line asked for.
struct Arguments {
    enum Action { case list, listKeys, removeAll, lock, unlock, listExtensions }

    /// At most one of these.
    var action: Action?
    /// `-d`.
    var removes = false
    /// `-T`.
    var tests = false
    /// `-s` and `-e`: the library.
    var addedProvider: String?
    var removedProvider: String?
    /// `-K`.
    var loadsResidentKeys = false

    var confirms = false
    var certificatesOnly = false
    var keysOnly = false
    var keepsExpiredCertificates = false
    var isQuiet = false
    var verbosity = 0

    /// What is said on the way, with `-v` more of it.
    var log: Log {
        let levels: [LogLevel] = [.info, .debug1, .debug2, .debug3]
        return Log(level: levels[min(verbosity, 3)], sink: Messages())
    }

    var hash = Fingerprint.Hash.sha256
    var destinations: [String] = []
    var hostKeyFiles: [String] = []
    var securityKeyProvider: String?
    var lifetimeSeconds: UInt32?
    var files: [String] = []

    init(_ words: [String]) {
        var parser = CommandLineParser(words, "vkKlLNCcdDTxXQqE:e:h:H:M:m:s:S:t:")
        while let step = parser.next() {
            switch step {
            case .flag(let letter): set(flag: letter)
            case .option(let letter, let value): set(letter, to: value)
            case .unknown(let letter):
                printError("unknown option -- \(letter)\n" + Self.usage)
                World.exit(1)
            case .missingValue(let letter):
                printError("option requires an argument -- \(letter)\n" + Self.usage)
                World.exit(1)
            }
        }
        files = parser.operands
        if certificatesOnly, keysOnly { fatal("Invalid combination of actions") }
    }

    private mutating func set(flag letter: Character) {
        switch letter {
        case "C": certificatesOnly = true
        case "c": confirms = true
        case "D": choose(.removeAll)
        case "d": removes = true
        case "K": loadsResidentKeys = true
        case "k": keysOnly = true
        case "L": choose(.listKeys)
        case "l": choose(.list)
        case "N": keepsExpiredCertificates = true
        case "Q": choose(.listExtensions)
        case "q": isQuiet = true
        case "T": tests = true
        case "v": verbosity += 1
        case "X": choose(.unlock)
        default: choose(.lock)
        }
    }

    private mutating func choose(_ wanted: Action) {
        switch (action, wanted) {
        case (.list, .list), (.list, .listKeys): fatal("-l flag already specified")
        case (.listKeys, .list), (.listKeys, .listKeys): fatal("-L flag already specified")
        case (.lock, .lock), (.lock, .unlock): fatal("-x flag already specified")
        case (.unlock, .lock), (.unlock, .unlock): fatal("-X flag already specified")
        case (nil, _): action = wanted
        case (let chosen?, _):
            if chosen != wanted { fatal("Invalid combination of actions") }
        }
    }

    private mutating func set(_ letter: Character, to value: String) {
        switch letter {
        case "E":
            guard let known = Fingerprint.Hash(word: value) else {
                fatal("Invalid hash algorithm \"\(value)\"")
            }
            hash = known
        case "e": removedProvider = value
        case "H": hostKeyFiles.append(value)
        case "h": destinations.append(value)
        case "M", "m": break  // Of keys that are no more.
        case "S": securityKeyProvider = value
        case "s": addedProvider = value
        default:
            guard let seconds = TimeSpan.seconds(value), seconds >= 0 else {
                printError("Invalid lifetime\n")
                World.exit(1)
            }
            lifetimeSeconds = UInt32(clamping: seconds)
        }
    }

    static let usage = """
        usage: ssh-add [-CcDdKkLlNQqvXx] [-E fingerprint_hash] [-H hostkey_file]
                       [-h destination_constraint] [-S provider] [-t life]
                       [file ...]
               ssh-add -s pkcs11 [-Cv] [certificate ...]
               ssh-add -e pkcs11
               ssh-add -T pubkey ...

        """
}

/// Prints a message as OpenSSH's programs end, and leaves.
func fatal(_ message: String) -> Never {
    printError(message + "\r\n")
    World.exit(255)
}

/// A message of the kind that OpenSSH's programs log, with the line end of a terminal in raw mode.
func logError(_ message: String) { printError(message + "\r\n") }
