// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// The addresses of a range such as `192.0.2.0/28`, one after the other (RFC 4632).
struct AddressRange: Sequence, IteratorProtocol {
    private var template: [UInt8]
    /// Where the address is in the C structure.
    private let field: Range<Int>
    private let last: [UInt8]
    private var isDone = false

    /// A single address or a range whose host bits are zero; nil for a host's name.
    init?(_ text: String, family: Resolver.Family) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard
            let address = try? Resolver.addresses(
                of: String(parts[0]),
                port: "0",
                family: family,
                isNumeric: true
            ).first
        else { return nil }
        template = address.bytes
        field = address.isIPv6 ? 8..<24 : 4..<8
        guard template.count >= field.upperBound else { return nil }
        let bits = field.count * 8
        var prefixBits = bits
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...bits).contains(number) else { return nil }
            prefixBits = number
        }
        var last = Array(template[field])
        for index in last.indices {
            let networkBits = Swift.min(8, Swift.max(0, prefixBits - 8 * index))
            let hostMask = UInt8(truncatingIfNeeded: 0xff >> networkBits)
            guard last[index] & hostMask == 0 else { return nil }
            last[index] |= hostMask
        }
        self.last = last
    }

    mutating func next() -> SocketAddress? {
        if isDone { return nil }
        let address = SocketAddress(bytes: template)
        if template[field].elementsEqual(last) {
            isDone = true
        } else {
            // The next number, carried from the last byte on.
            for index in field.reversed() {
                template[index] &+= 1
                if template[index] != 0 { break }
            }
        }
        return address
    }
}
