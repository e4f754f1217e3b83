// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// A whole run of sftp: the connection, then a file, a batch or a person's commands.
struct Program {
    private let line: SFTPCommandLine
    private let screen = Screen()
    private let isBatch: Bool
    private let isInteractive: Bool

    init(_ line: SFTPCommandLine) {
        self.line = line
        isBatch = line.batchFile != nil
        isInteractive =
            line.batchFile == nil && Descriptor.isTerminal(Descriptor.standardInput)
        screen.isQuiet = line.isQuiet
        screen.showsProgress =
            line.showsProgress && Descriptor.isTerminal(Descriptor.standardOutput)
    }

    func run() -> Int32 {
        var input: Int32 = 0
        if let file = line.batchFile, file != "-" {
            let opened = FileCalls.open(file.octets, .readOnly)
            guard opened >= 0 else {
                screen.fail("\(SystemError.reason(Int32(-opened))) (\(file)).")
                return 255
            }
            input = Int32(opened)
        }
        let destination = self.destination
        if let destination, destination.host.isEmpty {
            if RemoteDestination.uri(line.destination, scheme: "sftp") == nil {
                printError("Missing hostname\n")
            }
            printError(usage)
            return 1
        }
        guard let session = connect(destination) else { return 255 }
        let status: Int32
        do throws(SessionFault) {
            // An interrupt ends a connection that is not there yet, and ssh, which does not hear it.
            session.endsOnSignals = Signals.isWatching
            try session.greet(asksDirectory: true)
            session.endsOnSignals = false
            if !isInteractive, Signals.isWatching {
                Signals.useDefault([2])
                if Signals.take().contains(2) { Signals.raise(2) }
            }
            if let command = line.directCommand {
                if !line.isQuiet { printError("Attached to \(command).\n") }
            } else if !line.isQuiet {
                printError("Connected to \(destination?.host ?? "").\n")
            }
            status = try converse(session, destination, input)
        } catch {
            switch error {
            case .closed: screen.fail("Connection closed")
            case .misspoken(let text): screen.fail(text)
            case .notGreeted(let type):
                screen.fail("Invalid packet back from SSH2_FXP_INIT (type \(type))")
                screen.fail("Couldn't initialise connection to server")
            case .interrupted: break
            }
            session.abandon()
            session.end()
            if let signal = session.signal ?? screen.endingSignal { Signals.raise(signal) }
            return 255
        }
        session.end()
        if let signal = screen.endingSignal { Signals.raise(signal) }
        return status
    }

    // MARK: The connection

    private var destination: RemoteDestination? {
        guard line.directCommand == nil else { return nil }
        if let uri = RemoteDestination.uri(line.destination, scheme: "sftp") { return uri }
        if let found = RemoteDestination.hostAndPath(line.destination) { return found }
        let found = RemoteDestination.host(line.destination)
        let isWhole = line.destination.first == UInt8(ascii: "@") || found.host.isEmpty
        guard isWhole else { return found }
        return RemoteDestination(host: String(octets: line.destination))
    }

    private func connect(_ destination: RemoteDestination?) -> RemoteSession? {
        // ssh must outlive an interrupted command.
        let outlives = isInteractive || isBatch && line.options.isAtomic
        if outlives { Signals.watchUnlessIgnored([2]) }
        func start(_ program: String, _ words: [String]) throws(SystemError) -> RemoteSession {
            guard outlives else { return try RemoteSession.start(program, words) }
            return try Signals.whileIgnored(2) { () throws(SystemError) in
                try RemoteSession.start(program, words)
            }
        }
        do throws(SystemError) {
            if let command = line.directCommand {
                let words = command.split(separator: " ").map { String($0) }
                guard let program = words.first else {
                    screen.fail("No sftp server specified.")
                    return nil
                }
                return try start(program, Array(words.dropFirst()))
            }
            guard let destination else { return nil }
            return try start(line.ssh.path, sshArguments(destination))
        } catch {
            let program = line.directCommand?.split(separator: " ").first.map { String($0) }
            printError("exec: \(program ?? line.ssh.path): \(error.reason)\n")
            screen.fail("Connection closed")
            return nil
        }
    }

    private func sshArguments(_ destination: RemoteDestination) -> [String] {
        var words = ["-oForwardX11 no", "-oPermitLocalCommand no", "-oClearAllForwardings yes"]
        words += line.sshArguments
        if let port = destination.port ?? line.port { words.append("-oPort \(port)") }
        if let user = destination.user { words += ["-l", user] }
        let server = line.subsystem ?? "sftp"
        if !server.contains("/") { words.append("-s") }
        return words + ["--", destination.host, server]
    }

    // MARK: The conversation

    private func converse(
        _ session: RemoteSession,
        _ destination: RemoteDestination?,
        _ input: Int32
    ) throws(SessionFault) -> Int32 {
        var interpreter = Interpreter(session, screen)
        interpreter.options = line.options
        interpreter.isRecursive = line.isRecursive
        interpreter.isBatch = !isInteractive
        let path = line.directCommand == nil ? destination?.path : line.destination
        if let path, !path.isEmpty {
            let absolute = interpreter.absolute(path)
            if let attributes = try interpreter.attributes(of: absolute), attributes.isDirectory,
                line.localTarget == nil || path.last == RemotePath.slash
                    || line.isRecursive == false
            {
                if !line.isQuiet { screen.note("Changing to: \(PrintableText.of(absolute))") }
                if try !interpreter.enter(absolute) { return 1 }
            } else {
                let isGood = try interpreter.fetch(
                    interpreter.absolutePattern(path),
                    to: line.localTarget,
                    line.options,
                    isTree: line.isRecursive
                )
                return isGood ? 0 : 1
            }
        }
        return try runCommands(&interpreter, input)
    }

    private func runCommands(
        _ interpreter: inout Interpreter,
        _ input: Int32
    )
        throws(SessionFault) -> Int32
    {
        var lines = LineInput(input, isInteractive: isInteractive)
        while !interpreter.wantsToQuit {
            let text: [UInt8]
            switch lines.next(interpreter) {
            case .line(let line): text = line
            case .interrupted:
                _ = screen.takeInterrupt()
                continue
            case .ended:
                if isInteractive { printOutput("\n") }
                return 0
            }
            // Prefixes: `-` lets a failure pass, `@` does not show the command.
            var line = text.drop { $0 == 32 || $0 == 9 }
            var mayFail = false
            var isSilent = false
            while let mark = line.first, mark == UInt8(ascii: "-") || mark == UInt8(ascii: "@") {
                if mark == UInt8(ascii: "-") { mayFail = true } else { isSilent = true }
                line = line.dropFirst()
            }
            line = line.drop { $0 == 32 || $0 == 9 }
            if !isInteractive, !isSilent {
                printOutput("sftp> " + PrintableText.of(Array(text)) + "\n")
            }
            while let last = line.last, last == 13 || last == 32 || last == 9, line.count > 1,
                line[line.endIndex - 2] != UInt8(ascii: "\\")
            {
                line = line.dropLast()
            }
            guard let first = line.first, first != UInt8(ascii: "#"), first != 13 else { continue }
            interpreter.stopsAtFailure = isBatch && !mayFail
            let isGood = try interpreter.run(Array(line))
            _ = screen.takeInterrupt()
            if screen.endingSignal != nil { return 255 }
            if !isGood, isBatch, !mayFail { return 1 }
        }
        return 0
    }
}

/// Where commands come from.
struct LineInput {
    enum Next {
        case line([UInt8])
        case interrupted
        case ended
    }

    private let input: Int32
    private let isInteractive: Bool
    private var pending: [UInt8] = []
    private var hasEnded = false
    /// Editing, history and completion, where the library for it is there.
    private var editor: LineEditor?

    init(_ input: Int32, isInteractive: Bool) {
        self.input = input
        self.isInteractive = isInteractive
        if isInteractive, Descriptor.isTerminal(Descriptor.standardOutput) {
            editor = LineEditor(program: "sftp", prompt: "sftp> ")
        }
    }

    mutating func next(_ interpreter: Interpreter) -> Next {
        if let editor {
            editor.complete = { Completion(interpreter).complete($0) }
            switch editor.readLine() {
            case .text(let line): return .line(line)
            case .ended: return .ended
            case .interrupted:
                printOutput("\n")
                return .interrupted
            }
        }
        if isInteractive { printOutput("sftp> ") }
        while true {
            if let end = pending.firstIndex(of: 10) {
                let line = Array(pending[..<end])
                pending.removeFirst(end + 1)
                return .line(line)
            }
            if hasEnded {
                guard !pending.isEmpty else { return .ended }
                defer { pending = [] }
                return .line(pending)
            }
            if isInteractive, wasInterruptedWhileWaiting() {
                printOutput("\n")
                return .interrupted
            }
            read()
        }
    }

    private func wasInterruptedWhileWaiting() -> Bool {
        var set = PollSet()
        while true {
            set.removeAll()
            let typed = set.add(input, read: true)
            set.add(Signals.descriptor, read: true)
            set.wait(timeout: nil)
            if Signals.take().contains(2) { return true }
            if set.isReadable(typed) { return false }
        }
    }

    private mutating func read() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = FileReading.some(input, into: &chunk)
        if count > 0, pending.count < 1 << 20 {
            pending += chunk[..<count]
        } else {
            hasEnded = true
        }
    }
}
