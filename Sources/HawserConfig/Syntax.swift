// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The forms of values that several keywords share. Each gives nil for what it cannot read.
package enum Syntax {
    package static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "yes", "true": true
        case "no", "false": false
        default: nil
        }
    }

    /// A size in bytes: `1024`, `64K`, `1G`.
    package static func bytes(_ text: String) -> UInt64? {
        var digits = text
        var factor: UInt64 = 1
        if let last = text.last,
            let scale = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30][
                last.lowercased()
            ] as UInt64?
        {
            factor = scale
            digits.removeLast()
        }
        guard let number = UInt64(digits) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }

    package static func port(_ text: String) -> UInt16? {
        guard let port = UInt16(text), port > 0 else { return nil }
        return port
    }

    package static let logLevels = [
        "SILENT", "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2",
        "DEBUG3",
    ]

    package static let logFacilities = [
        "DAEMON", "USER", "AUTH", "AUTHPRIV", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4",
        "LOCAL5", "LOCAL6", "LOCAL7",
    ]

    /// An escape character as `-e` takes it and as `ssh -G` shows it, which may be taken again.
    package static func escapeCharacter(_ text: String) -> String? {
        var bytes = text.octets
        if bytes.first == UInt8(ascii: "\\"), bytes.count > 1 { bytes.removeFirst() }
        if text == "none" { return text }
        if bytes.count == 1 { return text.octets.count == 1 ? text : nil }
        guard bytes.count == 2, bytes[0] == UInt8(ascii: "^"), (64..<127).contains(bytes[1])
        else { return nil }
        // A control character, by the letter it is typed with.
        return "\\^" + String(UnicodeScalar(bytes[1] & 0x1f | 0x40))
    }

    /// `local[:remote]` with both in it.
    package static func tunnelDevice(_ text: String) -> String? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        func isUnit(_ part: String) -> Bool {
            part == "any" || (UInt32(part).map { $0 <= 0x7fff_fffd } ?? false)
        }
        guard (1...2).contains(parts.count), parts.allSatisfy(isUnit) else { return nil }
        return parts.count == 2 ? text : text + ":any"
    }
}

extension Syntax {
    /// `list` as an edit of `defaults`: `+` appends, `-` removes by pattern, `^` moves to the front;
    /// else it stands for itself, its patterns expanded over `known`. Nil for an unknown name.
    package static func algorithms(
        _ list: String,
        defaults: [String],
        known: [String]
    ) -> [String]? {
        let names = AlgorithmNames(offered: defaults, all: known)
        return names.isValid(list, allowsPatterns: true) ? names.resolved(list) : nil
    }
}
