// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserCrypto
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The terminal in front: raw mode, its size, and what escapes typed there do.
extension ClientLoop {
    /// Hears of what would end us, and of the terminal's size. What the caller ignores (nohup) stays
    /// ignored.
    static func watchSignals() {
        // HUP INT QUIT TERM WINCH
        Signals.watchUnlessIgnored([1, 2, 3, 15, 28])
    }

    func enterRawMode() {
        // A signal that ended us right here would leave the terminal raw.
        Self.watchSignals()
        guard rawTerminal == nil, Descriptor.isTerminal(0),
            let settings = Terminal.settings(of: 0)
        else { return }
        rawTerminal = settings
        Terminal.makeRaw(0)
    }

    func leaveRawMode() {
        guard let settings = rawTerminal else { return }
        Terminal.restore(0, settings)
        rawTerminal = nil
    }

    func windowChanged() {
        for channel in channels.values {
            guard let session = channel as? ClientSession, session.isRunning,
                session.hasTerminal, let size = Terminal.windowSize(of: session.terminal)
            else { continue }
            connection.request(
                .windowChange(TerminalSize(size)),
                on: session.id,
                wantReply: false
            )
        }
    }

    // MARK: Escapes

    func typed(_ bytes: [UInt8], _ session: ClientSession) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if session.commandLine != nil {
                guard let line = readCommandLine(&rest, session) else { continue }
                perform(line, session)
            } else {
                guard var escapes = session.escapes else { return }
                let actions = escapes.receiveSome(&rest)
                session.escapes = escapes
                for action in actions { perform(action, session) }
            }
        }
    }

    private func perform(_ action: EscapeSequences.Action, _ session: ClientSession) {
        func show(_ text: String) { session.show(text, isError: true, self) }
        let c = EscapeSequences.name(session.escapeCharacter)
        let isPassenger = session.passenger != nil
        func notForPassengers(_ what: String) {
            show("\(c)\(what) escape not available to multiplexed sessions\r\n")
        }
        switch action {
        case .send(let bytes): sendTyped(bytes.rawBytes, session)
        case .disconnect where isPassenger:
            show("\(c).\r\n")
            connection.closeChannel(session.id)
            session.abandonData(self)
        case .disconnect: end()
        case .suspend where isPassenger: notForPassengers("^Z")
        case .suspend:
            show("\(c)^Z [suspend ssh]\r\n")
            leaveRawMode()
            Daemon.suspend()
            if session.hasTerminal { enterRawMode() }
            windowChanged()
        case .help:
            show(
                EscapeSequences.help(
                    session.escapeCharacter,
                    isPassenger: isPassenger,
                    hasCommandLine: settings.options.enableEscapeCommandline == true
                )
            )
        case .listConnections:
            show("\(c)#\r\n" + openConnections)
        case .connectionInformation:
            show(
                "\(c)I\r\n"
                    + connectionInformation.split(separator: "\n").map { $0 + "\r\n" }.joined()
            )
        case .sendBreak:
            show("\(c)B\r\n")
            session.send(.serialBreak(milliseconds: 1000), self, awaiting: .other)
        case .rekey: connection.rekeyNow()
        case .raiseVerbosity where isPassenger: notForPassengers("v")
        case .lowerVerbosity where isPassenger: notForPassengers("V")
        case .raiseVerbosity, .lowerVerbosity: changeVerbosity(action == .raiseVerbosity, c, show)
        case .commandLine where settings.options.enableEscapeCommandline != true:
            show("commandline disabled\r\n")
        case .commandLine:
            session.commandLine = []
            show("\r\nssh> ")
        case .background where isPassenger: notForPassengers("&")
        case .background: background(session, c)
        }
    }

    private func changeVerbosity(_ isUp: Bool, _ c: String, _ show: (String) -> Void) {
        let next = log.level.rawValue + (isUp ? 1 : -1)
        if let level = LogLevel(rawValue: next) { log.level = level }
        let name = log.level == .quiet ? "SILENT" : log.level.keyword
        show("\(c)\(isUp ? "v" : "V") [LogLevel \(name)]\r\n")
    }

    /// Leaves the terminal to the shell and goes on for forwarded connections and passengers.
    private func background(_ session: ClientSession, _ c: String) {
        Descriptor.writeAll(2, "\(c)& [backgrounded]\r\n".octets)
        leaveRawMode()
        guard let child = try? Daemon.forkChild() else { return }
        if child > 0 { Daemon.exit(0) }
        try? continueAfterFork()
        // As if the user had typed an end of file.
        sendHeldKeys()
        if session.hasTerminal { session.send([4].rawBytes, self) }
        session.stopInput(self)
    }

    // MARK: What is open

    /// What `~#` shows.
    var openConnections: String {
        var text = "The following connections are open:\r\n"
        for (_, each) in channels.sorted(by: { $0.key.number < $1.key.number }) {
            text += "  \(each.description)\r\n"
        }
        return text
    }
}
