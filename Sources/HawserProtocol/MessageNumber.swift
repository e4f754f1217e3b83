// SPDX-License-Identifier: Apache-2.0

/// The first byte of a message (RFC 4250 §4.1; 7: RFC 8308; 192 and 193: PROTOCOL of OpenSSH, §1.9).
package struct MessageNumber: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    // Transport, RFC 4253.
    package static let disconnect = MessageNumber(rawValue: 1)
    package static let ignore = MessageNumber(rawValue: 2)
    package static let unimplemented = MessageNumber(rawValue: 3)
    package static let debug = MessageNumber(rawValue: 4)
    package static let serviceRequest = MessageNumber(rawValue: 5)
    package static let serviceAccept = MessageNumber(rawValue: 6)
    package static let extensionInfo = MessageNumber(rawValue: 7)
    package static let newCompress = MessageNumber(rawValue: 8)
    package static let kexInit = MessageNumber(rawValue: 20)
    package static let newKeys = MessageNumber(rawValue: 21)

    // Key exchange methods: 30 to 49, their meaning depends on the method.
    /// `KEXDH_INIT`, `KEX_ECDH_INIT`, `KEX_HYBRID_INIT`; with group exchange the old request.
    package static let kexMethod30 = MessageNumber(rawValue: 30)
    /// `KEXDH_REPLY`, `KEX_ECDH_REPLY`, `KEX_HYBRID_REPLY`, `KEX_DH_GEX_GROUP`.
    package static let kexMethod31 = MessageNumber(rawValue: 31)
    package static let groupExchangeInit = MessageNumber(rawValue: 32)
    package static let groupExchangeReply = MessageNumber(rawValue: 33)
    package static let groupExchangeRequest = MessageNumber(rawValue: 34)

    // Authentication, RFC 4252; 60 to 79 depend on the method.
    package static let userauthRequest = MessageNumber(rawValue: 50)
    package static let userauthFailure = MessageNumber(rawValue: 51)
    package static let userauthSuccess = MessageNumber(rawValue: 52)
    package static let userauthBanner = MessageNumber(rawValue: 53)
    /// `PK_OK`, `PASSWD_CHANGEREQ`, `INFO_REQUEST`, `GSSAPI_RESPONSE`.
    package static let userauthMethod60 = MessageNumber(rawValue: 60)
    /// `INFO_RESPONSE`, `GSSAPI_TOKEN`.
    package static let userauthMethod61 = MessageNumber(rawValue: 61)
    // RFC 4462 §3.
    package static let userauthGSSAPIExchangeComplete = MessageNumber(rawValue: 63)
    package static let userauthGSSAPIError = MessageNumber(rawValue: 64)
    package static let userauthGSSAPIErrorToken = MessageNumber(rawValue: 65)
    package static let userauthGSSAPIMIC = MessageNumber(rawValue: 66)

    // Connection, RFC 4254.
    package static let globalRequest = MessageNumber(rawValue: 80)
    package static let requestSuccess = MessageNumber(rawValue: 81)
    package static let requestFailure = MessageNumber(rawValue: 82)
    package static let channelOpen = MessageNumber(rawValue: 90)
    package static let channelOpenConfirmation = MessageNumber(rawValue: 91)
    package static let channelOpenFailure = MessageNumber(rawValue: 92)
    package static let channelWindowAdjust = MessageNumber(rawValue: 93)
    package static let channelData = MessageNumber(rawValue: 94)
    package static let channelExtendedData = MessageNumber(rawValue: 95)
    package static let channelEOF = MessageNumber(rawValue: 96)
    package static let channelClose = MessageNumber(rawValue: 97)
    package static let channelRequest = MessageNumber(rawValue: 98)
    package static let channelSuccess = MessageNumber(rawValue: 99)
    package static let channelFailure = MessageNumber(rawValue: 100)

    // Extensions of the transport.
    package static let ping = MessageNumber(rawValue: 192)
    package static let pong = MessageNumber(rawValue: 193)

    /// Whether the message belongs to the transport itself, a key exchange among it: such a message
    /// may be sent while keys are exchanged (RFC 4253 §7.1).
    package var isTransport: Bool { rawValue < 50 && rawValue != 5 && rawValue != 6 }

    /// Whether the message is a step of a key exchange method.
    var isMethod: Bool { (30...49).contains(rawValue) }

    /// Whether the message is for the layers above the transport: services, authentication and
    /// connection.
    var isOfUpperLayer: Bool { (5...6).contains(rawValue) || (50...127).contains(rawValue) }

    /// When the peer may send the message (RFC 4253 §7.1 and §10, RFC 8308 §2.4,
    /// draft-miller-sshm-strict-kex). Authentication and connection know what they await themselves.
    var phases: TransportPhase {
        switch rawValue {
        case 1, 20: .all  // a second KEXINIT is for the key exchange to refuse
        case 7: [.established, .renewal]
        case 21, 30...49: [.firstExchange, .strictFirstExchange, .renewal]
        case 5, 6, 50...: .established
        default: .all.subtracting(.strictFirstExchange)
        }
    }
}

/// Where the transport is, as far as it decides what the peer may send.
struct TransportPhase: OptionSet {
    let rawValue: UInt8

    /// No keys yet, and the peer's KEXINIT has not come.
    static let beforeExchange = TransportPhase(rawValue: 1)
    /// From the peer's first KEXINIT to its NEWKEYS.
    static let firstExchange = TransportPhase(rawValue: 2)
    /// The same with strict key exchange.
    static let strictFirstExchange = TransportPhase(rawValue: 4)
    /// There are keys, and the peer has not begun to renew them.
    static let established = TransportPhase(rawValue: 8)
    /// From a later KEXINIT of the peer to its NEWKEYS.
    static let renewal = TransportPhase(rawValue: 16)

    static let all: TransportPhase = [
        .beforeExchange, .firstExchange, .strictFirstExchange, .established, .renewal,
    ]
}
