// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserWire

/// What a command does; each has a row in `CommandRow.all`.
enum Verb {
    case quit, changeDirectory, changeGroup, changeMode, changeOwner, copy, usage, get, help
    case changeLocalDirectory, listLocal, makeLocalDirectory, link, printLocalDirectory, list
    case localMask, makeDirectory, progress, put, printDirectory, resumeGet, resumePut, rename
    case remove, removeDirectory, symbolicLink, version
}

/// What a command's words are.
enum Operands {
    case none
    /// One path, which may be left out.
    case optionalPath
    case onePath
    case twoPaths
    /// One path or more, the last perhaps a target.
    case transfer
    /// A number and a path.
    case number(radix: Int)
    case onlyNumber
    /// Taken as they are.
    case rest
}

/// One command: its names, its flags, its words.
struct CommandRow {
    var name: String
    var verb: Verb
    var flags: String
    var operands: Operands

    init(_ name: String, _ verb: Verb, _ flags: String = "", _ operands: Operands = .none) {
        self.name = name
        self.verb = verb
        self.flags = flags
        self.operands = operands
    }

    static let all: [CommandRow] = [
        CommandRow("bye", .quit),
        CommandRow("cd", .changeDirectory, "", .optionalPath),
        CommandRow("chdir", .changeDirectory, "", .optionalPath),
        CommandRow("chgrp", .changeGroup, "h", .number(radix: 10)),
        CommandRow("chmod", .changeMode, "h", .number(radix: 8)),
        CommandRow("chown", .changeOwner, "h", .number(radix: 10)),
        CommandRow("copy", .copy, "", .twoPaths),
        CommandRow("cp", .copy, "", .twoPaths),
        CommandRow("df", .usage, "hi", .optionalPath),
        CommandRow("dir", .list, "1afhlnRrSt", .optionalPath),
        CommandRow("exit", .quit),
        CommandRow("get", .get, "afPpRr", .transfer),
        CommandRow("help", .help),
        CommandRow("lcd", .changeLocalDirectory, "", .optionalPath),
        CommandRow("lchdir", .changeLocalDirectory, "", .optionalPath),
        CommandRow("lls", .listLocal, "", .rest),
        CommandRow("lmkdir", .makeLocalDirectory, "", .onePath),
        CommandRow("ln", .link, "s", .twoPaths),
        CommandRow("lpwd", .printLocalDirectory),
        CommandRow("ls", .list, "1afhlnRrSt", .optionalPath),
        CommandRow("lumask", .localMask, "", .onlyNumber),
        CommandRow("mget", .get, "afPpRr", .transfer),
        CommandRow("mkdir", .makeDirectory, "", .onePath),
        CommandRow("mput", .put, "afPpRr", .transfer),
        CommandRow("progress", .progress),
        CommandRow("put", .put, "afPpRr", .transfer),
        CommandRow("pwd", .printDirectory),
        CommandRow("quit", .quit),
        CommandRow("reget", .resumeGet, "afPpRr", .transfer),
        CommandRow("rename", .rename, "l", .twoPaths),
        CommandRow("reput", .resumePut, "afPpRr", .transfer),
        CommandRow("rm", .remove, "", .onePath),
        CommandRow("rmdir", .removeDirectory, "", .onePath),
        CommandRow("symlink", .symbolicLink, "", .twoPaths),
        CommandRow("version", .version),
        CommandRow("?", .help),
    ]
}

/// A line, understood.
struct Command {
    var row: CommandRow
    var flags: Set<Character> = []
    /// Patterns, see `Words`.
    var paths: [[UInt8]] = []
    var number: UInt32 = 0
    /// The words as they stood, for a program.
    var text: [UInt8] = []

    enum Failure: Error { case text(String) }

    /// Reads a line that is neither empty nor an escape to the shell.
    init(_ line: [UInt8]) throws(Failure) {
        let words: [[UInt8]]
        do throws(Words.Failure) {
            words = try Words(line).patterns
        } catch {
            throw .text("Unterminated quoted argument")
        }
        let name = words.first.map { String(octets: $0).lowercased() } ?? ""
        guard let row = CommandRow.all.first(where: { $0.name == name || "\\" + $0.name == name })
        else { throw .text("Invalid command.") }
        self.row = row
        if case .rest = row.operands {
            let trimmed = line.drop { $0 == 32 || $0 == 9 }
            text = Array(trimmed.drop { $0 != 32 && $0 != 9 }.drop { $0 == 32 || $0 == 9 })
            return
        }
        try read(Array(words.dropFirst()))
    }

    private mutating func read(_ words: [[UInt8]]) throws(Failure) {
        var words = words[...]
        while let word = words.first, word.first == UInt8(ascii: "-"), word.count > 1 {
            words.removeFirst()
            if word == Array("--".utf8) { break }
            for letter in String(octets: word.dropFirst()) {
                guard row.flags.contains(letter) else {
                    let shown = PrintableText.of(String(letter).octets)
                    throw .text("\(row.name): Invalid flag -\(shown)")
                }
                if row.verb == .list { flags.subtract(Self.overruled(by: letter)) }
                flags.insert(letter)
            }
        }
        switch row.operands {
        case .none, .rest: break
        case .optionalPath: paths = Array(words.prefix(1))
        case .onePath:
            guard !words.isEmpty else {
                throw .text("You must specify a path after a \(row.name) command.")
            }
            paths = Array(words.prefix(1))
        case .twoPaths:
            guard words.count >= 2 else {
                throw .text("You must specify two paths after a \(row.name) command.")
            }
            paths = Array(words.prefix(2))
        case .transfer:
            guard !words.isEmpty else {
                throw .text("You must specify at least one path after a \(row.name) command.")
            }
            paths = Array(words.prefix(2))
        case .onlyNumber:
            number = try readNumber(words.first, radix: 8, limit: 0o777)
        case .number(let radix):
            number = try readNumber(words.first, radix: radix, limit: radix == 8 ? 0o7777 : .max)
            guard words.count >= 2 else {
                throw .text("You must specify a path after a \(row.name) command.")
            }
            paths = [words[words.startIndex + 1]]
        }
    }

    /// Of the flags of `ls` that say how to sort, and of those that say what to show, the last
    /// holds.
    private static func overruled(by flag: Character) -> Set<Character> {
        switch flag {
        case "f", "S", "t": ["f", "S", "t"]
        case "1": ["l", "n"]
        case "l", "n": ["1"]
        default: []
        }
    }

    /// A number of `radix`; in the decimal ones `0` and `0x` before it tell another, as in C.
    private func readNumber(_ word: [UInt8]?, radix: Int, limit: UInt32) throws(Failure) -> UInt32 {
        var digits = word.map { String(octets: $0) } ?? ""
        var radix = radix
        if radix == 10, digits.hasPrefix("0x") || digits.hasPrefix("0X") {
            digits.removeFirst(2)
            radix = 16
        } else if radix == 10, digits.hasPrefix("0") {
            radix = 8
        }
        guard let number = UInt32(digits, radix: radix), number <= limit
        else { throw .text("You must supply a numeric argument to the \(row.name) command.") }
        return number
    }

    /// The text that `help` prints.
    static let help = """
        Available commands:
        bye                                Quit sftp
        cd path                            Change remote directory to 'path'
        chgrp [-h] grp path                Change group of file 'path' to 'grp'
        chmod [-h] mode path               Change permissions of file 'path' to 'mode'
        chown [-h] own path                Change owner of file 'path' to 'own'
        copy oldpath newpath               Copy remote file
        cp oldpath newpath                 Copy remote file
        df [-hi] [path]                    Display statistics for current directory or
                                           filesystem containing 'path'
        exit                               Quit sftp
        get [-afpR] remote [local]         Download file
        help                               Display this help text
        lcd path                           Change local directory to 'path'
        lls [ls-options [path]]            Display local directory listing
        lmkdir path                        Create local directory
        ln [-s] oldpath newpath            Link remote file (-s for symlink)
        lpwd                               Print local working directory
        ls [-1afhlnRrSt] [path]            Display remote directory listing
        lumask umask                       Set local umask to 'umask'
        mkdir path                         Create remote directory
        progress                           Toggle display of progress meter
        put [-afpR] local [remote]         Upload file
        pwd                                Display remote working directory
        quit                               Quit sftp
        reget [-fpR] remote [local]        Resume download file
        rename oldpath newpath             Rename remote file
        reput [-fpR] local [remote]        Resume upload file
        rm path                            Delete remote file
        rmdir path                         Remove remote directory
        symlink oldpath newpath            Symlink remote file
        version                            Show SFTP version
        !command                           Execute 'command' in local shell
        !                                  Escape to local shell
        ?                                  Synonym for help

        """
}
