// SPDX-License-Identifier: Apache-2.0

package import HawserLog
package import HawserWire

/// When keys are renewed besides the bounds of the ciphers (RFC 4253 §9; `RekeyLimit`).
package struct RekeyLimit: Equatable, Sendable {
    /// Bytes in either direction; nil for the cipher's own bound.
    package var bytes: UInt64?
    /// Time since the last exchange; nil for no bound.
    package var interval: Duration?

    package init(bytes: UInt64? = nil, interval: Duration? = nil) {
        self.bytes = bytes
        self.interval = interval
    }
}

/// A host key of a server: its public half. The private one may live in another process.
package struct HostKeyOffer: Equatable, Sendable {
    /// The public key or certificate, as it is sent.
    package var blob: [UInt8]
    /// The host key algorithms that it serves, for example `rsa-sha2-512` and `rsa-sha2-256`.
    package var algorithms: [String]

    package init(blob: [UInt8], algorithms: [String]) {
        self.blob = blob
        self.algorithms = algorithms
    }
}

/// What a program decides before its connection speaks.
package struct TransportOptions {
    package var isClient: Bool
    /// Our identification line without its end, for example `SSH-2.0-OpenSSH_10.5 Hawser_0.1`.
    package var identification: String
    package var proposal: Proposal
    /// What a client's first exchange begins with; nil: with KEXINIT alone.
    package var guess: KeyExchangeGuess?
    package var rekeyLimit = RekeyLimit()
    /// The server's host keys, in the order of preference; empty for a client.
    package var hostKeys: [HostKeyOffer] = []
    /// The server's list for the `server-sig-algs` extension (RFC 8308 §3.1).
    package var signatureAlgorithms: [String] = []
    /// How many bytes of a first channel's data a server takes before it has let the user in
    /// (`early-session@hawser`); 0: it takes none, and no message either.
    package var earlySessionBytes = 0
    /// The sizes that a client asks for in a group exchange, in bits.
    package var groupBits = Limits.groupBits
    /// The smallest RSA host key that a client takes, in bits.
    package var minimumRSABits = 1024
    /// Supplies zlib; nil offers none.
    package var makeCompression: (() -> any PacketCompression)?
    package var log = Log.none

    package init(isClient: Bool, identification: String, proposal: Proposal) {
        self.isClient = isClient
        self.identification = identification
        self.proposal = proposal
    }
}
