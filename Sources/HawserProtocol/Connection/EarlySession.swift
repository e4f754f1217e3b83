// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a client of an `early-session@hawser` server sends of its first channel before it knows that
/// the user is in (docs/protocol/early-session.md).
///
/// The messages go out behind each request for authentication that can succeed. A server that lets
/// the user in finds them behind it; one that does not drops them, and they go out again behind the
/// next request.
///
/// Behind the first request goes all that there is. Behind another, which stands behind what the
/// server drops, only the beginning does, and the rest when the user is in.
struct EarlyMessages {
    /// Payloads in the order of their sending, and the sum of their sizes.
    private var payloads: [[UInt8]] = []
    private var byteCount = 0
    /// How many of them are behind the request that the server has not answered; nil: there is none.
    private var sentCount: Int?
    private var haveBeenDropped = false
    /// How many bytes of data the server takes before it has opened the channel.
    let windowBytes: Int

    init(windowBytes: Int) {
        self.windowBytes = windowBytes
    }

    /// They are behind a request that the server has not answered.
    var isUnderWay: Bool { sentCount != nil }

    /// Whether data is worth making: more than a beginning only where it goes out.
    var hasRoom: Bool {
        byteCount < ConnectionLimits.repeatedEarlyBytes
            || isUnderWay && !haveBeenDropped && payloads.count < ConnectionLimits.earlyMessages
    }

    /// Keeps `payload`, and says whether it goes out now.
    mutating func add(_ payload: [UInt8]) -> Bool {
        let goes = sentCount == payloads.count && hasRoom
        payloads.append(payload)
        byteCount += payload.count
        if goes { sentCount = payloads.count }
        return goes
    }

    /// What goes out behind a request that has been sent just now.
    mutating func begin() -> ArraySlice<[UInt8]> {
        var count = payloads.count
        if haveBeenDropped {
            var left = ConnectionLimits.repeatedEarlyBytes
            count =
                payloads.prefix { payload in
                    defer { left -= payload.count }
                    return left > 0
                }.count
        }
        sentCount = count
        return payloads[..<count]
    }

    /// The server has dropped what went out.
    mutating func drop() {
        if isUnderWay { haveBeenDropped = true }
        sentCount = nil
    }

    /// What the server has not been sent.
    var rest: ArraySlice<[UInt8]> { payloads[(sentCount ?? 0)...] }

    /// The terminal's size now. While a person is asked for a password it may change.
    var terminalSize: (() -> TerminalSize?)?

    /// Makes the request for a terminal, if there is one, ask for the present size.
    fileprivate mutating func updateTerminalSize() {
        guard let size = terminalSize?() else { return }
        // A request (98) for a channel (uint32): string "pty-req", boolean, string TERM, four sizes.
        let kind: [UInt8] = [0, 0, 0, 7] + Array("pty-req".utf8)
        for index in payloads.indices where payloads[index].dropFirst(5).starts(with: kind) {
            let payload = payloads[index]
            let length = Int(payload.rawBytes.bigEndianUInt32(at: 17))
            var writer = WireWriter(reserving: 16)
            for number in [size.columns, size.rows, size.widthPixels, size.heightPixels] {
                writer.write(uint32: number)
            }
            payloads[index].replaceSubrange(21 + length..<37 + length, with: writer.take())
        }
    }
}

extension ConnectionCore {
    /// From here on, messages of the connection protocol are early ones.
    mutating func beginEarlyMessages(windowBytes: Int) {
        early = EarlyMessages(windowBytes: windowBytes)
    }

    /// Sends a message as an early one: now, if the server may have use for it, and perhaps again.
    mutating func sendEarly(_ payload: [UInt8]) {
        if early?.add(payload) == true { transport.send(payload.rawBytes) }
    }

    /// A request for authentication has just been sent that can succeed.
    mutating func sendEarlyMessages() {
        early?.updateTerminalSize()
        guard let payloads = early?.begin() else { return }
        for payload in payloads { transport.send(payload.rawBytes) }
    }

    /// The server has answered without letting the user in, and dropped what was behind the request.
    mutating func earlyMessagesWereDropped() {
        early?.drop()
    }

    /// The user is in.
    mutating func endEarlyMessages() {
        early?.updateTerminalSize()
        guard let rest = early?.rest else { return }
        early = nil
        for payload in rest { transport.send(payload.rawBytes) }
    }

    /// Whether a message of a client is for a first channel that was refused while the client had
    /// sent the message already: it is to be dropped.
    func isForRefusedEarlyChannel(_ number: MessageNumber) -> Bool {
        guard hasRefusedFirstChannel, transport.payload.byteCount >= 5 else { return false }
        switch number {
        case .channelData, .channelExtendedData, .channelEOF, .channelClose, .channelRequest,
            .channelWindowAdjust:
            guard transport.payload.bigEndianUInt32(at: 1) == 0 else { return false }
            return channels.index(ofNumber: 0) == nil
        default: return false
        }
    }
}

extension ConnectionLimits {
    /// What a server takes as early data on a client's first channel, in bytes: as much as the
    /// session's window. None of it is read before the user is in or refused.
    package static let earlySessionBytes = bulkWindowBytes
    /// How much of it a client sends behind another request than the first, and makes while there is
    /// none, in bytes: the first requests of a file transfer.
    static let repeatedEarlyBytes = 64 << 10
    /// How many messages of a client that may be, each time far less than what a server drops.
    static let earlyMessages = 1024
    /// What a client's system may hold of it unsent, in bytes: the next request stands behind it.
    package static let earlyUnsentBytes = 16 << 10
    /// How many early messages a server drops before it takes the client for hostile.
    static let droppedEarlyMessages = 4096
}
