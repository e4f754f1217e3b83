// SPDX-License-Identifier: Apache-2.0

// Stands in for the transport until that is here: payloads behind their length, in the clear. Each
// declaration below gives way to the one of the same name in a file of its own, and this file goes.

package import HawserWire

package struct Instant: Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (first: Instant, second: Instant) -> Bool {
        first.nanoseconds < second.nanoseconds
    }
}

package struct DisconnectReason: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let protocolError = DisconnectReason(rawValue: 2)
    package static let serviceNotAvailable = DisconnectReason(rawValue: 7)
    package static let byApplication = DisconnectReason(rawValue: 11)
}

package struct ProtocolError: Error, Equatable, CustomStringConvertible {
    package var reason: DisconnectReason
    package var description: String

    static func violation(_ text: String) -> ProtocolError {
        ProtocolError(reason: .protocolError, description: text)
    }

    static func serviceNotAvailable(_ name: String) -> ProtocolError {
        ProtocolError(reason: .serviceNotAvailable, description: "service \(name)")
    }
}

struct MessageNumber: RawRepresentable, Equatable {
    var rawValue: UInt8

    static let serviceRequest = Self(rawValue: 5)
    static let serviceAccept = Self(rawValue: 6)
    static let userauthRequest = Self(rawValue: 50)
    static let userauthFailure = Self(rawValue: 51)
    static let userauthSuccess = Self(rawValue: 52)
    static let userauthBanner = Self(rawValue: 53)
    static let userauth60 = Self(rawValue: 60)
    static let userauth61 = Self(rawValue: 61)
    static let globalRequest = Self(rawValue: 80)
    static let requestSuccess = Self(rawValue: 81)
    static let requestFailure = Self(rawValue: 82)
    static let channelOpen = Self(rawValue: 90)
    static let channelOpenConfirmation = Self(rawValue: 91)
    static let channelOpenFailure = Self(rawValue: 92)
    static let channelWindowAdjust = Self(rawValue: 93)
    static let channelData = Self(rawValue: 94)
    static let channelExtendedData = Self(rawValue: 95)
    static let channelEOF = Self(rawValue: 96)
    static let channelClose = Self(rawValue: 97)
    static let channelRequest = Self(rawValue: 98)
    static let channelSuccess = Self(rawValue: 99)
    static let channelFailure = Self(rawValue: 100)
}

package struct Transport: ~Copyable {
    package var output = ByteQueue()
    private var input = ByteQueue()
    private var payloadBytes = 0

    package init() {}

    mutating func receive<Failure: Error>(
        upTo count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        try input.appendUpTo(count, body)
    }

    /// Moves to the next payload; false when it is not complete.
    mutating func nextPayload(at now: Instant) throws(ProtocolError) -> Bool {
        if payloadBytes > 0 {
            input.removeFirst(payloadBytes + 4)
            payloadBytes = 0
        }
        guard input.count >= 4 else { return false }
        let count = Int(input.bytes.bigEndianUInt32(at: 0))
        guard count > 0, input.count >= 4 + count else { return false }
        payloadBytes = count
        return true
    }

    var payload: RawSpan {
        @_lifetime(borrow self) get { input.bytes.extracting(4..<4 + payloadBytes) }
    }

    mutating func send(_ payload: RawSpan) {
        output.append(uint32: UInt32(payload.byteCount))
        output.append(payload)
    }

    mutating func beginMessage(_ number: MessageNumber, byteCount: Int) {
        output.append(uint32: UInt32(byteCount))
        output.append(byte: number.rawValue)
    }

    mutating func write(uint32 value: UInt32) { output.append(uint32: value) }
    mutating func write(_ bytes: RawSpan) { output.append(bytes) }
    mutating func endMessage() {}

    var isExchangingKeys: Bool { false }
    var hasKeys: Bool { true }
    var sessionIdentifier: [UInt8] { [1, 2, 3] }
    var hostKeyBlob: [UInt8] { [] }
    var peerSignatureAlgorithms: [String]? { nil }
    var supportsHostBoundKeys: Bool { false }
    var peerIdentification: String { "" }
    var deadline: Instant? { nil }
    mutating func userIsAuthenticated() {}
    mutating func rekeyNow(at now: Instant) {}
    mutating func disconnect(reason: DisconnectReason, message: String) {}
}
