// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a program does with channels (RFC 4254 §5). On a channel that is gone, every command does
/// nothing.
extension ConnectionCore {
    /// Asks for a channel; answered by `channelOpened` or `channelOpenFailed`. Nil when there are
    /// as many channels as we allow ourselves.
    mutating func openChannel(_ opening: ChannelOpening, windowBytes: Int) -> ChannelID? {
        guard let index = channels.add(.requested) else { return nil }
        channels.setInteractive(opening.isInteractive, at: index)
        let windowBytes = firstWindow(windowBytes)
        channels[index].receiveWindow = ReceiveWindow(sizeBytes: windowBytes)
        let id = channels.id(at: index)
        if let early, id.number == 0 {
            channels[index].earlyWindowBytes = early.windowBytes
            channels[index].sendWindowBytes = early.windowBytes
            channels[index].maximumDataBytes = ConnectionLimits.maximumDataBytes
        }
        send(
            payload: ChannelOpen(
                opening: opening,
                senderChannel: id.number,
                initialWindowBytes: UInt32(clamping: windowBytes),
                maximumPacketBytes: UInt32(ConnectionLimits.maximumDataBytes)
            ).payload
        )
        return id
    }

    /// Grants the peer the channel it asked for.
    mutating func confirmChannel(_ id: ChannelID, windowBytes: Int) {
        guard let index = channels.index(of: id), channels[index].phase == .offered else { return }
        channels[index].phase = .open
        let windowBytes = firstWindow(windowBytes)
        channels[index].receiveWindow = ReceiveWindow(sizeBytes: windowBytes)
        noteAnswer(toOpening: true)
        send(
            payload: ChannelOpenConfirmation(
                recipientChannel: channels[index].peerNumber,
                senderChannel: id.number,
                initialWindowBytes: UInt32(clamping: windowBytes),
                maximumPacketBytes: UInt32(ConnectionLimits.maximumDataBytes)
            ).payload
        )
    }

    /// Refuses the channel that the peer asked for.
    mutating func refuseChannel(
        _ id: ChannelID,
        reason: ChannelOpenFailureReason,
        message: String
    ) {
        guard let index = channels.index(of: id), channels[index].phase == .offered else { return }
        let peerNumber = channels[index].peerNumber
        channels.remove(at: index)
        noteAnswer(toOpening: false)
        send(
            payload: ChannelOpenFailure(
                recipientChannel: peerNumber,
                reason: reason,
                message: message
            ).payload
        )
    }

    /// Sends data as far as the peer's window and the output allow, and says how many bytes those
    /// were. When fewer than given, `channelWritable` tells when it is worth trying again.
    mutating func send(_ bytes: RawSpan, on id: ChannelID, extendedType: UInt32?) -> Int {
        guard let index = channels.index(of: id), channels[index].canSend else { return 0 }
        var sent = 0
        while sent < bytes.byteCount {
            guard hasOutputRoom(interactive: channels[index].isInteractive) else {
                awaitOutput(at: index)
                break
            }
            let count = min(
                bytes.byteCount - sent,
                channels[index].sendWindowBytes,
                channels[index].maximumDataBytes
            )
            guard count > 0 else {
                channels[index].awaitsWindow = true
                break
            }
            sendData(
                bytes.extracting(sent..<sent + count),
                to: channels[index].peerNumber,
                extendedType: extendedType
            )
            channels[index].sendWindowBytes -= count
            sent += count
        }
        return sent
    }

    /// How many bytes `send` would take now.
    func sendableBytes(on id: ChannelID) -> Int {
        guard let index = channels.index(of: id), channels[index].canSend,
            channels[index].maximumDataBytes > 0,
            hasOutputRoom(interactive: channels[index].isInteractive)
        else { return 0 }
        return channels[index].sendWindowBytes
    }

    /// Makes `channelWritable` come when `send` takes bytes again, if it takes none now.
    mutating func awaitRoom(on id: ChannelID) {
        guard let index = channels.index(of: id), channels[index].canSend else { return }
        if channels[index].sendWindowBytes == 0 {
            channels[index].awaitsWindow = true
        } else if !hasOutputRoom(interactive: channels[index].isInteractive) {
            awaitOutput(at: index)
        }
    }

    private mutating func awaitOutput(at index: Int) {
        guard !channels[index].awaitsOutput else { return }
        channels[index].awaitsOutput = true
        if channels[index].isInteractive {
            interactiveQueue.append(channels.id(at: index))
        } else {
            bulkQueue.append(channels.id(at: index))
        }
    }

    /// Gives back the window of `count` bytes that arrived and have gone on to where they belong.
    mutating func consumed(_ count: Int, on id: ChannelID) {
        guard let index = channels.index(of: id),
            let bytesToAdd = channels[index].receiveWindow.drain(
                count,
                at: now,
                isShared: isShared
            )
        else { return }
        let channel = channels[index]
        guard channel.phase == .open, !channel.hasReceivedEOF, !channel.hasSentClose else { return }
        sendWindowAdjust(UInt32(truncatingIfNeeded: bytesToAdd), to: channel.peerNumber)
    }

    /// Says that we send no more data; what was sent before arrives before it.
    mutating func sendEOF(on id: ChannelID) {
        guard let index = channels.index(of: id), channels[index].canSend else { return }
        channels[index].hasSentEOF = true
        send(.channelEOF, to: channels[index].peerNumber)
    }

    /// Ends the channel; what the peer still sends is dropped. `channelClosed` tells when the peer
    /// has ended it too. A channel that was not open yet is closed as soon as it is.
    ///
    /// Without a hurry the close of a channel on which both ends have sent all their data waits a
    /// moment for something to go with: a packet less, at both ends, where one connection follows
    /// another.
    mutating func closeChannel(_ id: ChannelID, isUrgent: Bool = true) {
        guard let index = channels.index(of: id), !channels[index].hasSentClose,
            channels[index].phase != .offered
        else { return }
        channels[index].hasSentClose = true
        if channels[index].phase == .open {
            let peerNumber = channels[index].peerNumber
            if isUrgent || !channels[index].hasSentEOF || !channels[index].hasReceivedEOF {
                send(.channelClose, to: peerNumber)
            } else {
                heldCloses.append(peerNumber)
                if closesDue == nil { closesDue = now + ConnectionLimits.heldClose }
            }
        }
        if channels[index].hasReceivedClose {
            channels.remove(at: index)
            waitingEvents.append(.channelClosed(id))
        }
    }

    /// Leaves the channel open for requests when the peer closes it, until `closeChannel`: the exit
    /// status of a program that outlives the client's interest in its output.
    mutating func holdClose(of id: ChannelID) {
        guard let index = channels.index(of: id) else { return }
        channels[index].holdsClose = true
    }

    /// Sends a request. With `wantReply`, `channelRequestAnswered` tells the answer.
    mutating func request(_ request: ChannelRequest, on id: ChannelID, wantReply: Bool) {
        guard let index = channels.index(of: id), channels[index].isAddressable,
            !channels[index].hasSentClose
        else { return }
        if wantReply { channels[index].unansweredRequests += 1 }
        if case .pseudoTerminal = request { channels.setInteractive(true, at: index) }
        send(
            payload: ChannelRequestMessage(
                recipientChannel: channels[index].peerNumber,
                wantReply: wantReply,
                request: request
            ).payload
        )
    }

    /// Answers the oldest unanswered request of the peer on this channel.
    mutating func answerRequest(on id: ChannelID, success: Bool) {
        guard let index = channels.index(of: id), let refusals = channels[index].replies.answer()
        else { return }
        guard !channels[index].hasSentClose else { return }
        send(success ? .channelSuccess : .channelFailure, to: channels[index].peerNumber)
        for _ in 0..<refusals { send(.channelFailure, to: channels[index].peerNumber) }
    }

    /// Puts a channel among those whose bytes someone waits for, or among bulk.
    mutating func setInteractive(_ isInteractive: Bool, on id: ChannelID) {
        guard let index = channels.index(of: id) else { return }
        channels.setInteractive(isInteractive, at: index)
    }

    /// What a new channel's window is to be. Where someone types, little is under way until the path
    /// has shown that it needs more.
    private func firstWindow(_ bytes: Int) -> Int {
        isShared ? min(bytes, ConnectionLimits.initialWindowBytes) : bytes
    }
}

extension ConnectionCore {
    /// Sends the closes that were held, before anything else: a number of ours may be in use again.
    mutating func sendHeldCloses() {
        closesDue = nil
        let numbers = heldCloses
        heldCloses.removeAll(keepingCapacity: true)
        for number in numbers { send(.channelClose, to: number) }
    }

    /// The whole of a channel message that has no further field.
    mutating func send(_ number: MessageNumber, to recipientChannel: UInt32) {
        if !heldCloses.isEmpty { sendHeldCloses() }
        if early != nil {
            var writer = WireWriter(reserving: 5)
            writer.write(byte: number.rawValue)
            writer.write(uint32: recipientChannel)
            return sendEarly(writer.take())
        }
        transport.beginMessage(number, byteCount: 5)
        transport.write(uint32: recipientChannel)
        transport.endMessage()
    }

    mutating func sendWindowAdjust(_ bytesToAdd: UInt32, to recipientChannel: UInt32) {
        if !heldCloses.isEmpty { sendHeldCloses() }
        transport.beginMessage(.channelWindowAdjust, byteCount: 9)
        transport.write(uint32: recipientChannel)
        transport.write(uint32: bytesToAdd)
        transport.endMessage()
    }

    /// `SSH_MSG_CHANNEL_DATA` or `SSH_MSG_CHANNEL_EXTENDED_DATA`, RFC 4254 §5.2, straight into the
    /// output.
    private mutating func sendData(
        _ data: RawSpan,
        to recipientChannel: UInt32,
        extendedType: UInt32?
    ) {
        if !heldCloses.isEmpty { sendHeldCloses() }
        if early != nil {
            var writer = WireWriter(reserving: 9 + data.byteCount)
            writer.write(byte: MessageNumber.channelData.rawValue)
            writer.write(uint32: recipientChannel)
            writer.write(string: data)
            return sendEarly(writer.take())
        }
        if let extendedType {
            transport.beginMessage(.channelExtendedData, byteCount: 13 + data.byteCount)
            transport.write(uint32: recipientChannel)
            transport.write(uint32: extendedType)
        } else {
            transport.beginMessage(.channelData, byteCount: 9 + data.byteCount)
            transport.write(uint32: recipientChannel)
        }
        transport.write(uint32: UInt32(truncatingIfNeeded: data.byteCount))
        transport.write(data)
        transport.endMessage()
    }

    mutating func send(payload: [UInt8]) {
        if !heldCloses.isEmpty { sendHeldCloses() }
        if early != nil { return sendEarly(payload) }
        transport.send(payload.rawBytes)
    }
}
