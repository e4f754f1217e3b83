// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Numbers below a common modulus as few bytes (NTRU Prime, round 3, §4.5: `Encode`, `Decode`).
///
/// Neighbours are joined pairwise into numbers below the product of their moduli, giving away low
/// bytes while that is 2^14 or more, until one is left.
enum MixedRadix {
    private static let limit: UInt32 = 1 << 14

    static func encode(_ values: [UInt32], modulus: UInt32) -> [UInt8] {
        var values = values
        var moduli = [UInt32](repeating: modulus, count: values.count)
        var bytes: [UInt8] = []
        while values.count > 1 {
            var joined: [UInt32] = []
            var joinedModuli: [UInt32] = []
            for index in stride(from: 0, to: values.count - 1, by: 2) {
                var value = values[index] + moduli[index] * values[index + 1]
                var range = moduli[index] * moduli[index + 1]
                while range >= limit {
                    bytes.append(UInt8(truncatingIfNeeded: value))
                    value >>= 8
                    range = (range + 255) >> 8
                }
                joined.append(value)
                joinedModuli.append(range)
            }
            if values.count % 2 == 1 {
                joined.append(values[values.count - 1])
                joinedModuli.append(moduli[values.count - 1])
            }
            values = joined
            moduli = joinedModuli
        }
        var value = values[0]
        var range = moduli[0]
        while range > 1 {
            bytes.append(UInt8(truncatingIfNeeded: value))
            value >>= 8
            range = (range + 255) >> 8
        }
        return bytes
    }

    /// The `count` numbers in `bytes`; whatever the bytes are, each is below `modulus`. Bytes that
    /// are missing count as zero.
    static func decode(_ bytes: [UInt8], modulus: UInt32, count: Int) -> [UInt32] {
        decode(bytes, from: 0, [UInt32](repeating: modulus, count: count))
    }

    private static func decode(_ bytes: [UInt8], from start: Int, _ moduli: [UInt32]) -> [UInt32] {
        var next = start
        func nextByte() -> UInt32 {
            defer { next += 1 }
            return next < bytes.count ? UInt32(bytes[next]) : 0
        }
        if moduli.count == 1 {
            var value: UInt32 = 0
            var shift: UInt32 = 0
            var range = moduli[0]
            while range > 1 {
                value |= nextByte() << shift
                shift += 8
                range = (range + 255) >> 8
            }
            return [divide(value, by: moduli[0]).rest]
        }
        var low: [(value: UInt32, shift: UInt32)] = []
        var joinedModuli: [UInt32] = []
        for index in stride(from: 0, to: moduli.count - 1, by: 2) {
            var value: UInt32 = 0
            var shift: UInt32 = 0
            var range = moduli[index] * moduli[index + 1]
            while range >= limit {
                value |= nextByte() << shift
                shift += 8
                range = (range + 255) >> 8
            }
            low.append((value, shift))
            joinedModuli.append(range)
        }
        if moduli.count % 2 == 1 { joinedModuli.append(moduli[moduli.count - 1]) }
        let joined = decode(bytes, from: next, joinedModuli)
        var values: [UInt32] = []
        values.reserveCapacity(moduli.count)
        for (pair, part) in low.enumerated() {
            let value = part.value &+ joined[pair] << part.shift
            let first = divide(value, by: moduli[2 * pair])
            values.append(first.rest)
            values.append(divide(first.quotient, by: moduli[2 * pair + 1]).rest)
        }
        if moduli.count % 2 == 1 { values.append(joined[joined.count - 1]) }
        return values
    }

    /// Division whose time depends on the divisor alone (the processor's own does not promise that).
    @inline(__always)
    private static func divide(
        _ value: UInt32,
        by divisor: UInt32
    ) -> (quotient: UInt32, rest: UInt32) {
        let reciprocal = (UInt64(1) << 32) / UInt64(divisor)
        var quotient = UInt32(truncatingIfNeeded: (UInt64(value) &* reciprocal) >> 32)
        var rest = value &- quotient &* divisor
        // All ones when one divisor is still in the rest.
        let more = UInt32(
            truncatingIfNeeded: (Int64(divisor) - 1 - Int64(rest)) >> 63
        )
        rest &-= divisor & more
        quotient &-= more
        return (quotient, rest)
    }
}
