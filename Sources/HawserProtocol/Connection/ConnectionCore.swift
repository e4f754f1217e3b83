// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What both ends of a connection have in common: the transport, the channels over it (RFC 4254)
/// and the events that wait to be taken.
package struct ConnectionCore: ~Copyable {
    package var transport: Transport
    var channels = ChannelTable()
    /// Our global requests that the peer has not answered, oldest first.
    var sentGlobalRequests: [GlobalRequestID] = []
    var nextGlobalRequest: UInt64 = 0
    /// The peer's global requests that we have not answered.
    var globalReplies = ReplyQueue()
    /// What is sent before the user is known; nil when there is no such thing.
    var early: EarlyMessages?
    /// We refused the client's first channel and have granted none since.
    var hasRefusedFirstChannel = false
    private(set) var hasGrantedChannel = false
    /// The client will open no further session.
    var refusesSessions = false
    /// Where `received` is in the transport's payload.
    var receivedOffset = 0
    var receivedBytes = 0
    /// Events that commands caused, oldest first.
    var waitingEvents: [ConnectionEvent] = []
    /// The peer's numbers of channels whose close nobody is in a hurry for: it goes before the next
    /// message, or when `closesDue` comes.
    var heldCloses: [UInt32] = []
    var closesDue: Instant?
    /// Channels that wait for room in the output, the longest waiting first.
    var interactiveQueue = ChannelQueue()
    var bulkQueue = ChannelQueue()
    /// The time of the last `nextEvent`.
    var now: Instant

    init(_ transport: consuming Transport, at now: Instant) {
        self.transport = transport
        self.now = now
    }

    /// Notes the answer to a channel that the peer asked for.
    mutating func noteAnswer(toOpening isGranted: Bool) {
        hasRefusedFirstChannel = !isGranted && !hasGrantedChannel
        if isGranted { hasGrantedChannel = true }
    }

    /// The data of the last event; empty when it had none.
    var received: RawSpan {
        @_lifetime(borrow self) get {
            guard receivedBytes > 0 else { return RawSpan() }
            return transport.payload.extracting(receivedOffset..<receivedOffset + receivedBytes)
        }
    }

    /// Whether someone waits for single bytes of a channel, so that bulk data of the others, and its
    /// own, must not pile up on the way.
    var isShared: Bool { channels.interactiveCount > 0 }

    /// Whether data of a class may go into the output now.
    func hasOutputRoom(interactive: Bool) -> Bool {
        let limit =
            interactive
            ? ConnectionLimits.interactiveOutputBytes
            : isShared
                ? ConnectionLimits.sharedOutputBytes : ConnectionLimits.bulkOutputBytes
        return !transport.isExchangingKeys && transport.output.count < limit
            && early?.hasRoom ?? true
    }

    /// Whether so much is to be sent that nothing of the peer is read.
    var isOutputFull: Bool { transport.output.count >= ConnectionLimits.outputBytes }

    var wantsInput: Bool {
        transport.inputBytes < ConnectionLimits.inputBytes && !isOutputFull
    }

    var hasOutput: Bool { !transport.output.isEmpty }

    /// Lets `body` send what is in the output until it sends nothing more; it returns how many bytes
    /// have gone. All of them are counted.
    mutating func sendOutput(_ body: (RawSpan) -> Int) -> Int {
        var sent = 0
        while hasOutput {
            let count = body(transport.output.bytes)
            guard count > 0 else { break }
            transport.output.removeFirst(count)
            sent += count
        }
        return sent
    }

    var deadline: Instant? {
        guard let closesDue else { return transport.deadline }
        return transport.deadline.map { min($0, closesDue) } ?? closesDue
    }

    /// An event that needs no message of the peer.
    mutating func nextOwnEvent() -> ConnectionEvent? {
        receivedBytes = 0
        if let closesDue, now >= closesDue { sendHeldCloses() }
        if !waitingEvents.isEmpty { return waitingEvents.removeFirst() }
        if hasOutputRoom(interactive: true), let id = interactiveQueue.takeFirst(in: &channels) {
            return .channelWritable(id)
        }
        if hasOutputRoom(interactive: false), let id = bulkQueue.takeFirst(in: &channels) {
            return .channelWritable(id)
        }
        return nil
    }
}

extension ConnectionEvent {
    /// What the transport tells, where neither end has to do something about it.
    init?(_ event: TransportEvent) {
        switch event {
        case .lineBeforeIdentification(let line): self = .lineBeforeIdentification(line)
        case .identified(let line): self = .identified(line)
        case .hostKeyProven(let key): self = .hostKey(key)
        case .exchangeSignatureNeeded(let request): self = .exchangeSignatureNeeded(request)
        case .groupNeeded(let minimum, let preferred, let maximum):
            self = .groupNeeded(
                minimumBits: minimum,
                preferredBits: preferred,
                maximumBits: maximum
            )
        case .keysExchanged(let agreed, let isFirst):
            self = .keysExchanged(agreed, isFirst: isFirst)
        case .extensionsReceived: self = .extensionsReceived
        case .debugMessage(let text, let display):
            self = .debugMessage(text, alwaysDisplay: display)
        case .unimplemented(let number): self = .unimplemented(sequenceNumber: number)
        case .pong: self = .pong
        case .message: return nil
        }
    }
}

/// Channels that wait for room in the output; each is in it at most once.
struct ChannelQueue {
    private var ids: [ChannelID] = []
    private var head = 0

    mutating func append(_ id: ChannelID) {
        ids.append(id)
    }

    /// Takes the first that is still there and can still send.
    mutating func takeFirst(in channels: inout ChannelTable) -> ChannelID? {
        while head < ids.count {
            let id = ids[head]
            head += 1
            if head == ids.count || head >= 1024 {
                ids.removeFirst(head)
                head = 0
            }
            guard let index = channels.index(of: id), channels[index].awaitsOutput else { continue }
            channels[index].awaitsOutput = false
            if channels[index].canSend { return id }
        }
        return nil
    }
}
