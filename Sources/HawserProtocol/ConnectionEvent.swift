// SPDX-License-Identifier: Apache-2.0

/// What a connection tells its program, one at a time, in the order of the peer's messages.
///
/// An event that says "answer with" waits: the program gives its answer by that command, now or
/// later. While an authentication request waits, nothing further of the peer is read.
package enum ConnectionEvent: Equatable, Sendable {
    // MARK: Transport

    /// A line that a server sent before its identification.
    case lineBeforeIdentification(String)
    /// The peer's identification line.
    case identified(Identification.Line)
    /// Client: the server has proved that it holds this key. Answer with `acceptHostKey` or
    /// `rejectHostKey`. Only in the first key exchange; later ones must use the same key.
    indirect case hostKey(ProvenHostKey)
    /// Server: sign this with the host key. Answer with `provideExchangeSignature`.
    indirect case exchangeSignatureNeeded(ExchangeSigningRequest)
    /// Server: choose a group. Answer with `provideGroup`.
    case groupNeeded(minimumBits: Int, preferredBits: Int, maximumBits: Int)
    /// Both directions use new keys.
    indirect case keysExchanged(Negotiated, isFirst: Bool)
    /// The peer said which extensions it has (RFC 8308).
    case extensionsReceived
    /// `SSH_MSG_DEBUG`, not filtered.
    case debugMessage(String, alwaysDisplay: Bool)
    /// The peer does not know the message in our packet of this number.
    case unimplemented(sequenceNumber: UInt32)
    /// The answer to `sendPing`.
    case pong

    // MARK: Authentication, client

    /// `SSH_MSG_USERAUTH_BANNER`: text to show, not filtered.
    case banner(String)
    /// The last request failed, or succeeded in part; these methods can continue. Continue with one
    /// of the `authenticate…` commands.
    case authenticationMethods([String], partialSuccess: Bool)
    /// The offered key would be of use. Answer with `provideSignature` or `declineSignature`.
    indirect case signatureNeeded(SigningRequest)
    /// The password has expired. Answer with `changePassword`, or continue with another method.
    case passwordChangeRequested(prompt: String)
    /// Questions for the user. Answer with `answerInformation`.
    indirect case informationRequested(InformationRequest)
    /// What the server says in `gssapi-with-mic`. To a mechanism or a token answer with
    /// `sendGSSAPIToken` or `provideGSSAPICode`, or continue with another method; an error is news,
    /// and `authenticationMethods` follows.
    indirect case gssapi(GSSAPIAnswer)
    /// The user is in; channels can be opened.
    case authenticated

    // MARK: Authentication, server

    /// Answer with `acceptAuthentication`, `refuseAuthentication`, `acceptAuthenticationPartially`,
    /// `acceptPublicKey` (to a probe), `requestInformation` (to keyboard-interactive),
    /// `requestPasswordChange` (to a password) or `answerGSSAPI`.
    indirect case authenticationRequested(AuthenticationRequest)

    // MARK: Channels

    /// The peer wants a channel. Answer with `confirmChannel` or `refuseChannel`.
    indirect case channelOpenRequested(ChannelID, ChannelOpening)
    /// The peer confirmed our `openChannel`.
    case channelOpened(ChannelID)
    /// The peer refused our `openChannel`; the channel is gone.
    indirect case channelOpenFailed(ChannelID, ChannelOpenFailureReason, message: String)
    /// So many bytes arrived: `received`, until the next `nextEvent`. Give their window back with
    /// `consumed` when they have gone on.
    case channelData(ChannelID, count: Int)
    /// The same for extended data; type 1 is the standard error output.
    case channelExtendedData(ChannelID, type: UInt32, count: Int)
    /// `send` takes bytes again after it took fewer than it was given.
    case channelWritable(ChannelID)
    /// The peer sends no more data. We may.
    case channelEOF(ChannelID)
    /// The peer has closed a channel that the program holds (`holdClose`): no data goes either way
    /// any more, requests still do. Continue with `closeChannel`.
    case channelPeerClosed(ChannelID)
    /// Both sides have closed the channel: nothing more happens on it.
    case channelClosed(ChannelID)
    /// With `wantReply`, answer with `answerRequest`, in the order of the requests of a channel.
    indirect case channelRequest(ChannelID, ChannelRequest, wantReply: Bool)
    /// The answer to the oldest of our unanswered requests on this channel.
    case channelRequestAnswered(ChannelID, success: Bool)

    // MARK: The whole connection

    /// With `wantReply`, answer with `answerGlobalRequest`, in the order of the requests.
    indirect case globalRequest(GlobalRequest, wantReply: Bool)
    /// The answer to one of our global requests, with what it carries.
    case globalRequestAnswered(GlobalRequestID, success: Bool, payload: [UInt8])
}

extension ConnectionEvent {
    /// The type of extended data that is the standard error output (RFC 4254 §5.2).
    package static let standardError: UInt32 = 1
}
