// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
internal import HawserProtocol
internal import HawserSystem

/// The ends of programs, and what the client hears of them.
extension SessionProcess {
    func takeSignals() {
        for signal in Signals.take() {
            if signal == 15 {
                log.info("Exiting on signal 15")
                finish(255)
            }
        }
        while let (pid, end) = Child.reap() {
            orphans.remove(pid)
            if let session = sessions.values.first(where: { $0.startupFile == pid }) {
                session.startupFile = nil
                startWaitingProgram(session)
            } else if let session = sessions.values.first(where: { $0.child == pid }) {
                session.child = nil
                session.ending = end
                sendEnding(session)
                if session.hasPeerClosed { connection.closeChannel(session.channel) }
                finishIfDone(session)
            }
        }
    }

    /// Tells how the program ended, before the channel closes.
    private func sendEnding(_ session: Session) {
        guard let ending = session.ending, !session.hasSentEnding else { return }
        session.hasSentEnding = true
        switch ending {
        case .exited(let status):
            connection.request(
                .exitStatus(UInt32(truncatingIfNeeded: status)),
                on: session.channel,
                wantReply: false
            )
        case .signaled(let number, let coreDumped):
            connection.request(
                .exitSignal(ExitSignal(name: SignalName.name(of: number), coreDumped: coreDumped)),
                on: session.channel,
                wantReply: false
            )
        }
    }

    /// Closes the channel once the program has ended and all its output has been sent. A terminal
    /// does not wait for what still has it open.
    func finishIfDone(_ session: Session) {
        guard session.ending != nil, let pipe = session.pipe else { return }
        let isDone =
            session.terminal == nil ? pipe.isDrained : pipe.drain(&scratch, &connection)
        if isDone { connection.closeChannel(session.channel) }
    }
}
