// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A mechanism of the GSS-API by its object identifier (RFC 4462 §3.2).
package struct GSSMechanism: Hashable, Sendable {
    /// The identifier's content octets in DER, without their tag and length.
    package let identifier: [UInt8]

    package init(identifier: [UInt8]) {
        self.identifier = identifier
    }

    /// From the whole identifier in DER as it is sent; nil for what is none, or one of 128 bytes and
    /// more, whose length takes more than one byte.
    package init?(encoding: [UInt8]) {
        guard encoding.count > 2, encoding.count < 130, encoding[0] == Self.tag,
            Int(encoding[1]) == encoding.count - 2
        else { return nil }
        identifier = Array(encoding[2...])
    }

    /// The whole identifier in DER.
    package var encoding: [UInt8] {
        [Self.tag, UInt8(truncatingIfNeeded: identifier.count)] + identifier
    }

    private static let tag: UInt8 = 6

    /// 1.2.840.113554.1.2.2, RFC 4121 §1.
    package static let kerberos5 = GSSMechanism(
        identifier: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02]
    )
}

/// One step of a client in `gssapi-with-mic`, as a server sees it (RFC 4462 §3).
package enum GSSAPIRequest: Equatable, Sendable {
    /// It begins, with what the client can do, the best first (§3.2). What is no identifier is left
    /// out.
    case mechanisms([GSSMechanism])
    /// A token for the server's side of the context (§3.4).
    case token([UInt8])
    /// The context stands, and has no way to protect a message (§3.6).
    case exchangeComplete
    /// The context stands, and this is its word for what `SignedRequest.gssapi` gives (§3.5).
    case messageIntegrityCode([UInt8])
}

/// What a server says in `gssapi-with-mic` before it decides (RFC 4462 §3).
package enum GSSAPIAnswer: Equatable, Sendable {
    /// Which of the mechanisms it is (§3.3).
    case mechanism(GSSMechanism)
    /// A token for the client's side of the context (§3.4). An empty one is not sent.
    case token([UInt8])
    /// The server's side has failed, and says why in the words of the mechanism (§3.9).
    case errorToken([UInt8])
    /// The server's side has failed, for a person to read (§3.8).
    case error(GSSAPIErrorMessage)
}

/// `SSH_MSG_USERAUTH_GSSAPI_ERROR`, RFC 4462 §3.8.
package struct GSSAPIErrorMessage: Equatable, Sendable {
    package var majorStatus: UInt32
    package var minorStatus: UInt32
    package var message: String

    package init(majorStatus: UInt32, minorStatus: UInt32, message: String) {
        self.majorStatus = majorStatus
        self.minorStatus = minorStatus
        self.message = message
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        majorStatus = try reader.readUInt32()
        minorStatus = try reader.readUInt32()
        message = try reader.readText()
        _ = try reader.readString()  // the language
        try reader.expectEnd()
    }

    var payload: [UInt8] {
        var writer = WireWriter(reserving: 32 + message.utf8.count)
        writer.write(byte: MessageNumber.userauthGSSAPIError.rawValue)
        writer.write(uint32: majorStatus)
        writer.write(uint32: minorStatus)
        writer.write(text: message)
        writer.write(text: "")
        return writer.take()
    }
}

/// The messages of RFC 4462 §3 that hold one string.
enum GSSAPIMessage {
    static func payload(_ number: MessageNumber, _ string: [UInt8]) -> [UInt8] {
        var writer = WireWriter(reserving: 5 + string.count)
        writer.write(byte: number.rawValue)
        writer.write(string: string)
        return writer.take()
    }

    @_lifetime(reader: copy reader)
    static func read(from reader: inout WireReader) throws(WireError) -> [UInt8] {
        let string = try reader.readBytes(limit: ConnectionLimits.gssapiTokenBytes)
        try reader.expectEnd()
        return string
    }

    /// What follows the method's name in a request (§3.2).
    @_lifetime(reader: copy reader)
    static func readMechanisms(
        from reader: inout WireReader
    ) throws(WireError) -> [GSSMechanism] {
        let count = try reader.readUInt32()
        guard count <= UInt32(ConnectionLimits.gssapiMechanisms) else { throw .tooLong }
        var mechanisms: [GSSMechanism] = []
        for _ in 0..<count {
            let encoding = try reader.readBytes()
            if let mechanism = GSSMechanism(encoding: encoding) { mechanisms.append(mechanism) }
        }
        return mechanisms
    }

    static func write(_ mechanisms: [GSSMechanism], into writer: inout WireWriter) {
        writer.write(uint32: UInt32(clamping: mechanisms.count))
        for mechanism in mechanisms { writer.write(string: mechanism.encoding) }
    }
}
