// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Lists of addresses with wildcards, negation and CIDR (`Match Address`, `from=`).
package enum AddressPatterns {
    /// True when an entry matches, false when a negated one does, nil when none does.
    package static func verdict(_ list: [String], _ address: String?) -> Bool? {
        guard let address else { return nil }
        var found: Bool?
        for entry in list {
            let isNegated = entry.hasPrefix("!")
            let pattern = isNegated ? String(entry.dropFirst()) : entry
            guard matches(pattern, address) else { continue }
            if isNegated { return false }
            found = true
        }
        return found
    }

    private static func matches(_ pattern: String, _ address: String) -> Bool {
        guard let slash = pattern.firstIndex(of: "/") else {
            if let wanted = NumericAddress.bytes(of: pattern),
                let actual = NumericAddress.bytes(of: address)
            {
                return wanted == actual
            }
            return Patterns.matches(pattern.lowercased(), address.lowercased())
        }
        guard let bits = Int(pattern[pattern.index(after: slash)...]),
            let network = NumericAddress.bytes(of: String(pattern[..<slash])),
            let actual = NumericAddress.bytes(of: address),
            network.count == actual.count, (0...network.count * 8).contains(bits)
        else { return false }
        return (0..<bits).allSatisfy { bit in
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            return network[bit / 8] & mask == actual[bit / 8] & mask
        }
    }
}
