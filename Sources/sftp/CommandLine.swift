// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// The options of sftp(1).
struct SFTPCommandLine {
    var ssh = SSHProgram()
    var sshArguments: [String] = []
    var directCommand: String?
    var batchFile: String?
    var isQuiet = false
    var showsProgress = true
    var subsystem: String?
    var port: String?
    var options = CopyOptions()
    var isRecursive = false
    var destination: [UInt8] = []
    var localTarget: [UInt8]?
    var verbosity = 0

    enum Failure: Error { case leave(String, Int32) }

    init(_ words: [[UInt8]]) throws(Failure) {
        var texts: [String] = []
        for word in words.dropFirst() {
            switch String(octets: word) {
            case "--atomic": options.isAtomic = true
            case "--verify": options.verifies = true
            case let text: texts.append(text)
            }
        }
        var parser = CommandLineParser(texts, "1246AafhNpqrvCB:b:c:D:F:i:J:l:o:P:R:S:s:X:")
        var forwardsAgent = false
        while let step = parser.next() {
            switch step {
            case .flag(let letter):
                if letter == "A" { forwardsAgent = true }
                try set(letter)
            case .option(let letter, let value): try set(letter, value)
            case .unknown(let letter):
                throw .leave("unknown option -- \(letter)\r\n" + usage, 1)
            case .missingValue(let letter):
                throw .leave("option requires an argument -- \(letter)\r\n" + usage, 1)
            }
        }
        if !forwardsAgent { sshArguments.append("-oForwardAgent no") }
        let count = parser.operands.count
        let operands = words.suffix(count).map { $0 }
        guard directCommand != nil || (1...2).contains(count) else { throw .leave(usage, 1) }
        if let first = operands.first { destination = first }
        if count == 2 { localTarget = operands[1] }
    }

    private mutating func set(_ letter: Character) throws(Failure) {
        switch letter {
        case "4", "6", "A", "C": sshArguments.append("-\(letter)")
        case "v":
            verbosity += 1
            if verbosity <= 3 { sshArguments.append("-v") }
        case "q":
            isQuiet = true
            showsProgress = false
            sshArguments.append("-q")
        case "1": throw .leave("SSH protocol v.1 is no longer supported\r\n", 255)
        case "2": break
        case "a": options.resumes = true
        case "f": options.synchronizes = true
        case "p": options.preserves = true
        case "r": isRecursive = true
        case "N": isQuiet = false
        default: throw .leave(usage, 1)
        }
    }

    private mutating func set(_ letter: Character, _ value: String) throws(Failure) {
        switch letter {
        case "F", "J", "c", "i", "o": sshArguments += ["-\(letter)", value]
        case "P":
            guard let number = UInt16(value), number > 0 else {
                throw .leave("Bad port \"\(value)\"\n\r\n", 255)
            }
            port = value
        case "D": directCommand = value
        case "S": ssh.path = value
        case "s": subsystem = value
        case "b":
            guard batchFile == nil else { throw .leave("Batch file already specified.\r\n", 255) }
            batchFile = value
            isQuiet = true
            showsProgress = false
            sshArguments.append("-obatchmode yes")
        case "B":
            guard let bytes = Int(value), bytes > 0 else {
                throw .leave("Invalid buffer size \"\(value)\"\r\n", 255)
            }
            options.blockBytes = bytes
        case "R":
            guard let count = Int(value), count > 0 else {
                throw .leave("Invalid number of requests \"\(value)\"\r\n", 255)
            }
            options.requests = count
        case "l":
            guard let limit = UInt64(value), limit > 0, limit <= 100 << 20 else {
                throw .leave(usage, 1)
            }
            options.kilobitsPerSecond = limit
        default:
            if let fault = TransferTuning.apply(value, to: &options) {
                throw .leave("\(fault)\r\n", 255)
            }
        }
    }
}

let usage = """
    usage: sftp [-46AaCfNpqrv] [-B buffer_size] [-b batchfile] [-c cipher]
              [-D sftp_server_command] [-F ssh_config] [-i identity_file]
              [-J destination] [-l limit] [-o ssh_option] [-P port]
              [-R num_requests] [-S program] [-s subsystem | sftp_server]
              [-X sftp_option] [--atomic] [--verify] destination

    """
