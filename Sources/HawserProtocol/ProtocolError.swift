// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// `SSH_DISCONNECT_…` reason codes (RFC 4253 §11.1).
package enum DisconnectReason: UInt32, Sendable {
    case hostNotAllowedToConnect = 1
    case protocolError = 2
    case keyExchangeFailed = 3
    case reserved = 4
    case macError = 5
    case compressionError = 6
    case serviceNotAvailable = 7
    case protocolVersionNotSupported = 8
    case hostKeyNotVerifiable = 9
    case connectionLost = 10
    case byApplication = 11
    case tooManyConnections = 12
    case authenticationCancelledByUser = 13
    case noMoreAuthenticationMethodsAvailable = 14
    case illegalUserName = 15
}

/// What the peer did wrong, or said when it left. The connection cannot go on after it.
package struct ProtocolError: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// The peer's first line is not one of SSH.
        case badIdentification
        /// The peer speaks another version of the protocol.
        case versionMismatch(theirs: String)
        /// No algorithm in common, for example "no matching cipher found"; with the peer's list.
        case noCommonAlgorithm(what: String, offer: String)
        /// A packet that is not one: bad length, bad padding.
        case badPacket
        /// A packet whose code does not belong to it.
        case badMAC
        /// The key exchange failed: a bad value, a signature that does not verify.
        case keyExchange
        /// The server is not as the client's guess had it: a connection without one will do.
        case wrongGuess
        /// The program refused the host key.
        case hostKeyRefused
        /// The server takes none of the methods that are left.
        case authenticationFailed
        /// A message that may not come now, or is malformed.
        case violation
        /// The peer disconnected, with its reason code and text.
        case disconnected(reason: UInt32)
        /// What the rules of authentication do not allow; both ends tell it in the same words.
        case forbidden
        /// A bound of `Limits` was reached.
        case limit
    }

    package let kind: Kind
    /// What a log says, in the words that administrators know.
    package let text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    package static func violation(_ text: String) -> ProtocolError {
        ProtocolError(.violation, text)
    }

    package static func malformed(_ number: MessageNumber, _ error: WireError) -> ProtocolError {
        ProtocolError(.violation, "message \(number.rawValue): \(error)")
    }

    /// What to tell the peer before hanging up; nil when there is nothing to say to it.
    package var reason: DisconnectReason? {
        switch kind {
        case .badIdentification, .disconnected, .wrongGuess: nil
        case .versionMismatch: .protocolVersionNotSupported
        case .noCommonAlgorithm, .keyExchange: .keyExchangeFailed
        case .badPacket, .violation, .forbidden: .protocolError
        case .badMAC: .macError
        case .hostKeyRefused: .hostKeyNotVerifiable
        case .authenticationFailed: .noMoreAuthenticationMethodsAvailable
        case .limit: .protocolError
        }
    }
}

extension ProtocolError: CustomStringConvertible {
    package var description: String { text }
}
