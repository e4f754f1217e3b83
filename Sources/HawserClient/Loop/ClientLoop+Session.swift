// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserLog
internal import HawserProtocol
package import HawserSystem

/// ssh's own session, or the forward of `-W`.
extension ClientLoop {
    /// Opens it. In the background its input is empty, and its output goes on to where ours does
    /// now.
    package func openOwnSession(isBackground: Bool = false) throws(SystemError) {
        if let target = settings.standardForward {
            let opening = ChannelOpening(standardForward: target)
            guard let id = connection.openChannel(opening) else { return }
            hasOpenedForward = true
            add(StandardForward(id, to: target, input: 0, output: 1))
            return
        }
        guard settings.options.sessionType != ClientOptions.SessionType.none else { return }
        var request = SessionRequest(settings)
        guard let id = connection.openChannel(.session, windowBytes: request.windowBytes) else {
            return
        }
        request.wantsAgent = agentForwarding.isOn
        request.wantsX11 = settings.options.forwardX11 == true
        let session = ClientSession(
            id,
            request,
            input: settings.options.stdinNull == true ? -1 : Descriptor.standardInput,
            output: isBackground ? try Descriptor.duplicate(1) : 1,
            error: isBackground ? try Descriptor.duplicate(2) : 2,
            ownsDescriptors: isBackground
        )
        if request.wantsTerminal, let character = settings.escapeCharacter.byte {
            session.escapeCharacter = character
            session.escapes = EscapeSequences(character)
        }
        own = session
        add(session)
        if master == nil, settings.controlPath == nil {
            connection.requestGlobal(.noMoreSessions, wantReply: false)
        }
    }

    /// Opens it while the user is not known yet, where the program and the server allow for that.
    func openEarlySession() {
        guard mayOpenEarly, own == nil, connection.beginEarlySession() else { return }
        try? openOwnSession()
        own?.startEarly(self)
    }

    func ownSessionFailed() {
        isEnding = true
    }

    func standardForwardFailed() {
        log.error("stdio forwarding failed")
        isEnding = true
        endSignal = 0
    }

    /// A session is over and everything of it is written.
    func sessionFinished(_ session: ClientSession) {
        if agents.count > 1 { agents.removeAll { $0.session == session.id } }
        if let passenger = session.passenger {
            session.release()
            passenger.finished(status: session.exitStatus, self)
        } else if session === own {
            leaveRawMode()
            ownIsOver = true
            // A background master holds nothing of its caller's.
            if master != nil || !channels.isEmpty { session.release() }
        }
    }
}

extension ChannelOpening {
    /// The channel of `-W`.
    init(standardForward target: Forward.End) {
        switch target {
        case .tcp(let host, let port):
            self = .directTCPIP(
                TCPIPEndpoints(
                    host: host ?? "",
                    port: UInt32(port),
                    originatorAddress: "127.0.0.1",
                    originatorPort: 65535
                )
            )
        case .unix(let path): self = .directStreamLocal(path: path)
        }
    }
}
