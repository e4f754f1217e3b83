// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a program can do with a connection at either end of it: channels and global requests over
/// the transport (RFC 4254).
///
///     read(socket) into connection.receive(upTo:)     what the socket gave, if `wantsInput`
///     while let event = try connection.nextEvent(at: now) { … }
///     write(socket, connection.output)                what goes back; then nextEvent again, which
///                                                     tells channels that there is room
///     wait(until: connection.deadline)                when to come again, with nextEvent
///
/// A command on a channel that is gone does nothing.
package protocol Connection: ~Copyable {
    var core: ConnectionCore { get set }
}

extension Connection where Self: ~Copyable {
    // MARK: Bytes and time

    /// Gives back buffers in which nothing waits; for a connection that is idle.
    package mutating func shrinkBuffers() { core.transport.shrinkBuffers() }

    /// Lets `body` fill up to `count` bytes with what the socket gives; it returns how many it
    /// wrote.
    package mutating func receive<Failure: Error>(
        upTo count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        try core.transport.fill(count, body)
    }

    /// Whether to read the socket now. Not while many bytes wait for the program's answer, or for
    /// the peer to take what it asked for.
    package var wantsInput: Bool { mutating get { core.wantsInput } }

    /// Whether something is to go to the socket.
    package var hasOutput: Bool { mutating get { core.hasOutput } }

    /// When to call `nextEvent` even if nothing has arrived.
    package var deadline: Instant? { mutating get { core.deadline } }

    // MARK: Transport

    /// The peer's identification line, once it has come.
    package var peerIdentification: Identification.Line? { core.transport.peerIdentification }

    /// The exchange hash of the first key exchange (RFC 4253 §7.2); empty before that.
    package var sessionIdentifier: [UInt8] { core.transport.sessionIdentifier }

    /// The server's host key, of the first key exchange; empty before that.
    package var hostKeyBlob: [UInt8] { core.transport.hostKey }

    /// What the current keys were agreed to be.
    package var negotiated: Negotiated? { core.transport.negotiated }

    /// What has come, and what has gone out.
    package var traffic: (received: Traffic, sent: Traffic) {
        (core.transport.received, core.transport.sent)
    }

    package var peerExtensions: PeerExtensions { core.transport.peerExtensions }

    /// Whether keys are being exchanged, so that channel data has to wait.
    package var isExchangingKeys: Bool { core.transport.isExchangingKeys }

    /// Agrees on new keys, as soon as that is possible.
    package mutating func rekeyNow() {
        core.transport.rekey()
    }

    /// `SSH_MSG_IGNORE` with some data.
    package mutating func sendIgnore(_ data: [UInt8]) {
        core.transport.sendIgnore(data)
    }

    /// Whether the peer answers pings (`ping@openssh.com`).
    package var peerSupportsPing: Bool { core.transport.peerExtensions.supportsPing }

    /// A `PING`, when the peer knows it; `pong` follows.
    package mutating func sendPing(_ data: [UInt8]) {
        core.transport.sendPing(data)
    }

    /// Tells the peer that and why the connection ends. The program sends what is in the output and
    /// hangs up.
    package mutating func disconnect(_ reason: DisconnectReason, _ text: String) {
        core.transport.disconnect(reason, text)
    }

    /// Tells the peer what it did wrong, if there is something to say to it.
    package mutating func disconnect(after error: ProtocolError) {
        if let reason = error.reason { core.transport.disconnect(reason, error.text) }
    }

    /// Tells the peer what may help whoever looks for a fault (RFC 4253 §11.3).
    package mutating func sendDebug(_ text: String) {
        core.transport.sendDebug(text)
    }

    // MARK: Channels

    /// Asks for a channel. `channelOpened` or `channelOpenFailed` answers. Nil when there are
    /// `ConnectionLimits.channels` already.
    package mutating func openChannel(
        _ opening: ChannelOpening,
        windowBytes: Int = ConnectionLimits.initialWindowBytes
    ) -> ChannelID? {
        core.openChannel(opening, windowBytes: windowBytes)
    }

    /// Grants what `channelOpenRequested` asked.
    package mutating func confirmChannel(
        _ id: ChannelID,
        windowBytes: Int = ConnectionLimits.initialWindowBytes
    ) {
        core.confirmChannel(id, windowBytes: windowBytes)
    }

    /// Refuses what `channelOpenRequested` asked; the channel is gone.
    package mutating func refuseChannel(
        _ id: ChannelID,
        reason: ChannelOpenFailureReason,
        message: String
    ) {
        core.refuseChannel(id, reason: reason, message: message)
    }

    /// Sends data as far as the peer's window and the output allow, and returns how many bytes it
    /// took. After fewer than given, `channelWritable` tells when to come again.
    package mutating func send(_ bytes: RawSpan, on id: ChannelID) -> Int {
        core.send(bytes, on: id, extendedType: nil)
    }

    /// The same as extended data, by default standard error output.
    package mutating func sendExtended(
        _ bytes: RawSpan,
        type: UInt32 = ConnectionEvent.standardError,
        on id: ChannelID
    ) -> Int {
        core.send(bytes, on: id, extendedType: type)
    }

    /// How many bytes `send` would take now, and so how many are worth reading. Asking does not
    /// make `channelWritable` come.
    package mutating func sendableBytes(on id: ChannelID) -> Int {
        core.sendableBytes(on: id)
    }

    /// Makes `channelWritable` come when `sendableBytes` is no longer zero.
    package mutating func awaitRoom(on id: ChannelID) {
        core.awaitRoom(on: id)
    }

    /// Gives the peer back the window of `count` received bytes that have gone on.
    package mutating func consumed(_ count: Int, on id: ChannelID) {
        core.consumed(count, on: id)
    }

    /// Says that no more data follows.
    package mutating func sendEOF(on id: ChannelID) {
        core.sendEOF(on: id)
    }

    /// Ends the channel; data that still comes is dropped. `channelClosed` follows.
    ///
    /// Without a hurry a channel that is over in both directions is closed with the next message, or
    /// after `ConnectionLimits.heldClose`.
    package mutating func closeChannel(_ id: ChannelID, isUrgent: Bool = true) {
        core.closeChannel(id, isUrgent: isUrgent)
    }

    /// Leaves the channel open for our requests when the peer closes it: `channelPeerClosed` comes
    /// then, and `closeChannel` ends it.
    package mutating func holdClose(of id: ChannelID) {
        core.holdClose(of: id)
    }

    /// Sends a request on a channel. With `wantReply`, `channelRequestAnswered` follows.
    package mutating func request(
        _ request: ChannelRequest,
        on id: ChannelID,
        wantReply: Bool
    ) {
        core.request(request, on: id, wantReply: wantReply)
    }

    /// Answers the oldest unanswered `channelRequest` with `wantReply` of this channel.
    package mutating func answerRequest(on id: ChannelID, success: Bool) {
        core.answerRequest(on: id, success: success)
    }

    /// Whether a channel's data goes before that of others. A terminal, X11 and an agent do so by
    /// themselves.
    package mutating func setInteractive(_ isInteractive: Bool, on id: ChannelID) {
        core.setInteractive(isInteractive, on: id)
    }

    /// Whether someone waits for single bytes of a channel, so that little else may be under way.
    package var isShared: Bool { mutating get { core.isShared } }

    /// The channels that are open.
    package var openChannels: [ChannelID] { core.channels.openChannels }

    /// How many channels are open, being opened or being closed.
    package var channelCount: Int { core.channels.count }

    // MARK: Global requests

    /// Sends a global request. With `wantReply`, `globalRequestAnswered` names what this returns.
    @discardableResult
    package mutating func requestGlobal(
        _ request: GlobalRequest,
        wantReply: Bool
    ) -> GlobalRequestID {
        core.requestGlobal(request, wantReply: wantReply)
    }

    /// Answers the oldest unanswered `globalRequest` with `wantReply`.
    package mutating func answerGlobalRequest(success: Bool, payload: [UInt8] = []) {
        core.answerGlobalRequest(success: success, payload: payload)
    }
}
