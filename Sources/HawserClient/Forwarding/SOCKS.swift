// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The server's side of a SOCKS request, versions 4, 4A and 5 (RFC 1928): bytes in, what to answer
/// and where the client wants to go out. Only CONNECT, without authentication.
package struct SOCKSNegotiation: Sendable {
    package enum Step: Equatable, Sendable {
        case needsMore
        /// Send this; more is to come.
        case answer([UInt8])
        case connect(host: String, port: UInt16)
        /// Send this and hang up.
        case refuse([UInt8])
    }

    package enum Outcome: Sendable { case connected, refused, prohibited }

    private enum Phase { case start, request, done }

    private var phase = Phase.start
    private var version: UInt8 = 0
    private var pending: [UInt8] = []

    /// The longest request, in bytes: a version 4A one with two names of 255.
    package static let maximumBytes = 1024

    package init() {}

    /// What followed the request already.
    package var rest: [UInt8] { pending }

    /// Takes bytes of the client; `next` says what they mean.
    package mutating func append(_ bytes: RawSpan) { pending += [UInt8](copying: bytes) }

    /// What to do now; call it again after `answer`.
    package mutating func next() -> Step {
        switch phase {
        case .start:
            guard let first = pending.first else { return .needsMore }
            version = first
            return first == 4 ? version4() : first == 5 ? greeting() : .refuse([])
        case .request: return version5()
        case .done: return .needsMore
        }
    }

    /// What to tell the client about its connection.
    package func reply(_ outcome: Outcome) -> [UInt8] {
        if version == 4 {
            return [0, outcome == .connected ? 90 : 91, 0, 0, 0, 0, 0, 0]
        }
        let code: UInt8 =
            switch outcome {
            case .connected: 0
            case .refused: 5
            case .prohibited: 2
            }
        return [5, code, 0, 1, 0, 0, 0, 0, 0, 0]
    }

    // MARK: Version 4 and 4A

    private mutating func version4() -> Step {
        guard let userEnd = pending.dropFirst(8).firstIndex(of: 0) else { return incomplete() }
        guard pending[1] == 1 else { return .refuse(reply(.refused)) }
        let port = UInt16(pending[2]) << 8 | UInt16(pending[3])
        let address = pending[4..<8]
        var end = userEnd
        var host = address.map(String.init).joined(separator: ".")
        if address.prefix(3).allSatisfy({ $0 == 0 }), address.last != 0 {
            let start = userEnd + 1
            guard let nameEnd = pending.dropFirst(start).firstIndex(of: 0) else {
                return incomplete()
            }
            guard let name = Self.name(pending[start..<nameEnd]) else {
                return .refuse(reply(.refused))
            }
            host = name
            end = nameEnd
        }
        return accept(host, port, end: end + 1)
    }

    // MARK: Version 5 (RFC 1928 §3, §4)

    private mutating func greeting() -> Step {
        guard pending.count >= 2, pending.count >= 2 + Int(pending[1]) else { return incomplete() }
        let end = 2 + Int(pending[1])
        let takesNone = pending[2..<end].contains(0)
        pending.removeFirst(end)
        guard takesNone else { return .refuse([5, 0xff]) }
        phase = .request
        return .answer([5, 0])
    }

    private mutating func version5() -> Step {
        guard pending.count >= 5 else { return incomplete() }
        guard pending[0] == 5 else { return .refuse([]) }
        guard pending[1] == 1 else { return .refuse([5, 7, 0, 1, 0, 0, 0, 0, 0, 0]) }
        let start: Int
        let count: Int
        switch pending[3] {
        case 1: (start, count) = (4, 4)
        case 3: (start, count) = (5, Int(pending[4]))
        case 4: (start, count) = (4, 16)
        default: return .refuse([5, 8, 0, 1, 0, 0, 0, 0, 0, 0])
        }
        guard pending.count >= start + count + 2 else { return incomplete() }
        let address = pending[start..<start + count]
        let port = UInt16(pending[start + count]) << 8 | UInt16(pending[start + count + 1])
        let host: String
        switch pending[3] {
        case 1: host = address.map(String.init).joined(separator: ".")
        case 4: host = Self.ipv6(Array(address))
        default:
            guard let name = Self.name(address) else { return .refuse(reply(.refused)) }
            host = name
        }
        return accept(host, port, end: start + count + 2)
    }

    private mutating func accept(_ host: String, _ port: UInt16, end: Int) -> Step {
        pending.removeFirst(end)
        phase = .done
        return .connect(host: host, port: port)
    }

    private func incomplete() -> Step {
        pending.count >= Self.maximumBytes ? .refuse([]) : .needsMore
    }

    /// A host name; nil for what no resolver should see.
    private static func name(_ bytes: ArraySlice<UInt8>) -> String? {
        guard !bytes.isEmpty, bytes.count <= 255, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        return String(octets: bytes)
    }

    /// Eight groups, not shortened (RFC 4291 §2.2).
    private static func ipv6(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }
}
