// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What the peer's messages 80 to 100 do, one function per message (RFC 4254).
extension ConnectionCore {
    /// Takes the transport's current payload. Nil when it is nothing for the program.
    mutating func receive(_ number: MessageNumber) throws(ProtocolError) -> ConnectionEvent? {
        if isForRefusedEarlyChannel(number) { return nil }
        return switch number {
        case .globalRequest: try receiveGlobalRequest()
        case .requestSuccess: receiveGlobalAnswer(success: true)
        case .requestFailure: receiveGlobalAnswer(success: false)
        case .channelOpen: try receiveChannelOpen()
        case .channelOpenConfirmation: try receiveChannelOpenConfirmation()
        case .channelOpenFailure: try receiveChannelOpenFailure()
        case .channelWindowAdjust: try receiveWindowAdjust()
        case .channelData: try receiveData()
        case .channelExtendedData: try receiveExtendedData()
        case .channelEOF: try receiveEOF()
        case .channelClose: try receiveClose()
        case .channelRequest: try receiveRequest()
        case .channelSuccess: try receiveRequestAnswer(success: true)
        case .channelFailure: try receiveRequestAnswer(success: false)
        default: throw .violation("message \(number.rawValue) is not one of RFC 4254")
        }
    }

    // MARK: Data

    private mutating func receiveData() throws(ProtocolError) -> ConnectionEvent? {
        let channel: UInt32
        let count: Int
        do throws(WireError) {
            var reader = WireReader(transport.payload.extracting(droppingFirst: 1))
            channel = try reader.readUInt32()
            count = try reader.readString().byteCount
            try reader.expectEnd()
        } catch { throw .malformed(.channelData, error) }
        guard let index = try accept(count, for: channel, from: .channelData) else { return nil }
        receivedOffset = 9
        receivedBytes = count
        return .channelData(channels.id(at: index), count: count)
    }

    private mutating func receiveExtendedData() throws(ProtocolError) -> ConnectionEvent? {
        let channel: UInt32
        let type: UInt32
        let count: Int
        do throws(WireError) {
            var reader = WireReader(transport.payload.extracting(droppingFirst: 1))
            channel = try reader.readUInt32()
            type = try reader.readUInt32()
            count = try reader.readString().byteCount
            try reader.expectEnd()
        } catch { throw .malformed(.channelExtendedData, error) }
        guard let index = try accept(count, for: channel, from: .channelExtendedData) else {
            return nil
        }
        receivedOffset = 13
        receivedBytes = count
        return .channelExtendedData(channels.id(at: index), type: type, count: count)
    }

    /// Counts data against the window. Nil when nobody is to see it: it is empty, or we have closed
    /// the channel already.
    private mutating func accept(
        _ count: Int,
        for number: UInt32,
        from message: MessageNumber
    ) throws(ProtocolError) -> Int? {
        let index = try openChannel(number, for: message)
        guard !channels[index].hasReceivedEOF else {
            throw .violation("data after end of file on channel \(number)")
        }
        guard count <= ConnectionLimits.maximumDataBytes else {
            throw .violation("\(count) bytes of data in one message on channel \(number)")
        }
        let lastExchange = transport.lastExchange
        guard channels[index].receiveWindow.receive(count, at: now, lastExchange: lastExchange)
        else {
            throw .violation("data beyond the window of channel \(number)")
        }
        return count == 0 || channels[index].hasSentClose ? nil : index
    }

    private mutating func receiveWindowAdjust() throws(ProtocolError) -> ConnectionEvent? {
        let message = try read(.channelWindowAdjust) { reader throws(WireError) in
            try ChannelWindowAdjust(from: &reader)
        }
        let number = message.recipientChannel
        guard channels.index(ofNumber: number) != nil || !channels.hasUsed(number: number) else {
            return nil  // crossed our close of the channel
        }
        let index = try openChannel(number, for: .channelWindowAdjust)
        let window = channels[index].sendWindowBytes + Int(message.bytesToAdd)
        guard window <= Int(UInt32.max) else {
            throw .violation("window of channel \(number) grows beyond 2^32-1")
        }
        channels[index].sendWindowBytes = window
        guard channels[index].awaitsWindow, message.bytesToAdd > 0 else { return nil }
        channels[index].awaitsWindow = false
        return channels[index].canSend ? .channelWritable(channels.id(at: index)) : nil
    }

    private mutating func receiveEOF() throws(ProtocolError) -> ConnectionEvent? {
        let number = try readChannel(.channelEOF)
        let index = try openChannel(number, for: .channelEOF)
        guard !channels[index].hasReceivedEOF else { return nil }
        channels[index].hasReceivedEOF = true
        return channels[index].hasSentClose ? nil : .channelEOF(channels.id(at: index))
    }

    /// The peer closed the channel: so do we, unless we have, and its number is free again (§5.3).
    private mutating func receiveClose() throws(ProtocolError) -> ConnectionEvent? {
        let number = try readChannel(.channelClose)
        let index = try openChannel(number, for: .channelClose)
        let id = channels.id(at: index)
        if channels[index].holdsClose, !channels[index].hasSentClose {
            guard !channels[index].hasReceivedClose else {
                throw .violation("channel \(id) closed twice")
            }
            channels[index].hasReceivedClose = true
            return .channelPeerClosed(id)
        }
        if !channels[index].hasSentClose { send(.channelClose, to: channels[index].peerNumber) }
        channels.remove(at: index)
        return .channelClosed(id)
    }

    // MARK: Opening

    private mutating func receiveChannelOpen() throws(ProtocolError) -> ConnectionEvent? {
        let message = try read(.channelOpen) { reader throws(WireError) in
            try ChannelOpen(from: &reader)
        }
        if message.opening == .session, refusesSessions {
            throw .violation("session opened after no-more-sessions@openssh.com")
        }
        if case .other(let type, _) = message.opening {
            return refuse(message, .unknownChannelType, "unknown channel type \(type.prefix(64))")
        }
        guard let index = channels.add(.offered) else {
            return refuse(message, .resourceShortage, "too many channels")
        }
        channels.setInteractive(message.opening.isInteractive, at: index)
        channels[index].peerNumber = message.senderChannel
        setSendLimits(message.initialWindowBytes, message.maximumPacketBytes, at: index)
        return .channelOpenRequested(channels.id(at: index), message.opening)
    }

    private mutating func refuse(
        _ message: ChannelOpen,
        _ reason: ChannelOpenFailureReason,
        _ text: String
    ) -> ConnectionEvent? {
        noteAnswer(toOpening: false)
        send(
            payload: ChannelOpenFailure(
                recipientChannel: message.senderChannel,
                reason: reason,
                message: text
            ).payload
        )
        return nil
    }

    private mutating func receiveChannelOpenConfirmation() throws(ProtocolError) -> ConnectionEvent?
    {
        let message = try read(.channelOpenConfirmation) { reader throws(WireError) in
            try ChannelOpenConfirmation(from: &reader)
        }
        let index = try requestedChannel(message.recipientChannel)
        channels[index].phase = .open
        channels[index].peerNumber = message.senderChannel
        let sentEarly = channels[index].earlyWindowBytes.map {
            $0 - channels[index].sendWindowBytes
        }
        setSendLimits(message.initialWindowBytes, message.maximumPacketBytes, at: index)
        if let sentEarly {
            guard message.senderChannel == 0, sentEarly <= channels[index].sendWindowBytes else {
                throw .violation("an early session is not as announced")
            }
            channels[index].earlyWindowBytes = nil
            channels[index].sendWindowBytes -= sentEarly
            if channels[index].awaitsWindow, channels[index].canSend {
                channels[index].awaitsWindow = false
                waitingEvents.append(.channelWritable(channels.id(at: index)))
            }
        }
        if channels[index].hasSentClose {
            send(.channelClose, to: message.senderChannel)
            return nil
        }
        return .channelOpened(channels.id(at: index))
    }

    private mutating func receiveChannelOpenFailure() throws(ProtocolError) -> ConnectionEvent? {
        let message = try read(.channelOpenFailure) { reader throws(WireError) in
            try ChannelOpenFailure(from: &reader)
        }
        let index = try requestedChannel(message.recipientChannel)
        let id = channels.id(at: index)
        channels.remove(at: index)
        return .channelOpenFailed(id, message.reason, message: message.message)
    }

    private mutating func setSendLimits(_ window: UInt32, _ maximumPacket: UInt32, at index: Int) {
        channels[index].sendWindowBytes = Int(window)
        channels[index].maximumDataBytes = min(
            Int(maximumPacket),
            ConnectionLimits.maximumDataBytes
        )
    }

    // MARK: Requests

    private mutating func receiveRequest() throws(ProtocolError) -> ConnectionEvent? {
        let message = try read(.channelRequest) { reader throws(WireError) in
            try ChannelRequestMessage(from: &reader)
        }
        let index = try openChannel(message.recipientChannel, for: .channelRequest)
        if channels[index].hasSentClose { return nil }
        if message.wantReply {
            guard channels[index].replies.count < ConnectionLimits.unansweredRequests else {
                throw .violation("too many unanswered requests on a channel")
            }
        }
        switch message.request {
        case .other:
            if message.wantReply, channels[index].replies.refuse() {
                send(.channelFailure, to: channels[index].peerNumber)
            }
            return nil
        case .pseudoTerminal:
            channels.setInteractive(true, at: index)
        default:
            break
        }
        if message.wantReply { channels[index].replies.expectAnswer() }
        return .channelRequest(
            channels.id(at: index),
            message.request,
            wantReply: message.wantReply
        )
    }

    /// An answer that we did not ask for is dropped; so is one that crossed our close.
    private mutating func receiveRequestAnswer(
        success: Bool
    ) throws(ProtocolError) -> ConnectionEvent? {
        let message: MessageNumber = success ? .channelSuccess : .channelFailure
        let number = try readChannel(message)
        let index = try openChannel(number, for: message)
        guard channels[index].unansweredRequests > 0 else { return nil }
        channels[index].unansweredRequests -= 1
        if channels[index].hasSentClose { return nil }
        return .channelRequestAnswered(channels.id(at: index), success: success)
    }

    // MARK: Global requests

    private mutating func receiveGlobalRequest() throws(ProtocolError) -> ConnectionEvent? {
        let message = try read(.globalRequest) { reader throws(WireError) in
            try GlobalRequestMessage(from: &reader)
        }
        if message.wantReply, globalReplies.count >= ConnectionLimits.unansweredRequests {
            throw .violation("too many unanswered global requests")
        }
        switch message.request {
        case .other:
            if message.wantReply, globalReplies.refuse() { sendGlobalAnswer(success: false) }
            return nil
        case .noMoreSessions:
            refusesSessions = true
        default:
            break
        }
        if message.wantReply { globalReplies.expectAnswer() }
        return .globalRequest(message.request, wantReply: message.wantReply)
    }

    /// An answer that we did not ask for is dropped.
    private mutating func receiveGlobalAnswer(success: Bool) -> ConnectionEvent? {
        guard !sentGlobalRequests.isEmpty else { return nil }
        let payload = [UInt8](copying: transport.payload.extracting(droppingFirst: 1))
        return .globalRequestAnswered(
            sentGlobalRequests.removeFirst(),
            success: success,
            payload: payload
        )
    }

    // MARK: Finding and reading

    /// Where the open channel is that a message of the peer is for.
    private func openChannel(
        _ number: UInt32,
        for message: MessageNumber
    ) throws(ProtocolError) -> Int {
        guard let index = channels.index(ofNumber: number), channels[index].phase == .open else {
            throw .violation("message \(message.rawValue) for channel \(number), which is not open")
        }
        return index
    }

    /// Where the channel is that we have asked for and the peer answers.
    private func requestedChannel(_ number: UInt32) throws(ProtocolError) -> Int {
        guard let index = channels.index(ofNumber: number), channels[index].phase == .requested
        else {
            throw .violation("answer to an opening of channel \(number) that was not asked for")
        }
        return index
    }

    /// A message whose only field is the channel.
    private func readChannel(_ number: MessageNumber) throws(ProtocolError) -> UInt32 {
        try read(number) { reader throws(WireError) in
            let channel = try reader.readUInt32()
            try reader.expectEnd()
            return channel
        }
    }

    private func read<Message>(
        _ number: MessageNumber,
        _ body: (inout WireReader) throws(WireError) -> Message
    ) throws(ProtocolError) -> Message {
        do throws(WireError) {
            var reader = WireReader(transport.payload.extracting(droppingFirst: 1))
            return try body(&reader)
        } catch { throw .malformed(number, error) }
    }
}
