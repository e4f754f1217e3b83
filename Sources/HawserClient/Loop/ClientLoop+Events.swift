// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// What the connection tells.
extension ClientLoop {
    func takeEvents() throws(ClientFailure) {
        do throws(ProtocolError) {
            while let event = try connection.nextEvent(at: Self.now) {
                try handle(event)
            }
            if !isAuthenticated, connection.mayFollowNone { authenticateAhead() }
        } catch {
            throw describe(error)
        }
    }

    /// What need not wait for the server's answer to the first request, once everything that came
    /// with its keys has been read.
    private func authenticateAhead() {
        openEarlySession()
        authenticator.followNone(on: &connection)
    }

    /// The user's words for what the peer did.
    private func describe(_ error: ProtocolError) -> ClientFailure {
        if case .hostKeyRefused = error.kind {
            flush()
            return ClientFailure(nil)
        }
        if case .authenticationFailed = error.kind { return ClientFailure(error.text) }
        if case .wrongGuess = error.kind {
            log.debug("guessed key exchange: \(error.text)")
            var failure = ClientFailure(error.text)
            failure.isWrongGuess = true
            return failure
        }
        connection.disconnect(after: error)
        flush()
        switch error.kind {
        case .noCommonAlgorithm:
            return ClientFailure("Unable to negotiate with \(peerName): \(error.text)")
        case .disconnected(let reason):
            return ClientFailure(
                "Received disconnect from \(peerName):\(reason): \(error.text.visible)\r\n"
                    + "Disconnected from \(peerName)"
            )
        case .badIdentification:
            return ClientFailure(
                "\(error.text.visible)\r\nbanner exchange: Connection to \(peerName): invalid format"
            )
        case .versionMismatch:
            return ClientFailure(
                "\(error.text.visible)\r\nbanner exchange: Connection to \(peerName): "
                    + "could not read protocol version"
            )
        case .badMAC, .badPacket:
            return ClientFailure(
                "\(error.text)\r\nssh_dispatch_run_fatal: Connection to \(peerName): "
                    + (error.kind == .badMAC
                        ? "message authentication code incorrect" : "Connection corrupted")
            )
        default:
            return ClientFailure(
                "ssh_dispatch_run_fatal: Connection to \(peerName): \(error.text)"
            )
        }
    }

    private func handle(_ event: ConnectionEvent) throws(ProtocolError) {
        switch event {
        case .identified(let line):
            log.debug(
                "Remote protocol version \(line.protocolVersion), remote software version "
                    + line.softwareVersion.visible
            )
        case .lineBeforeIdentification(let line):
            log.debug("ssh_exchange_identification: \(line.visible)")
        case .hostKey(let proven): try decide(proven)
        case .debugMessage(let text, let always):
            if always { log.info("\(text.visible)") } else { log.debug("Remote: \(text.visible)") }
        case .banner(let text):
            if log.level >= .info { printError(text.visible) }
        case .authenticationMethods, .signatureNeeded, .informationRequested,
            .passwordChangeRequested, .gssapi:
            try authenticator.handle(event, on: &connection)
        case .authenticated:
            isAuthenticated = true
            authenticator.succeeded(on: connection)
            rememberKeyExchange()
            let through = dialed.address.map { "([\($0.host)]:\($0.port))" } ?? "(via proxy)"
            log.verbose(
                "Authenticated to \(settings.host) \(through) using \"\(authenticator.lastMethod)\"."
            )
        case .channelOpened(let id): channels[id]?.opened(self)
        case .channelOpenFailed(let id, let reason, let message):
            channels.removeValue(forKey: id)?.openFailed(reason, message, self)
        case .channelOpenRequested(let id, let opening): channelRequested(id, opening)
        case .channelData(let id, let count): receive(id, count, isError: false)
        case .channelExtendedData(let id, let type, let count):
            receive(id, count, isError: type == ConnectionEvent.standardError)
        case .channelEOF(let id): channels[id]?.peerEnded(self)
        case .channelClosed(let id): channels[id]?.closed(self)
        case .channelWritable(let id): channels[id]?.writable(self)
        case .channelRequest(let id, let request, let wantReply):
            if let channel = channels[id] {
                channel.requested(request, wantReply: wantReply, self)
            } else if wantReply {
                connection.answerRequest(on: id, success: false)
            }
        case .channelRequestAnswered(let id, let success):
            channels[id]?.answered(success: success, self)
        case .globalRequest(let request, let wantReply):
            if case .hostKeys(let keys) = request { updateHostKeys(keys) }
            if wantReply { connection.answerGlobalRequest(success: false) }
        case .globalRequestAnswered(let id, let success, let payload):
            unansweredKeepAlives = 0
            awaitedGlobals.removeValue(forKey: id)?(success, payload)
        case .keysExchanged(let agreed, isFirst: true): warnOfWeakCryptography(agreed)
        case .keysExchanged, .extensionsReceived, .unimplemented, .pong: break
        case .exchangeSignatureNeeded, .groupNeeded, .authenticationRequested,
            .channelPeerClosed:
            break
        }
    }

    /// `WarnWeakCrypto`. Whoever says which key exchanges to use has thought about it.
    private func warnOfWeakCryptography(_ agreed: Negotiated) {
        let options = settings.options
        guard options.warnWeakCrypto ?? .yes == .yes, options[.kexAlgorithms] == nil,
            !Algorithms.isPostQuantum(keyExchange: agreed.keyExchange)
        else { return }
        log.info("** WARNING: connection is not using a post-quantum key exchange algorithm.")
        log.info(
            "** This session may be vulnerable to \"store now, decrypt later\" attacks."
        )
        log.info("** The server may need to be upgraded. See https://openssh.com/pq.html")
    }

    private func receive(_ id: ChannelID, _ count: Int, isError: Bool) {
        guard let channel = channels[id] else { return connection.consumed(count, on: id) }
        channel.noteActivity(self)
        channel.receive(count, isError: isError, self)
    }

    /// The server tells its host keys; those that are new must be proved.
    private func updateHostKeys(_ blobs: [[UInt8]]) {
        hostKeyUpdate.lendingTerminal = { [unowned self] question in
            let wasRaw = rawTerminal != nil
            leaveRawMode()
            defer { if wasRaw { enterRawMode() } }
            return question()
        }
        guard mayUpdateHostKeys,
            let id = hostKeyUpdate.receive(keyBlobs: blobs, on: &connection)
        else { return }
        awaitedGlobals[id] = { [unowned self] success, payload in
            hostKeyUpdate.receive(
                proofs: success ? payload : nil,
                sessionIdentifier: connection.sessionIdentifier
            )
        }
    }

    /// The server's key is not the known one, and the user goes on all the same: what could be turned
    /// against the user is not forwarded.
    private func forwardNothing() throws(ProtocolError) {
        isUntrusted = true
        var isCancelled = settings.standardForward != nil
        func cancel(_ what: String) {
            isCancelled = true
            log.error("\(what) forwarding is disabled to avoid man-in-the-middle attacks.")
        }
        if agentForwarding.isWanted {
            cancel("Agent")
            agentForwarding = AgentForwarding(path: nil)
        }
        if settings.options.forwardX11 == true { cancel("X11") }
        if !forwarding.forwards.isEmpty {
            cancel("Port")
            forwarding.forwards = []
        }
        if wantsTunnel { cancel("Tunnel") }
        if hostKeyUpdate.isWanted {
            log.info("UpdateHostkeys is disabled because the host key is not trusted.")
        }
        guard isCancelled, forwarding.exitOnFailure else { return }
        throw ProtocolError(
            .authenticationFailed,
            "Error: forwarding disabled due to host key check failure"
        )
    }

    private func decide(_ proven: ProvenHostKey) throws(ProtocolError) {
        guard let key = try? PublicKey(blob: proven.blob) else {
            throw ProtocolError(.hostKeyRefused, "unreadable host key")
        }
        switch verification.verdict(on: key) {
        case .accepted(let isPlainAndKnown): mayUpdateHostKeys = isPlainAndKnown
        case .acceptedWithoutTrust:
            authenticator.sendsNoSecrets = true
            try forwardNothing()
        case .refused:
            connection.rejectHostKey()
            throw ProtocolError(.hostKeyRefused, "Host key verification failed.")
        }
        binding = AgentBinding(proven)
        authenticator.binding = binding
        authenticator.descriptor = dialed.input
        connection.acceptHostKey()
    }

    // MARK: The channels

    func add(_ channel: ClientChannel) {
        channels[channel.id] = channel
        watchIdleness(of: channel)
    }

    /// False when it was not there any more.
    func remove(_ channel: ClientChannel) -> Bool {
        guard channels[channel.id] === channel else { return false }
        channels[channel.id] = nil
        return true
    }
}
