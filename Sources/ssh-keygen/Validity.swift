// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// When a certificate is valid, in seconds since 1970, as `-V` says it and `-L` shows it.
struct Validity {
    /// Valid from this second on.
    var after: UInt64 = 0
    /// Not valid any more from this second on.
    var before: UInt64 = .max

    /// Always.
    init() {}

    init(of certificate: Certificate) {
        after = certificate.validAfter
        before = certificate.validBefore
    }

    /// `+interval`, or `from:to`; leaves the program when it makes no sense.
    init(_ text: String, now: UInt64) {
        guard let colon = text.firstIndex(of: ":") else {
            guard text.hasPrefix("+") else {
                fatal("Invalid certificate life specification \(text)")
            }
            guard let seconds = Self.seconds(text.dropFirst()) else {
                fatal("Invalid relative certificate life \(text)")
            }
            // A minute or two earlier, for clocks that are behind.
            after = now > 59 ? (now - 59) / 60 * 60 : 0
            before = Self.sum(now, seconds)
            return
        }
        let (from, to) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
        guard !from.isEmpty, !to.isEmpty else {
            fatal("Invalid certificate life specification \(text)")
        }
        after =
            from == "always"
            ? 0 : Self.time(from, now) ?? fatal("Invalid from time \"\(from)\"")
        before =
            to == "forever"
            ? .max : Self.time(to, now) ?? fatal("Invalid to time \"\(to)\"")
        if before <= after { fatal("Empty certificate validity interval") }
    }

    /// A moment: relative, a date, or a hexadecimal number.
    private static func time(_ text: String, _ now: UInt64) -> UInt64? {
        switch text.utf8.first {
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard let seconds = seconds(text.dropFirst()) else {
                fatal("Invalid relative certificate time \(text)")
            }
            if text.hasPrefix("+") { return sum(now, seconds) }
            return now > seconds ? now - seconds : 0
        case UInt8(ascii: "0") where text.asciiLowercased.hasPrefix("0x"):
            guard let number = UInt64(text.dropFirst(2), radix: 16) else {
                fatal("Invalid certificate time: not a number")
            }
            return number
        default:
            return TimeSpecification(text).flatMap { World.seconds($0) }
        }
    }

    private static func seconds(_ text: Substring) -> UInt64? {
        TimeSpan.seconds(String(text)).flatMap { UInt64(exactly: $0) }
    }

    private static func sum(_ now: UInt64, _ seconds: UInt64) -> UInt64 {
        let (sum, overflow) = now.addingReportingOverflow(seconds)
        return overflow ? .max : sum
    }

    /// As OpenSSH tells it: `forever`, `from … to …`, `before …`, `after …`.
    var text: String {
        switch (after, before) {
        case (0, .max): "forever"
        case (0, _): "before \(World.timestamp(before))"
        case (_, .max): "after \(World.timestamp(after))"
        default: "from \(World.timestamp(after)) to \(World.timestamp(before))"
        }
    }
}

/// `a ?? fatal(…)`.
private func ?? (value: UInt64?, leave: @autoclosure () -> Never) -> UInt64 {
    if let value { return value }
    leave()
}
