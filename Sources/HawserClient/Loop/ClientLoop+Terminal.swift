// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The terminal in front: raw mode, its size, and what escapes typed there do.
extension ClientLoop {
    func enterRawMode() {
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
        guard var escapes = session.escapes else { return }
        let actions = escapes.receive(bytes)
        session.escapes = escapes
        for action in actions { perform(action, session) }
    }

    private func perform(_ action: EscapeSequences.Action, _ session: ClientSession) {
        func show(_ text: String) { session.show(text, isError: true, self) }
        let c = EscapeSequences.name(session.escapeCharacter)
        switch action {
        case .send(let bytes): session.send(bytes.rawBytes, self)
        case .disconnect:
            show("\(c).\r\n")
            if session.passenger != nil {
                connection.closeChannel(session.id)
                session.stopInput(self)
            } else {
                end()
            }
        case .suspend where session.passenger == nil:
            show("\(c)^Z [suspend ssh]\r\n")
            leaveRawMode()
            Daemon.suspend()
            if session.hasTerminal { enterRawMode() }
            windowChanged()
        case .help:
            show(
                EscapeSequences.help(
                    session.escapeCharacter,
                    isPassenger: session.passenger != nil
                )
            )
        case .listConnections:
            show("\(c)#\r\nThe following connections are open:\r\n")
            for (id, each) in channels.sorted(by: { $0.key.number < $1.key.number }) {
                show("  #\(id) \(each.kind) (t4 r\(id))\r\n")
            }
        case .sendBreak:
            show("\(c)B\r\n")
            session.send(.serialBreak(milliseconds: 1000), self, awaiting: .other)
        case .rekey: connection.rekeyNow()
        case .raiseVerbosity, .lowerVerbosity: changeVerbosity(action == .raiseVerbosity, c, show)
        case .suspend, .background, .commandLine: show("\(c): not available\r\n")
        }
    }

    private func changeVerbosity(_ isUp: Bool, _ c: String, _ show: (String) -> Void) {
        let next = log.level.rawValue + (isUp ? 1 : -1)
        if let level = LogLevel(rawValue: next) { log.level = level }
        show("\(c)\(isUp ? "v" : "V") [LogLevel \(log.level.keyword)]\r\n")
    }
}
