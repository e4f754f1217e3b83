// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserWire

/// The network that an address belongs to, as far as limits of one source go
/// (`PerSourceNetBlockSize`).
package struct SourceBlock: Hashable, Sendable {
    /// The address with the bits behind the mask zero.
    let network: [UInt8]
    let bits: Int

    /// Nil for what is no address.
    package init?(_ address: String, ipv4Bits: Int, ipv6Bits: Int) {
        let text = address.prefix { $0 != "%" }
        guard var bytes = NumericAddress.bytes(of: String(text)) else { return nil }
        bits = max(0, min(bytes.count * 8, bytes.count == 4 ? ipv4Bits : ipv6Bits))
        for index in bytes.indices {
            let kept = max(0, min(8, bits - index * 8))
            bytes[index] &= kept == 0 ? 0 : UInt8(truncatingIfNeeded: 0xff << (8 - kept))
        }
        network = bytes
    }

    var isIPv4: Bool { network.count == 4 }

    /// `192.0.2.0/24`
    package var text: String {
        let address: String
        if isIPv4 {
            address = network.map(String.init).joined(separator: ".")
        } else {
            address = stride(from: 0, to: 16, by: 2).map {
                String(UInt16(network[$0]) << 8 | UInt16(network[$0 + 1]), radix: 16)
            }.joined(separator: ":")
        }
        return "\(address)/\(bits)"
    }
}

/// What a client did that may be an attack.
package enum Offence: String, CaseIterable, Sendable {
    case crash
    case authenticationFailed = "authfail"
    case noAuthentication = "noauth"
    case invalidUser = "invaliduser"
    case graceExceeded = "grace-exceeded"
    case refusedConnection = "refuseconnection"

    /// The words of the log.
    package var text: String {
        switch self {
        case .crash: "caused crash"
        case .authenticationFailed: "failed authentication"
        case .noAuthentication: "connections without attempting authentication"
        case .invalidUser: "attempted authentication by invalid user"
        case .graceExceeded: "exceeded LoginGraceTime"
        case .refusedConnection: "connection prohibited by RefuseConnection"
        }
    }
}

/// How long offences keep a source out: `PerSourcePenalties`. Milliseconds.
package struct PenaltyRules: Equatable, Sendable {
    package var isOn = true
    var durations: [Offence: Int] = [
        .crash: 90_000, .authenticationFailed: 5_000, .noAuthentication: 1_000,
        .invalidUser: 5_000, .graceExceeded: 10_000, .refusedConnection: 10_000,
    ]
    var maximum = 600_000
    /// Below this nothing happens.
    var minimum = 15_000
    /// How many sources are remembered.
    var sources4 = 65536
    var sources6 = 65536
    /// With so many, everybody is refused rather than the earliest forgotten.
    var refusesOverflow4 = false
    var refusesOverflow6 = false

    /// Words `name:value`, `yes` or `no`. What cannot be understood changes nothing.
    package init(_ words: [String]) {
        if words.isEmpty || words.contains("no") { isOn = false }
        var hasOverflow6 = false
        for word in words {
            let parts = word.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            let (name, value) = (parts[0].lowercased(), parts[1])
            switch name {
            case "max": maximum = Self.time(value) ?? maximum
            case "min": minimum = Self.time(value) ?? minimum
            case "max-sources4": sources4 = Int(value).map { max(1, $0) } ?? sources4
            case "max-sources6": sources6 = Int(value).map { max(1, $0) } ?? sources6
            case "overflow":
                refusesOverflow4 = value == "deny-all"
                if !hasOverflow6 { refusesOverflow6 = refusesOverflow4 }
            case "overflow6":
                refusesOverflow6 = value == "deny-all"
                hasOverflow6 = true
            default:
                guard let offence = Offence(rawValue: name) else { continue }
                durations[offence] = Self.time(value) ?? durations[offence]
            }
        }
    }
}

extension PenaltyRules {
    /// Seconds, which may have a fraction, or a time of sshd_config(5).
    private static func time(_ text: String) -> Int? {
        if let seconds = TimeSpan.seconds(text) { return min(seconds, 1 << 31) * 1000 }
        let digits = text.hasSuffix("s") ? String(text.dropLast()) : text
        return Double(digits).flatMap { Int(exactly: ($0 * 1000).rounded()) }
    }
}

/// The sources that are kept out, and until when. Times are milliseconds of a clock that only goes on.
package struct SourcePenalties: Equatable, Sendable {
    package var rules: PenaltyRules
    /// Addresses that are never kept out (`PerSourcePenaltyExemptList`).
    package var exempt: [String]
    private var sources: [SourceBlock: Penalty] = [:]

    private struct Penalty: Equatable {
        /// When it is over.
        var end: Int
        /// The source is kept out: it has reached the minimum.
        var isActive: Bool
        var offence: Offence
    }

    package init(_ rules: PenaltyRules, exempt: [String]) {
        self.rules = rules
        self.exempt = exempt
    }

    /// How many sources are remembered.
    package var count: Int { sources.count }

    /// Adds an offence to a source's account. Returns a line for the log when that keeps it out
    /// from now on.
    package mutating func add(
        _ offence: Offence,
        from source: SourceBlock,
        address: String,
        at now: Int
    ) -> String? {
        guard rules.isOn, let duration = rules.durations[offence], duration > 0, !isExempt(address)
        else { return nil }
        forgetOver(now)
        var penalty = sources[source] ?? Penalty(end: now, isActive: false, offence: offence)
        if sources[source] == nil, !makeRoom(for: source) { return nil }
        penalty.end = min(max(penalty.end, now) + duration, now + rules.maximum)
        penalty.offence = offence
        let wasActive = penalty.isActive
        if penalty.end - now >= rules.minimum { penalty.isActive = true }
        sources[source] = penalty
        guard penalty.isActive, !wasActive else { return nil }
        return "srclimit_penalise: \(source.text): activating \(source.isIPv4 ? "ipv4" : "ipv6") "
            + "penalty of \((penalty.end - now) / 1000) seconds for penalty: \(offence.text)"
    }

    /// Why a source is kept out now, as the log says it; nil when it is not.
    package mutating func refusal(of source: SourceBlock, address: String, at now: Int) -> String? {
        guard rules.isOn, !isExempt(address) else { return nil }
        if let penalty = sources[source] {
            if penalty.end <= now {
                sources[source] = nil
            } else if penalty.isActive {
                return "penalty: \(penalty.offence.text)"
            }
        }
        let refusesOverflow = source.isIPv4 ? rules.refusesOverflow4 : rules.refusesOverflow6
        if refusesOverflow, sources[source] == nil {
            forgetOver(now)
            if count(isIPv4: source.isIPv4) >= limit(source) {
                return "penalty: too many penalties"
            }
        }
        return nil
    }

    private func isExempt(_ address: String) -> Bool {
        !exempt.isEmpty && AddressPatterns.verdict(exempt, address) == true
    }

    private mutating func forgetOver(_ now: Int) {
        guard sources.contains(where: { $0.value.end <= now }) else { return }
        sources = sources.filter { $0.value.end > now }
    }

    private func count(isIPv4: Bool) -> Int {
        sources.keys.reduce(0) { $0 + ($1.isIPv4 == isIPv4 ? 1 : 0) }
    }

    private func limit(_ source: SourceBlock) -> Int {
        source.isIPv4 ? rules.sources4 : rules.sources6
    }

    /// Forgets who would be let in soonest when there are too many. False: there is no room.
    private mutating func makeRoom(for source: SourceBlock) -> Bool {
        guard sources.count >= limit(source), count(isIPv4: source.isIPv4) >= limit(source) else {
            return true
        }
        if source.isIPv4 ? rules.refusesOverflow4 : rules.refusesOverflow6 { return false }
        let family = sources.filter { $0.key.isIPv4 == source.isIPv4 }
        if let first = family.min(by: { $0.value.end < $1.value.end }) { sources[first.key] = nil }
        return true
    }
}
