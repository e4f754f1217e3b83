// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a client of an `early-session@hawser` server sends of its first channel before it knows that
/// the user is in (docs/protocol/early-session.md).
///
/// The messages go out behind each request for authentication that can succeed. A server that lets
/// the user in finds them behind it; one that does not drops them, and they go out again behind the
/// next request.
struct EarlyMessages {
    /// Payloads in the order of their sending.
    fileprivate(set) var payloads: [[UInt8]] = []
    /// They are behind a request that the server has not answered.
    fileprivate(set) var isUnderWay = false
    /// How many bytes of data the server takes before it has opened the channel.
    let windowBytes: Int
}

extension ConnectionCore {
    /// From here on, messages of the connection protocol are early ones.
    mutating func beginEarlyMessages(windowBytes: Int) {
        early = EarlyMessages(windowBytes: windowBytes)
    }

    /// Sends a message as an early one: now, if the server may have use for it, and perhaps again.
    mutating func sendEarly(_ payload: [UInt8]) {
        if early?.isUnderWay == true { transport.send(payload.rawBytes) }
        early?.payloads.append(payload)
    }

    /// A request for authentication has just been sent that can succeed.
    mutating func sendEarlyMessages() {
        guard let payloads = early?.payloads else { return }
        for payload in payloads { transport.send(payload.rawBytes) }
        early?.isUnderWay = true
    }

    /// The server has answered without letting the user in, and dropped what was behind the request.
    mutating func earlyMessagesWereDropped() {
        early?.isUnderWay = false
    }

    /// The user is in.
    mutating func endEarlyMessages() {
        if early?.isUnderWay == false { sendEarlyMessages() }
        early = nil
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
    /// What a server takes as early data on a client's first channel, in bytes: the first requests
    /// of a file transfer. Less than `initialWindowBytes`.
    package static let earlySessionBytes = 64 << 10
    /// How many early messages a server drops before it takes the client for hostile.
    static let droppedEarlyMessages = 4096
}
