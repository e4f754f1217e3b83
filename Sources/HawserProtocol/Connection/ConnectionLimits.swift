// SPDX-License-Identifier: Apache-2.0

/// The bounds of authentication and connection (RFC 4252, RFC 4254), each with its unit and reason.
package enum ConnectionLimits {
    // MARK: Windows, in bytes

    /// What a peer may send on a new channel before we answer: a round trip of 20 ms at 100 MB/s.
    package static let initialWindowBytes = 2 << 20
    /// The same for a session that nobody sits in front of: a round trip of 100 ms at 160 MB/s,
    /// without waiting for the window to grow.
    package static let bulkWindowBytes = 16 << 20
    /// How far a window shrinks while someone waits for single bytes on the same connection: what the
    /// peer has under way is in front of them. A millisecond at 250 MB/s.
    static let sharedWindowBytes = 256 << 10
    /// How far a window may grow: 32 MiB in a round trip of 100 ms are 2.7 Gbit/s. It bounds what a
    /// program holds when a reader that was fast stops.
    package static let maximumWindowBytes = 32 << 20
    /// The most data of one message, both ways: what every implementation takes (RFC 4253 §6.1).
    package static let maximumDataBytes = 32 << 10
    /// The part of its window that a reader drains before the peer hears of it, and the most that it
    /// drains, in bytes: small enough that
    /// the peer does not wait, large enough that the messages are few.
    static let windowAdjustFraction = 4
    static let windowAdjustBytes = 1 << 20

    // MARK: Output queue, in bytes

    /// Bulk data stops here: two writes of a socket's usual buffer.
    package static let bulkOutputBytes = 256 << 10
    /// The same where interactive channels are: what is in the output already is not overtaken.
    package static let sharedOutputBytes = 64 << 10
    /// And what the system holds that it has not sent, on top of what is under way.
    package static let sharedUnsentBytes = 64 << 10
    /// Interactive data, which overtakes bulk data that was not let in, stops here.
    package static let interactiveOutputBytes = 512 << 10

    /// With so much to be sent, nothing further is read: a peer that asks and asks and does not take
    /// the answers waits for itself. Far above what data may fill.
    package static let outputBytes = 4 << 20
    /// With so much not understood yet, nothing further is to be received: a few of the largest
    /// packets.
    package static let inputBytes = 1 << 20

    // MARK: Times

    /// How long the close of a channel that is over waits for a message to go with: far longer than
    /// from one connection to the next of a busy client, and the peer keeps a number in use.
    static let heldClose = Duration.milliseconds(200)

    // MARK: Counts

    /// Channels at a time: each costs some 200 bytes.
    package static let channels = 16384
    /// Requests of a peer that it has not been given the answer to, per channel and globally.
    package static let unansweredRequests = 1024
    /// Authentication requests of one client: above what any program allows itself.
    package static let authenticationAttempts = 1024
    /// Prompts of one `keyboard-interactive` request, and answers to it.
    package static let prompts = 100
    /// The longest user or service name, in bytes.
    package static let userNameBytes = 1024
    /// Mechanisms of one `gssapi-with-mic` request; libraries know ten.
    package static let gssapiMechanisms = 64
    /// Tokens of one peer in one `gssapi-with-mic`: Kerberos needs one or two.
    package static let gssapiTokens = 32
    /// The longest token, in bytes: a ticket with all of a user's groups has up to 64 KiB.
    package static let gssapiTokenBytes = 128 << 10
    /// The longest password or answer, in bytes.
    package static let passwordBytes = 64 << 10
}
