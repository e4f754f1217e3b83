// SPDX-License-Identifier: Apache-2.0

/// One channel (RFC 4254 §5).
///
///     requested ──confirmation──▶ open ──close both ways──▶ free
///         └─────────failure────────────────────────────────▶ ▲
///     offered ───confirmChannel──▶ open                      │
///         └─────────refuseChannel────────────────────────────┘
///
/// Data, EOF and close of the two directions are independent within `open`, hence flags.
struct Channel {
    enum Phase: UInt8 {
        /// The number is not in use.
        case free
        /// We asked, the peer has not answered.
        case requested
        /// The peer asked, the program has not answered.
        case offered
        case open
    }

    /// How many channels have had this number before.
    var generation: UInt32
    var phase = Phase.free
    /// The number that we address.
    var peerNumber: UInt32 = 0
    /// What we may still send, in bytes.
    var sendWindowBytes = 0
    /// The most data that we put into one message.
    var maximumDataBytes = 0
    var receiveWindow = ReceiveWindow()
    var hasSentEOF = false
    var hasReceivedEOF = false
    var hasSentClose = false
    /// The program still has something to say when the peer has closed (`holdClose`).
    var holdsClose = false
    var hasReceivedClose = false
    /// What may be sent before the channel is open. Not nil for a channel that a client asks for
    /// before the user is known, at a server that allows for that and will call the channel 0.
    var earlyWindowBytes: Int?
    /// Goes before bulk data. Changed by the table, which counts them.
    var isInteractive = false
    /// `send` took fewer bytes than it was given because the window was empty.
    var awaitsWindow = false
    /// Is in the queue of those that wait for room in the output.
    var awaitsOutput = false
    /// Our requests that the peer has not answered.
    var unansweredRequests = 0
    /// The peer's requests that we have not answered.
    var replies = ReplyQueue()

    /// Whether we know what the peer calls it.
    var isAddressable: Bool { phase == .open || (earlyWindowBytes != nil && phase == .requested) }
    /// Whether data may be sent now, windows apart.
    var canSend: Bool { isAddressable && !hasSentEOF && !hasSentClose && !hasReceivedClose }
}

/// The answers that we owe the peer, oldest first: they must go out in the order of the requests.
struct ReplyQueue {
    /// Whether each is already known to be a refusal, which waits only for those before it.
    private var isRefused: [Bool] = []

    var count: Int { isRefused.count }

    /// A request that the program is to answer.
    mutating func expectAnswer() {
        isRefused.append(false)
    }

    /// A request that we refuse ourselves. True when the refusal can be sent at once.
    mutating func refuse() -> Bool {
        if isRefused.isEmpty { return true }
        isRefused.append(true)
        return false
    }

    /// The program answered its oldest request. How many refusals are due after that answer, or nil
    /// when no answer is owed.
    mutating func answer() -> Int? {
        guard !isRefused.isEmpty else { return nil }
        let refusals = isRefused.dropFirst().prefix { $0 }.count
        isRefused.removeFirst(1 + refusals)
        return refusals
    }
}
