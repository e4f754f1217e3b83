// SPDX-License-Identifier: Apache-2.0

/// What the transport tells the layer above.
package enum TransportEvent: Equatable, Sendable {
    /// A line that a server sent before its identification.
    case lineBeforeIdentification(String)
    /// The peer's identification line.
    case identified(Identification.Line)
    /// The server has proved that it holds this key. Answer with `acceptHostKey`, or `disconnect`
    /// and hang up; nothing more is read until then.
    indirect case hostKeyProven(ProvenHostKey)
    /// Server: sign this with the host key. Answer with `provideExchangeSignature`.
    indirect case exchangeSignatureNeeded(ExchangeSigningRequest)
    /// Server: choose a group of a size. Answer with `provideGroup`.
    case groupNeeded(minimumBits: Int, preferredBits: Int, maximumBits: Int)
    /// Both directions use new keys.
    indirect case keysExchanged(Negotiated, isFirst: Bool)
    /// The peer's extensions arrived (RFC 8308).
    case extensionsReceived
    /// `SSH_MSG_DEBUG`.
    case debugMessage(String, alwaysDisplay: Bool)
    /// `SSH_MSG_UNIMPLEMENTED` for the packet of this number.
    case unimplemented(sequenceNumber: UInt32)
    /// `PONG` with the data of our `PING`.
    case pong
    /// A message for the layers above: see `payload`.
    case message(MessageNumber)
}

/// A host key that has signed this exchange hash (RFC 4253 §8). Only the key exchange makes one.
package struct ProvenHostKey: Equatable, Sendable {
    /// The public key or certificate.
    package let blob: [UInt8]
    /// The host key algorithm that was agreed on.
    package let algorithm: String
    /// `H`, which in the first exchange becomes the session identifier.
    package let exchangeHash: [UInt8]
    /// The signature blob of the key over `exchangeHash`: proof for others, such as an agent.
    package let signature: [UInt8]
    /// Whether this is the first exchange of the connection; later ones must prove the same key.
    package let isFirst: Bool

    init(
        blob: [UInt8],
        algorithm: String,
        exchangeHash: [UInt8],
        signature: [UInt8],
        isFirst: Bool
    ) {
        self.blob = blob
        self.algorithm = algorithm
        self.exchangeHash = exchangeHash
        self.signature = signature
        self.isFirst = isFirst
    }
}

/// What a server's host key is to sign.
package struct ExchangeSigningRequest: Equatable, Sendable {
    package let hostKeyBlob: [UInt8]
    package let algorithm: String
    /// `H` (RFC 4253 §8).
    package let exchangeHash: [UInt8]
    package let sessionIdentifier: [UInt8]
}
