// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// The steps of a key exchange (RFC 4253 §7 and §8).
extension Transport {
    // MARK: KEXINIT

    /// Sends our SSH_MSG_KEXINIT.
    mutating func startExchange() {
        startExchange(options.proposal, firstPacketFollows: false)
    }

    mutating func startExchange(_ proposal: Proposal, firstPacketFollows: Bool) {
        wantsExchange = false
        var proposal = proposal
        if !isFirstExchangeDone {
            // Markers count in the first KEXINIT only.
            proposal.keyExchange +=
                options.isClient
                ? ["ext-info-c", "kex-strict-c-v00@openssh.com"]
                : ["ext-info-s", "kex-strict-s-v00@openssh.com"]
        }
        var message = KexInit(cookie: random.bytes(16), proposal: proposal)
        message.firstPacketFollows = firstPacketFollows
        ourKexInit = message.payload
        sendOwn(.kexInit, Array(ourKexInit.dropFirst()))
        log.debug("SSH2_MSG_KEXINIT sent")
        exchange = .offered
    }

    mutating func receiveKexInit() throws(ProtocolError) {
        switch exchange {
        case .idle: startExchange()
        case .offered: break
        default: throw .violation("SSH_MSG_KEXINIT inside a key exchange")
        }
        log.debug("SSH2_MSG_KEXINIT received")
        theirKexInit = [UInt8](copying: payload)
        let client: KexInit
        let server: KexInit
        do throws(WireError) {
            let theirs = try KexInit(payload: payload)
            let ours = try KexInit(payload: ourKexInit.rawBytes)
            describe(ours, "local \(options.isClient ? "client" : "server")")
            describe(theirs, "peer \(options.isClient ? "server" : "client")")
            (client, server) = options.isClient ? (ours, theirs) : (theirs, ours)
        } catch { throw .malformed(.kexInit, error) }
        if !isFirstExchangeDone { try noteMarkers(client: client, server: server) }
        let agreed = try Negotiated.agree(
            client: client,
            server: server,
            weAreClient: options.isClient
        )
        pending = agreed
        skipsNextGuess = agreed.skipsGuess
        describe(agreed)
        if options.isClient, !isFirstExchangeDone {
            nextGuess = KeyExchangeGuess(agreed, server: server.proposal)
            if try settleGuess(agreed, client: client, server: server) { return }
        }
        try startMethod(agreed)
    }

    private mutating func noteMarkers(client: KexInit, server: KexInit) throws(ProtocolError) {
        let theirs = options.isClient ? server.proposal : client.proposal
        let theirMarker =
            options.isClient ? "kex-strict-s-v00@openssh.com" : "kex-strict-c-v00@openssh.com"
        isStrict = theirs.keyExchange.contains(theirMarker)
        peerWantsExtensions = theirs.keyExchange.contains(
            options.isClient ? "ext-info-s" : "ext-info-c"
        )
        guard isStrict else { return }
        log.debug3("kex_choose_conf: will use strict KEX ordering")
        guard reader.currentSequenceNumber == 0 else {
            throw .violation("strict KEX violation: KEXINIT was not the first packet")
        }
    }

    private func describe(_ message: KexInit, _ whose: String) {
        guard log.level >= .debug2 else { return }
        log.debug2("\(whose) KEXINIT proposal")
        let lists = [
            ("KEX algorithms", message.proposal.keyExchange),
            ("host key algorithms", message.proposal.hostKey),
            ("ciphers ctos", message.proposal.ciphersToServer),
            ("ciphers stoc", message.proposal.ciphersToClient),
            ("MACs ctos", message.proposal.macsToServer),
            ("MACs stoc", message.proposal.macsToClient),
            ("compression ctos", message.proposal.compressionToServer),
            ("compression stoc", message.proposal.compressionToClient),
        ]
        for (name, names) in lists { log.debug2("\(name): \(names.joined(separator: ","))") }
        log.debug2("first_kex_follows \(message.firstPacketFollows ? 1 : 0)")
    }

    private func describe(_ agreed: Negotiated) {
        func line(_ direction: Negotiated.Direction) -> String {
            "cipher: \(direction.cipher.name) MAC: \(direction.mac?.name ?? "<implicit>") "
                + "compression: \(direction.compression)"
        }
        log.debug("kex: algorithm: \(agreed.keyExchange)")
        log.debug("kex: host key algorithm: \(agreed.hostKey)")
        log.debug("kex: server->client \(line(agreed.toClient))")
        log.debug("kex: client->server \(line(agreed.toServer))")
    }

    private func method(_ agreed: Negotiated) throws(ProtocolError) -> KeyExchangeMethod {
        guard let method = KeyExchangeMethod(name: agreed.keyExchange) else {
            throw .violation("unsupported key exchange \(agreed.keyExchange)")
        }
        return method
    }

    // MARK: Methods

    private mutating func startMethod(_ agreed: Negotiated) throws(ProtocolError) {
        let method = try method(agreed)
        guard options.isClient else {
            exchange = .awaitingInit(nil)
            log.debug(
                "expecting SSH2_MSG_KEX_\(method.isGroupExchange ? "DH_GEX_REQUEST" : "ECDH_INIT")"
            )
            return
        }
        switch method {
        case .groupExchange: requestGroup(agreed)
        case .fixed(let algorithm):
            let initiator = try orFail { () throws(CryptoError) in try algorithm.initiate(random) }
            let isFiniteField = algorithm.group != nil
            sendInit(.kexMethod30, initiator, isFiniteField: isFiniteField)
            exchange = .awaitingReply(initiator, prefix: [], isFiniteField: isFiniteField)
        }
    }

    /// Asks for a group whose size goes with the strongest of the keys (RFC 4419 §3).
    private mutating func requestGroup(_ agreed: Negotiated) {
        let strength = max(agreed.toServer.strengthBits, agreed.toClient.strengthBits)
        let wanted = strength <= 128 ? 3072 : strength <= 192 ? 7680 : 8192
        let bits = min(max(wanted, options.groupBits.lowerBound), options.groupBits.upperBound)
        var message = WireWriter()
        message.write(uint32: UInt32(options.groupBits.lowerBound))
        message.write(uint32: UInt32(bits))
        message.write(uint32: UInt32(options.groupBits.upperBound))
        sendOwn(.groupExchangeRequest, message.bytes)
        log.debug(
            "SSH2_MSG_KEX_DH_GEX_REQUEST(\(options.groupBits.lowerBound)<\(bits)<"
                + "\(options.groupBits.upperBound)) sent"
        )
        log.debug("expecting SSH2_MSG_KEX_DH_GEX_GROUP")
        groupRequest = message.bytes
        exchange = .awaitingGroup
    }

    mutating func sendInit(
        _ number: MessageNumber,
        _ initiator: any KeyAgreementInitiator,
        isFiniteField: Bool
    ) {
        var message = WireWriter(reserving: 2048)
        message.write(value: initiator.publicValue, isFiniteField: isFiniteField)
        sendOwn(number, message.bytes)
        if number == .groupExchangeInit {
            log.debug("SSH2_MSG_KEX_DH_GEX_INIT sent")
            log.debug("expecting SSH2_MSG_KEX_DH_GEX_REPLY")
        } else {
            log.debug("expecting SSH2_MSG_KEX_ECDH_REPLY")
        }
    }

    mutating func receiveMethod(_ number: MessageNumber) throws(ProtocolError) -> TransportEvent? {
        guard let agreed = pending else {
            throw .violation("message \(number.rawValue) outside a key exchange")
        }
        let isGroupExchange = try method(agreed).isGroupExchange
        switch (exchange, number) {
        case (.awaitingGroup, .kexMethod31):
            try receiveGroup()
            return nil
        case (.awaitingReply(let initiator, let prefix, let isFiniteField), _)
        where number == (isGroupExchange ? .groupExchangeReply : .kexMethod31):
            return try receiveReply(
                agreed,
                initiator,
                prefix: prefix,
                isFiniteField: isFiniteField
            )
        case (.awaitingInit(nil), .groupExchangeRequest) where isGroupExchange,
            (.awaitingInit(nil), .kexMethod30) where isGroupExchange:
            return try receiveGroupRequest(isOld: number == .kexMethod30)
        case (.awaitingInit(let choice), _)
        where number == (isGroupExchange ? .groupExchangeInit : .kexMethod30)
            && isGroupExchange == (choice != nil):
            return try receiveInit(agreed, choice)
        default:
            throw .violation("message \(number.rawValue) out of order in a key exchange")
        }
    }

    // MARK: Client

    /// `SSH_MSG_KEX_DH_GEX_GROUP`, RFC 4419 §3.
    private mutating func receiveGroup() throws(ProtocolError) {
        let group: FiniteFieldGroup
        do throws(WireError) {
            var reader = WireReader(payload.extracting(droppingFirst: 1))
            group = FiniteFieldGroup(
                prime: try reader.readMultiplePrecision(),
                generator: try reader.readMultiplePrecision()
            )
            try reader.expectEnd()
        } catch { throw .malformed(.kexMethod31, error) }
        log.debug("SSH2_MSG_KEX_DH_GEX_GROUP received")
        guard options.groupBits.contains(group.bits) else {
            throw ProtocolError(
                .keyExchange,
                "DH GEX group out of range: \(options.groupBits.lowerBound) !< \(group.bits) !< "
                    + "\(options.groupBits.upperBound)"
            )
        }
        let initiator = try orFail { () throws(CryptoError) in
            try FiniteFieldAgreement(group, random)
        }
        describeBits(initiator.publicValue, group)
        let choice = GroupExchangeChoice(group: group, request: groupRequest)
        sendInit(.groupExchangeInit, initiator, isFiniteField: true)
        exchange = .awaitingReply(initiator, prefix: choice.hashPrefix, isFiniteField: true)
    }

    private func describeBits(_ value: [UInt8], _ group: FiniteFieldGroup) {
        log.debug2(
            "bits set: \(value.reduce(0) { $0 + $1.nonzeroBitCount })/\(group.bits)"
        )
    }

    /// `SSH_MSG_KEXDH_REPLY` and its like: host key, public value, signature (RFC 4253 §8).
    private mutating func receiveReply(
        _ agreed: Negotiated,
        _ initiator: any KeyAgreementInitiator,
        prefix: [UInt8],
        isFiniteField: Bool
    ) throws(ProtocolError) -> TransportEvent? {
        let key: [UInt8]
        let value: [UInt8]
        let signature: [UInt8]
        do throws(WireError) {
            var reader = WireReader(payload.extracting(droppingFirst: 1))
            key = try reader.readBytes(limit: Limits.packetBytes)
            value = try reader.readValue(isFiniteField: isFiniteField)
            signature = try reader.readBytes(limit: Limits.packetBytes)
            try reader.expectEnd()
        } catch { throw .malformed(.kexMethod31, error) }
        let method = try method(agreed)
        log.debug("SSH2_MSG_KEX_\(method.isGroupExchange ? "DH_GEX" : "ECDH")_REPLY received")
        let secret = try orFail { () throws(CryptoError) in try initiator.finish(value) }
        let hash = method.hash
        var values = WireWriter(reserving: 4096)
        values.write(fixed: prefix)
        values.write(value: initiator.publicValue, isFiniteField: isFiniteField)
        values.write(value: value, isFiniteField: isFiniteField)
        let exchangeHash = ExchangeHash.compute(
            hash,
            context,
            hostKey: key,
            values: values.bytes,
            secret: secret
        )
        try verify(key, agreed.hostKey, signature, exchangeHash)
        exchange = .awaitingHostKeyDecision(
            CompletedExchange(
                secret: secret,
                exchangeHash: exchangeHash,
                hash: hash,
                hostKey: key
            )
        )
        let proven = ProvenHostKey(
            blob: key,
            algorithm: agreed.hostKey,
            exchangeHash: exchangeHash,
            signature: signature,
            isFirst: !isFirstExchangeDone
        )
        return .hostKeyProven(proven)
    }

    private func verify(
        _ key: [UInt8],
        _ algorithm: String,
        _ signature: [UInt8],
        _ exchangeHash: [UInt8]
    ) throws(ProtocolError) {
        if isFirstExchangeDone, key != hostKey {
            throw ProtocolError(.keyExchange, "host key changed in the middle of a connection")
        }
        do throws(KeyError) {
            let parsed = try PublicKey(blob: key)
            guard let named = PublicKeyAlgorithm(name: algorithm), named.keyType == parsed.type
            else {
                throw .badSignature
            }
            try parsed.verify(
                signature: signature,
                over: exchangeHash.rawBytes,
                allowing: [named.signature.name],
                minimumRSABits: options.minimumRSABits,
                // Nobody touches a host's security key for each connection.
                requiringUserPresence: false
            )
        } catch {
            throw ProtocolError(.keyExchange, "host key: \(error)")
        }
    }

    /// The program trusts the proven host key: our NEWKEYS goes out.
    package mutating func acceptHostKey() {
        guard case .awaitingHostKeyDecision(let completed) = exchange else { return }
        if !isFirstExchangeDone { hostKey = completed.hostKey }
        finish(completed)
    }

    // MARK: Server

    /// `SSH_MSG_KEX_DH_GEX_REQUEST`, new or old (RFC 4419 §3 and §5).
    private mutating func receiveGroupRequest(
        isOld: Bool
    ) throws(ProtocolError) -> TransportEvent? {
        var minimum: UInt32 = UInt32(Limits.groupBits.lowerBound)
        let preferred: UInt32
        var maximum: UInt32 = UInt32(Limits.groupBits.upperBound)
        let request: [UInt8]
        do throws(WireError) {
            var reader = WireReader(payload.extracting(droppingFirst: 1))
            request = [UInt8](copying: reader.rest)
            if isOld {
                preferred = try reader.readUInt32()
            } else {
                minimum = try reader.readUInt32()
                preferred = try reader.readUInt32()
                maximum = try reader.readUInt32()
            }
            try reader.expectEnd()
        } catch { throw .malformed(.groupExchangeRequest, error) }
        log.debug("SSH2_MSG_KEX_DH_GEX_REQUEST received")
        let range = Limits.groupBits
        guard isOld || (minimum <= preferred && preferred <= maximum),
            maximum >= UInt32(range.lowerBound), minimum <= UInt32(range.upperBound)
        else {
            throw ProtocolError(.keyExchange, "DH GEX group out of range")
        }
        exchange = .awaitingGroupChoice(request: request, isOldRequest: isOld)
        func clamped(_ bits: UInt32) -> Int {
            min(max(Int(bits), range.lowerBound), range.upperBound)
        }
        return .groupNeeded(
            minimumBits: clamped(minimum),
            preferredBits: clamped(preferred),
            maximumBits: clamped(maximum)
        )
    }

    /// The program's group; nil when it has none in the range.
    package mutating func provideGroup(_ group: FiniteFieldGroup?) throws(ProtocolError) {
        guard case .awaitingGroupChoice(let request, _) = exchange else { return }
        guard let group else {
            throw ProtocolError(.keyExchange, "no matching DH grp found")
        }
        var message = WireWriter(reserving: 2048)
        message.write(multiplePrecision: group.prime)
        message.write(multiplePrecision: group.generator)
        sendOwn(.kexMethod31, message.bytes)
        log.debug("SSH2_MSG_KEX_DH_GEX_GROUP sent")
        log.debug("expecting SSH2_MSG_KEX_DH_GEX_INIT")
        exchange = .awaitingInit(GroupExchangeChoice(group: group, request: request))
    }

    /// `SSH_MSG_KEXDH_INIT` and its like: the client's public value.
    private mutating func receiveInit(
        _ agreed: Negotiated,
        _ choice: GroupExchangeChoice?
    ) throws(ProtocolError) -> TransportEvent? {
        let method = try method(agreed)
        let isFiniteField =
            switch method {
            case .groupExchange: true
            case .fixed(let algorithm): algorithm.group != nil
            }
        let value: [UInt8]
        do throws(WireError) {
            var reader = WireReader(payload.extracting(droppingFirst: 1))
            value = try reader.readValue(isFiniteField: isFiniteField)
            try reader.expectEnd()
        } catch { throw .malformed(.kexMethod30, error) }
        log.debug("SSH2_MSG_KEX_\(method.isGroupExchange ? "DH_GEX" : "ECDH")_INIT received")
        let (reply, secret) = try orFail { () throws(CryptoError) in
            switch method {
            case .fixed(let algorithm): return try algorithm.respond(to: value, random)
            case .groupExchange:
                guard let choice else { throw .badParameter("no group") }
                let own = try FiniteFieldAgreement(choice.group, random)
                describeBits(own.publicValue, choice.group)
                return (own.publicValue, try own.finish(value))
            }
        }
        guard let key = options.hostKeys.first(where: { $0.algorithms.contains(agreed.hostKey) })
        else { throw ProtocolError(.keyExchange, "no hostkey for \(agreed.hostKey)") }
        var values = WireWriter(reserving: 4096)
        values.write(fixed: choice?.hashPrefix ?? [])
        values.write(value: value, isFiniteField: isFiniteField)
        values.write(value: reply, isFiniteField: isFiniteField)
        let exchangeHash = ExchangeHash.compute(
            method.hash,
            context,
            hostKey: key.blob,
            values: values.bytes,
            secret: secret
        )
        exchange = .awaitingSignature(
            CompletedExchange(
                secret: secret,
                exchangeHash: exchangeHash,
                hash: method.hash,
                hostKey: key.blob
            ),
            reply: reply,
            isFiniteField: isFiniteField
        )
        return .exchangeSignatureNeeded(
            ExchangeSigningRequest(
                hostKeyBlob: key.blob,
                algorithm: agreed.hostKey,
                exchangeHash: exchangeHash,
                sessionIdentifier: isFirstExchangeDone ? sessionIdentifier : exchangeHash
            )
        )
    }

    /// The signature that `exchangeSignatureNeeded` asked for, as a signature blob.
    package mutating func provideExchangeSignature(_ signature: [UInt8]) {
        guard case .awaitingSignature(let completed, let reply, let isFiniteField) = exchange
        else { return }
        var message = WireWriter(reserving: 4096)
        message.write(string: completed.hostKey)
        message.write(value: reply, isFiniteField: isFiniteField)
        message.write(string: signature)
        let isGroupExchange =
            pending?.keyExchange.hasPrefix("diffie-hellman-group-exchange") == true
        sendOwn(isGroupExchange ? .groupExchangeReply : .kexMethod31, message.bytes)
        log.debug("SSH2_MSG_KEX_\(isGroupExchange ? "DH_GEX" : "ECDH")_REPLY sent")
        if !isFirstExchangeDone { hostKey = completed.hostKey }
        finish(completed)
    }

    // MARK: NEWKEYS

    /// Sends NEWKEYS and uses the new keys for what follows it.
    private mutating func finish(_ completed: CompletedExchange) {
        guard let agreed = pending else { return }
        if !isFirstExchangeDone { sessionIdentifier = completed.exchangeHash }
        let derivation = KeyDerivation(
            hash: completed.hash,
            secret: completed.secret,
            exchangeHash: completed.exchangeHash,
            sessionIdentifier: sessionIdentifier
        )
        let toServer = derivation.state(agreed.toServer, toServer: true)
        let toClient = derivation.state(agreed.toClient, toServer: false)
        let (outgoing, incoming) =
            options.isClient ? (toServer, toClient) : (toClient, toServer)
        sendOwn(.newKeys, [])
        log.debug("SSH2_MSG_NEWKEYS sent")
        // The lengths are the algorithms' own, so nothing is refused here.
        guard let sealer = try? PacketProtection.sealer(from: outgoing),
            let opener = try? PacketProtection.opener(from: incoming)
        else { preconditionFailure("derived keys of a wrong length") }
        writer.setKey(sealer, resetsSequenceNumber: isStrict)
        writer.compression = makeCompression(agreed.outgoing(isClient: options.isClient))
        if !isFirstExchangeDone { sendExtensions() }
        exchange = .awaitingNewKeys(opener: opener)
        log.debug("expecting SSH2_MSG_NEWKEYS")
    }

    /// `SSH_MSG_NEWKEYS`, RFC 4253 §7.3.
    mutating func receiveNewKeys(at now: Instant) throws(ProtocolError) -> TransportEvent? {
        guard case .awaitingNewKeys(let opener) = exchange, let agreed = pending else {
            throw .violation("SSH_MSG_NEWKEYS out of order")
        }
        guard payload.byteCount == 1 else {
            throw .malformed(.newKeys, .trailingBytes)
        }
        log.debug("SSH2_MSG_NEWKEYS received")
        reader.setKey(opener, resetsSequenceNumber: isStrict)
        reader.decompression = makeCompression(agreed.incoming(isClient: options.isClient))
        let isFirst = !isFirstExchangeDone
        isFirstExchangeDone = true
        exchange = .idle
        negotiated = agreed
        pending = nil
        lastExchange = now
        releaseHeld()
        return .keysExchanged(agreed, isFirst: isFirst)
    }

    private var context: ExchangeContext {
        let own = options.identification.octets
        let theirs = peerIdentification?.bytes ?? []
        return options.isClient
            ? ExchangeContext(
                clientIdentification: own,
                serverIdentification: theirs,
                clientKexInit: ourKexInit,
                serverKexInit: theirKexInit
            )
            : ExchangeContext(
                clientIdentification: theirs,
                serverIdentification: own,
                clientKexInit: theirKexInit,
                serverKexInit: ourKexInit
            )
    }

    /// A failure of the cryptography is the peer's: its values were bad.
    private func orFail<Value>(
        _ body: () throws(CryptoError) -> Value
    ) throws(ProtocolError) -> Value {
        do throws(CryptoError) { return try body() } catch {
            throw ProtocolError(.keyExchange, "key exchange: \(error)")
        }
    }
}

extension WireWriter {
    /// A public value: an `mpint` in a finite field, else a string.
    fileprivate mutating func write(value: [UInt8], isFiniteField: Bool) {
        if isFiniteField { write(multiplePrecision: value) } else { write(string: value) }
    }
}

extension WireReader {
    @_lifetime(self: copy self)
    fileprivate mutating func readValue(isFiniteField: Bool) throws(WireError) -> [UInt8] {
        isFiniteField ? try readMultiplePrecision() : try readBytes(limit: Limits.packetBytes)
    }
}
