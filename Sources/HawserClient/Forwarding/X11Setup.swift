// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The first bytes of an X client (X Window System Protocol §8): they hold its cookie.
///
/// A server that passes X connections on knows only a cookie of ours; the display's own is put in
/// its place here.
package struct X11Setup {
    private var bytes: [UInt8] = []

    package enum Outcome: Equatable {
        case needsMore
        /// Send this to the display.
        case accepted([UInt8])
        case rejected
    }

    /// The longest name of a protocol, and the longest cookie, in bytes.
    private static let maximumBytes = 256

    package init() {}

    package mutating func append(_ more: [UInt8]) { bytes += more }

    /// Whether the client knows `fake`; if so, what it says with `real` in its place.
    package func checked(name: String, fake: [UInt8], real: [UInt8]) -> Outcome {
        guard bytes.count >= 12 else { return .needsMore }
        let isBig: Bool
        switch bytes[0] {
        case UInt8(ascii: "B"): isBig = true
        case UInt8(ascii: "l"): isBig = false
        default: return .rejected
        }
        func number(at offset: Int) -> Int {
            isBig
                ? Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
                : Int(bytes[offset + 1]) << 8 | Int(bytes[offset])
        }
        let nameBytes = number(at: 6)
        let cookieBytes = number(at: 8)
        guard nameBytes <= Self.maximumBytes, cookieBytes <= Self.maximumBytes else {
            return .rejected
        }
        let cookieStart = 12 + Self.padded(nameBytes)
        let end = cookieStart + Self.padded(cookieBytes)
        guard bytes.count >= end else { return .needsMore }
        guard bytes[12..<12 + nameBytes].elementsEqual(name.utf8),
            ConstantTime.equal(Array(bytes[cookieStart..<cookieStart + cookieBytes]), fake)
        else { return .rejected }
        var result = Array(bytes[..<cookieStart])
        result[isBig ? 8 : 9] = UInt8(truncatingIfNeeded: real.count >> 8)
        result[isBig ? 9 : 8] = UInt8(truncatingIfNeeded: real.count)
        result += real
        result += [UInt8](repeating: 0, count: Self.padded(real.count) - real.count)
        result += bytes[end...]
        return .accepted(result)
    }

    private static func padded(_ count: Int) -> Int { (count + 3) & ~3 }
}
