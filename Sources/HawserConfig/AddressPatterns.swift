// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Lists of addresses with wildcards, negation and CIDR (`Match Address`, `from=`).
package enum AddressPatterns {
    /// Whether a list with commas names a host by its name or its address (`from=`, the host of
    /// `AllowUsers`). A negated entry that fits either keeps out whatever else fits. Nil for a list
    /// that cannot be read; whoever asks decides for caution.
    ///
    /// - Parameter host: nil when the name is not known; the address stands for it then.
    package static func contains(_ list: String, host: String?, address: String) -> Bool? {
        guard let entries = entries(list) else { return nil }
        let byAddress = verdict(entries, address)
        let byName = Patterns.verdict(
            entries.map { $0.lowercased() },
            (host ?? address).lowercased()
        )
        if byAddress == false || byName == false { return false }
        return byAddress == true || byName == true
    }

    /// The entries of a list with commas; nil when one is empty or a network that cannot be.
    package static func entries(_ list: String) -> [String]? {
        let entries = list.utf8.split(
            separator: UInt8(ascii: ","),
            omittingEmptySubsequences: false
        ).map { String(Substring($0)) }
        let isReadable = entries.allSatisfy {
            !$0.isEmpty && $0 != "!" && !NumericAddress.isInconsistent($0)
        }
        return isReadable ? entries : nil
    }

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
