// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The value of `PerSourcePenalties`: how long sources that misbehave are refused.
package enum Penalties {
    /// The keywords, their defaults, and whether the value is a time.
    private static let parts: [(name: String, initial: String, kind: Kind)] = [
        ("crash", "90", .time), ("authfail", "5", .time), ("noauth", "1", .time),
        ("invaliduser", "5", .time), ("grace-exceeded", "10", .time),
        ("refuseconnection", "10", .time), ("max", "600", .time), ("min", "15", .time),
        ("max-sources4", "65536", .count), ("max-sources6", "65536", .count),
        ("overflow", "permissive", .mode), ("overflow6", "", .mode),
    ]

    private enum Kind { case time, count, mode }

    /// Every part in its order; `no` where there are none to be.
    static func values(_ words: [String]) throws(ValueMistake) -> [String] {
        if words.count == 1, let flag = Syntax.flag(words[0]) {
            return [flag ? shown([:]) : "no"]
        }
        var said: [String: String] = [:]
        for word in words {
            let pair = word.utf8.split(
                separator: UInt8(ascii: ":"),
                maxSplits: 1,
                omittingEmptySubsequences: false
            ).map { String(Substring($0)) }
            guard pair.count == 2, let part = parts.first(where: { $0.name == pair[0] }),
                let value = canonical(pair[1], part.kind)
            else { throw ValueMistake("invalid PerSourcePenalties value \(word)") }
            if said[part.name] == nil { said[part.name] = value }
        }
        guard !words.isEmpty else { throw ValueMistake("Missing PerSourcePenalties argument.") }
        return [shown(said)]
    }

    private static func shown(_ said: [String: String]) -> String {
        parts.map { part in
            let initial = part.initial.isEmpty ? said["overflow"] ?? "permissive" : part.initial
            return "\(part.name):\(said[part.name] ?? initial)"
        }.joined(separator: " ")
    }

    /// A time may have a fraction (`0.5s`), which is kept as it is.
    private static func canonical(_ text: String, _ kind: Kind) -> String? {
        switch kind {
        case .time:
            if let seconds = TimeSpan.seconds(text) { return "\(seconds)" }
            let digits = text.hasSuffix("s") ? text.dropLast() : text[...]
            let sides = digits.split(separator: ".", omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[1].isEmpty,
                sides.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
                Int(sides[0].isEmpty ? "0" : sides[0]) != nil
            else { return nil }
            return String(digits)
        case .count: return Int(text).flatMap { $0 > 0 ? "\($0)" : nil }
        case .mode: return ["permissive", "deny-all"].contains(text) ? text : nil
        }
    }
}
