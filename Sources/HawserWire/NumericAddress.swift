// SPDX-License-Identifier: Apache-2.0

/// Numeric addresses, and networks in CIDR notation, as configurations and certificates have them.
package enum NumericAddress {
    /// Whether an entry is a network whose address has bits behind its mask, or an impossible mask.
    package static func isInconsistent(_ entry: String) -> Bool {
        let pattern = entry.hasPrefix("!") ? String(entry.dropFirst()) : entry
        guard let slash = pattern.firstIndex(of: "/") else { return false }
        guard let bits = Int(pattern[pattern.index(after: slash)...]),
            let network = bytes(of: String(pattern[..<slash])),
            (0...network.count * 8).contains(bits)
        else { return true }
        return (bits..<network.count * 8).contains { bit in
            network[bit / 8] & UInt8(0x80) >> UInt8(bit % 8) != 0
        }
    }

    /// The four or sixteen bytes of a numeric address, or nil.
    package static func bytes(of text: String) -> [UInt8]? {
        text.contains(":") ? ipv6(text) : ipv4(text[...])
    }

    private static func ipv4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var result: [UInt8] = []
        for part in parts {
            guard part.count <= 3, part.first != "+", let value = UInt8(part) else { return nil }
            result.append(value)
        }
        return result
    }

    private static func ipv6(_ text: String) -> [UInt8]? {
        let address = text.prefix { $0 != "%" }
        let sides = address.components(around: "::")
        guard sides.count <= 2 else { return nil }
        var groups: [[UInt8]] = []
        for side in sides {
            var bytes: [UInt8] = []
            for part in side.split(separator: ":", omittingEmptySubsequences: true) {
                if part.contains(".") {
                    guard let four = ipv4(part) else { return nil }
                    bytes += four
                } else {
                    guard part.count <= 4, let value = UInt16(part, radix: 16) else { return nil }
                    bytes += [UInt8(value >> 8), UInt8(value & 0xff)]
                }
            }
            groups.append(bytes)
        }
        if groups.count == 1 { return groups[0].count == 16 ? groups[0] : nil }
        let missing = 16 - groups[0].count - groups[1].count
        guard missing >= 0 else { return nil }
        return groups[0] + [UInt8](repeating: 0, count: missing) + groups[1]
    }

    /// The address of `address/bits`, or of an address alone; nil for what is neither.
    package static func bytes(ofNetwork text: String) -> [UInt8]? {
        let entry = text.hasPrefix("!") ? String(text.dropFirst()) : text
        guard !isInconsistent(entry) else { return nil }
        return bytes(of: String(entry.prefix { $0 != "/" }))
    }
}

extension Substring {
    /// The parts on both sides of a separator.
    fileprivate func components(around separator: String) -> [Substring] {
        var parts: [Substring] = []
        var start = startIndex
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(separator) {
                parts.append(self[start..<index])
                index = self.index(index, offsetBy: separator.count)
                start = index
            } else {
                index = self.index(after: index)
            }
        }
        return parts + [self[start...]]
    }
}
