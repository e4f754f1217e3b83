// SPDX-License-Identifier: Apache-2.0

/// Our number of a channel (RFC 4254 §5.1), and which of its successive uses is meant.
///
/// A number is used again once both sides have closed the channel. What a program still holds of the
/// closed one names nothing then: every command on it does nothing.
package struct ChannelID: Hashable, Sendable {
    /// The number that the peer addresses: small, and the lowest free ones first.
    package let number: UInt32
    /// How many channels have had this number before.
    package let generation: UInt32

    package init(number: UInt32, generation: UInt32) {
        self.number = number
        self.generation = generation
    }
}

extension ChannelID: CustomStringConvertible {
    package var description: String { "\(number)" }
}
