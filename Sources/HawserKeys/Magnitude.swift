// SPDX-License-Identifier: Apache-2.0

/// Public non-negative numbers as big-endian bytes; none of this is constant-time.
package enum Magnitude {
    /// The position of the highest bit that is set, from one; zero for zero.
    package static func bits(_ magnitude: [UInt8]) -> Int {
        guard let first = magnitude.firstIndex(where: { $0 != 0 }) else { return 0 }
        return (magnitude.count - first) * 8 - magnitude[first].leadingZeroBitCount
    }

    package static func isLess(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        let first = first.drop(while: { $0 == 0 })
        let second = second.drop(while: { $0 == 0 })
        if first.count != second.count { return first.count < second.count }
        return first.lexicographicallyPrecedes(second)
    }

    /// The number in exactly `count` bytes, or nil when it does not fit.
    static func padded(_ magnitude: [UInt8], to count: Int) -> [UInt8]? {
        let significant = magnitude.drop(while: { $0 == 0 })
        guard significant.count <= count else { return nil }
        return [UInt8](repeating: 0, count: count - significant.count) + significant
    }

    static func stripped(_ magnitude: [UInt8]) -> [UInt8] {
        [UInt8](magnitude.drop(while: { $0 == 0 }))
    }
}
