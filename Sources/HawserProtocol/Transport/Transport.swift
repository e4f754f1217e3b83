// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto
internal import HawserLog
package import HawserWire

/// Bytes to payloads and back (RFC 4253): identification, packets, key exchange and its renewal.
///
/// The owner calls down: it lets the socket fill `fill`, asks `next` until that is nil, and drains
/// `output`. Payloads of the layers above that are sent while keys are exchanged wait for the end
/// of the exchange.
package struct Transport: ~Copyable {
    let options: TransportOptions
    let random: any RandomSource
    var log: Log { options.log }

    var reader: PacketReader
    var writer: PacketWriter
    var exchange: KeyExchangeState = .idle
    private(set) package var peerIdentification: Identification.Line?
    private var linesBeforeIdentification = 0

    /// The exchange hash of the first exchange (RFC 4253 §7.2); empty before its end.
    package internal(set) var sessionIdentifier: [UInt8] = []
    /// What the current keys were agreed to be.
    package internal(set) var negotiated: Negotiated?
    package var received: Traffic { reader.counter.all }
    package var sent: Traffic { writer.counter.all }
    /// What the exchange that runs has agreed on.
    var pending: Negotiated?
    var ourKexInit: [UInt8] = []
    var theirKexInit: [UInt8] = []
    /// The sizes that we asked for in a group exchange.
    var groupRequest: [UInt8] = []
    /// The host key of the first exchange.
    package internal(set) var hostKey: [UInt8] = []
    package internal(set) var isStrict = false
    var skipsNextGuess = false
    /// Client: what was sent before the server's KEXINIT had come.
    var guessed: GuessedValue?
    package internal(set) var hasGuessed = false
    /// Client: what a later connection to this server could begin with.
    package internal(set) var nextGuess: KeyExchangeGuess?
    var isFirstExchangeDone = false
    private(set) package var isAuthenticated = false
    /// Both sides know that the user is, so that `zlib@openssh.com` compresses.
    private var isDelayOver = false
    package internal(set) var peerExtensions = PeerExtensions()
    var peerWantsExtensions = false

    /// Payloads that wait for the end of the exchange, each behind its length.
    private var held = ByteQueue(capacityBytes: 64)
    private var isHolding = false
    private var heldStart = 0

    /// When the last exchange ended.
    var lastExchange: Instant
    /// Set by `rekey`: an exchange begins as soon as it can.
    var wantsExchange = false

    package init(_ options: TransportOptions, random: any RandomSource, at now: Instant) {
        self.options = options
        self.random = random
        reader = PacketReader()
        writer = PacketWriter(random: random)
        lastExchange = now
        writer.output.append((options.identification + "\r\n").octets)
        if let guess = options.guess { startExchange(guessing: guess) }
    }

    /// A connection whose keys someone else has: messages of the connection protocol alone, as they
    /// are between a master of control sockets and its proxy client (PROTOCOL.mux §9).
    package static func bare(
        _ options: TransportOptions,
        random: any RandomSource,
        at now: Instant
    ) -> Transport {
        var transport = Transport(options, random: random, at: now)
        transport.writer.output.removeAll()
        transport.writer.isBare = true
        transport.reader.isBare = true
        transport.peerIdentification = Identification.Line(
            text: "SSH-2.0-mux",
            bytes: Array("SSH-2.0-mux".utf8),
            protocolVersion: "2.0",
            softwareVersion: "mux"
        )
        transport.isFirstExchangeDone = true
        return transport
    }

    // MARK: Bytes

    /// What the socket is to be given; the owner removes what it has written.
    package var output: ByteQueue {
        _read { yield writer.output }
        _modify { yield &writer.output }
    }

    /// Gives back what a burst needed, where nothing waits in it; for a connection that is idle.
    package mutating func shrinkBuffers() {
        reader.shrinkBuffers()
        writer.shrinkBuffers()
        held.shrink(to: 64)
    }

    /// Bytes that have been given and not been read yet.
    package var inputBytes: Int { reader.input.count }

    /// Lets `body` read up to `count` bytes from the socket straight into the input.
    package mutating func fill<Failure: Error>(
        _ count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        try reader.input.appendUpTo(count, body)
    }

    /// The payload of the last event, its first byte the message number; until the next `next`.
    package var payload: RawSpan {
        @_lifetime(borrow self) get { reader.payload }
    }

    // MARK: Sending

    /// Whether payloads of the layers above wait.
    package var isExchangingKeys: Bool {
        if case .idle = exchange { return !isFirstExchangeDone }
        return true
    }

    /// Sends a payload of the layers above, or holds it while keys are exchanged.
    package mutating func send(_ payload: RawSpan) {
        beginMessage(
            MessageNumber(rawValue: payload[byteAt: 0]),
            byteCount: payload.byteCount
        )
        write(payload.extracting(droppingFirst: 1))
        endMessage()
    }

    /// Begins a message; `byteCount` is the size of its payload with the number. The `write`s and
    /// one `endMessage` must follow.
    package mutating func beginMessage(_ number: MessageNumber, byteCount: Int) {
        isHolding = isExchangingKeys && !number.isTransport
        if isHolding {
            heldStart = held.count
            held.append(uint32: 0)
            held.append(byte: number.rawValue)
        } else {
            writer.begin(number, byteCount: byteCount)
        }
    }

    package mutating func write(uint32 value: UInt32) {
        if isHolding { held.append(uint32: value) } else { writer.write(uint32: value) }
    }

    package mutating func write(_ bytes: RawSpan) {
        if isHolding { held.append(bytes) } else { writer.write(bytes) }
    }

    package mutating func endMessage() {
        guard isHolding else { return writer.end() }
        isHolding = false
        let start = heldStart
        let count = UInt32(held.count - start - 4)
        var bytes = held.mutableBytes
        bytes.storeBytes(of: count.bigEndian, toByteOffset: start, as: UInt32.self)
    }

    /// What waits for the end of a key exchange, in bytes; beyond `Limits.heldBytes` it is over.
    package var heldBytes: Int { held.count }

    mutating func releaseHeld() {
        var queue = ByteQueue(capacityBytes: 64)
        swap(&queue, &held)
        while !queue.isEmpty {
            let count = Int(queue.bytes.bigEndianUInt32(at: 0))
            let number = MessageNumber(rawValue: queue.bytes[byteAt: 4])
            writer.begin(number, byteCount: count)
            writer.write(queue.bytes.extracting(5..<4 + count))
            writer.end()
            queue.removeFirst(4 + count)
            if number == .userauthSuccess, isAuthenticated { startDelayedCompression() }
        }
    }

    /// `SSH_MSG_DISCONNECT`, RFC 4253 §11.1.
    package mutating func disconnect(_ reason: DisconnectReason, _ text: String) {
        var message = WireWriter()
        message.write(uint32: reason.rawValue)
        message.write(text: text)
        message.write(text: "")
        sendOwn(.disconnect, message.bytes)
    }

    /// `SSH_MSG_IGNORE`, RFC 4253 §11.2. Not before there are keys: strict key exchange forbids it.
    package mutating func sendIgnore(_ data: [UInt8]) {
        guard isFirstExchangeDone else { return }
        var message = WireWriter()
        message.write(string: data)
        sendOwn(.ignore, message.bytes)
    }

    /// `PING`, to be sent only when the peer offers it (PROTOCOL of OpenSSH, §1.9).
    package mutating func sendPing(_ data: [UInt8]) {
        guard !isExchangingKeys else { return }
        var message = WireWriter()
        message.write(string: data)
        sendOwn(.ping, message.bytes)
    }

    /// Sends a message of the transport itself, which never waits.
    mutating func sendOwn(_ number: MessageNumber, _ fields: [UInt8]) {
        writer.begin(number, byteCount: 1 + fields.count)
        writer.write(fields.rawBytes)
        writer.end()
    }

    // MARK: Receiving

    /// The next event, or nil when more bytes, an answer or time must come first. Throws what the
    /// peer did wrong; the connection is over then.
    package mutating func next(at now: Instant) throws(ProtocolError) -> TransportEvent? {
        while true {
            if awaitsAnswer { return nil }
            if peerIdentification == nil {
                guard let event = try readIdentification() else { return nil }
                return event
            }
            guard try reader.next() else {
                beginExchangeIfDue(at: now)
                return nil
            }
            if let event = try receive(at: now) { return event }
        }
    }

    /// Whether the exchange waits for the program.
    private var awaitsAnswer: Bool {
        switch exchange {
        case .awaitingHostKeyDecision, .awaitingGroupChoice, .awaitingSignature: true
        default: false
        }
    }

    private mutating func readIdentification() throws(ProtocolError) -> TransportEvent? {
        switch try Identification.read(reader.input.bytes, isClient: options.isClient) {
        case .incomplete:
            return nil
        case .other(let line, let count):
            reader.input.removeFirst(count)
            linesBeforeIdentification += 1
            guard linesBeforeIdentification <= Limits.identificationLines else {
                throw ProtocolError(
                    .badIdentification,
                    "kex_exchange_identification: No SSH version received in first "
                        + "\(Limits.identificationLines) lines from server"
                )
            }
            return .lineBeforeIdentification(line)
        case .identified(let line, let count):
            reader.input.removeFirst(count)
            peerIdentification = line
            // A server has begun already, and a client that guesses.
            if case .idle = exchange { startExchange() }
            return .identified(line)
        }
    }

    /// Takes the packet that was just opened. Nil when it is nothing for the program.
    private mutating func receive(at now: Instant) throws(ProtocolError) -> TransportEvent? {
        guard reader.payload.byteCount > 0 else { throw .violation("empty packet") }
        // A peer that never ends an exchange could make us hold answers without end.
        guard held.count <= Limits.heldBytes else {
            throw ProtocolError(.limit, "too much waits for a key exchange")
        }
        let number = MessageNumber(rawValue: reader.payload[byteAt: 0])
        log.debug3("receive packet: type \(number.rawValue)")
        if reader.isBare, !number.isOfUpperLayer, ![.disconnect, .ignore, .debug].contains(number) {
            throw .violation("message \(number.rawValue) without a transport")
        }
        if skipsNextGuess, number.isMethod {
            skipsNextGuess = false
            return nil
        }
        try checkPhase(number)
        switch number {
        case .disconnect: throw readDisconnect()
        case .ignore: return nil
        case .unimplemented: return readUnimplemented()
        case .debug: return readDebug()
        case .extensionInfo: return try receiveExtensions()
        case .kexInit: try receiveKexInit(); return nil
        case .newKeys: return try receiveNewKeys(at: now)
        case .ping: receivePing(); return nil
        case .pong: return .pong
        default: break
        }
        if number.isMethod { return try receiveMethod(number) }
        if number.isOfUpperLayer {
            beginExchangeIfDue(at: now)
            return .message(number)
        }
        log.debug("unexpected message type \(number.rawValue)")
        sendUnimplemented()
        return nil
    }

    /// What the peer may send now. Whether the first exchange is strict is known only after its
    /// KEXINIT, so `receiveKexInit` looks at what came before.
    private var phase: TransportPhase {
        let isRunning =
            switch exchange {
            case .idle, .offered: false
            default: true
            }
        if isFirstExchangeDone { return isRunning ? .renewal : .established }
        return isRunning ? isStrict ? .strictFirstExchange : .firstExchange : .beforeExchange
    }

    private func checkPhase(_ number: MessageNumber) throws(ProtocolError) {
        let phase = phase
        guard !number.phases.contains(phase) else { return }
        let type = number.rawValue
        throw switch phase {
        case .strictFirstExchange:
            .violation("strict KEX violation: unexpected packet type \(type)")
        case .beforeExchange: .violation("message \(type) before the first key exchange")
        case .established: .violation("message \(type) outside a key exchange")
        default: .violation("message \(type) inside a key exchange")
        }
    }

    #if HAWSER_FUZZ
    /// Goes on as if a first key exchange had agreed on no protection at all, and the peer had
    /// said who it is: the layers above can be fuzzed. No program is built with it.
    package mutating func skipFirstExchange() {
        sessionIdentifier = [UInt8](repeating: 1, count: 32)
        let plain = Negotiated.Direction(
            cipher: .aes128CTR,
            mac: .hmacSHA256,
            compression: "none"
        )
        resume(
            Identification.Line(
                text: "SSH-2.0-fuzz",
                bytes: Array("SSH-2.0-fuzz".utf8),
                protocolVersion: "2.0",
                softwareVersion: "fuzz"
            ),
            Negotiated(
                keyExchange: "none",
                hostKey: "none",
                toServer: plain,
                toClient: plain,
                skipsGuess: false
            )
        )
    }
    #endif

    /// Takes over a connection whose first exchange is done (`TransportHandover`).
    mutating func resume(_ line: Identification.Line, _ agreed: Negotiated) {
        peerIdentification = line
        negotiated = agreed
        isFirstExchangeDone = true
    }

    /// The peer lets the user in, or we let the peer's: delayed compression begins, and keys may be
    /// renewed from now on.
    package mutating func authenticationSucceeded() {
        isAuthenticated = true
        // A held SSH_MSG_USERAUTH_SUCCESS is still to go out as it is: `releaseHeld` goes on here.
        if held.isEmpty { startDelayedCompression() }
    }

    private mutating func startDelayedCompression() {
        isDelayOver = true
        guard let negotiated else { return }
        let incoming = negotiated.incoming(isClient: options.isClient)
        if reader.decompression == nil { reader.decompression = makeCompression(incoming) }
        let outgoing = negotiated.outgoing(isClient: options.isClient)
        if writer.compression == nil { writer.compression = makeCompression(outgoing) }
    }

    /// A fresh context for a direction, or nil when nothing is compressed (now). Every key begins
    /// with a fresh one (RFC 4253 §6.2); `zlib@openssh.com` waits until the user is known.
    func makeCompression(_ direction: Negotiated.Direction) -> (any PacketCompression)? {
        switch direction.compression {
        case "zlib": options.makeCompression?()
        case "zlib@openssh.com" where isDelayOver: options.makeCompression?()
        default: nil
        }
    }

    // MARK: Time

    /// When `tick` has something to do; nil for never.
    package var deadline: Instant? {
        guard isAuthenticated, case .idle = exchange, let interval = options.rekeyLimit.interval
        else { return nil }
        return lastExchange + interval
    }

    /// To be called when `deadline` has come.
    package mutating func tick(at now: Instant) {
        beginExchangeIfDue(at: now)
    }

    /// Renews the keys as soon as that is possible.
    package mutating func rekey() {
        wantsExchange = true
        if isAuthenticated, case .idle = exchange { startExchange() }
    }

    /// Begins an exchange when a bound of the current keys is reached (RFC 4344 §3, `RekeyLimit`).
    mutating func beginExchangeIfDue(at now: Instant) {
        guard isAuthenticated, case .idle = exchange, isExchangeDue(at: now) else { return }
        log.debug("rekeying in progress")
        startExchange()
    }

    private func isExchangeDue(at now: Instant) -> Bool {
        if wantsExchange { return true }
        if let interval = options.rekeyLimit.interval, now >= lastExchange + interval {
            return true
        }
        let (opened, sealed) = (reader.counter.underKey, writer.counter.underKey)
        if max(opened.packets, sealed.packets) >= Limits.packetsPerKey { return true }
        let small = min(reader.opener.blockBytes, writer.sealer.blockBytes) < 16
        let own = small ? Limits.bytesPerKeySmallBlocks : Limits.bytesPerKey
        let bound = min(own, options.rekeyLimit.bytes ?? own)
        return max(opened.bytes, sealed.bytes) >= bound
    }
}
