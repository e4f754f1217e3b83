// SPDX-License-Identifier: Apache-2.0

/// The little arithmetic that writing RSA keys in other formats takes, on big-endian magnitudes.
///
/// Slow, and not constant-time: used where a person converts a key file, never to sign.
enum BigNumber {
    /// `number - 1`; zero stays zero.
    static func decremented(_ number: [UInt8]) -> [UInt8] {
        var result = number
        for index in result.indices.reversed() {
            if result[index] > 0 {
                result[index] -= 1
                return Magnitude.stripped(result)
            }
            result[index] = 0xff
        }
        return []
    }

    /// `number mod modulus`, bit by bit; zero for a modulus of zero.
    static func remainder(_ number: [UInt8], _ modulus: [UInt8]) -> [UInt8] {
        let divisor = limbs(modulus)
        guard divisor.contains(where: { $0 != 0 }) else { return [] }
        var rest = [UInt64](repeating: 0, count: divisor.count + 1)
        let padded = divisor + [0]
        for byte in number {
            for bit in stride(from: 7, through: 0, by: -1) {
                shiftLeft(&rest, carryIn: UInt64(byte >> UInt8(bit)) & 1)
                if !isLess(rest, padded) { subtract(&rest, padded) }
            }
        }
        return bytes(rest)
    }

    /// `first * second`.
    static func product(_ first: [UInt8], _ second: [UInt8]) -> [UInt8] {
        let first = limbs(first)
        let second = limbs(second)
        var result = [UInt64](repeating: 0, count: first.count + second.count)
        for (offset, factor) in second.enumerated() {
            var carry: UInt64 = 0
            for (index, limb) in first.enumerated() {
                let (high, low) = limb.multipliedFullWidth(by: factor)
                let (sum, overflow1) = low.addingReportingOverflow(carry)
                let (total, overflow2) = sum.addingReportingOverflow(result[index + offset])
                result[index + offset] = total
                carry = high &+ (overflow1 ? 1 : 0) &+ (overflow2 ? 1 : 0)
            }
            result[offset + first.count] = carry
        }
        return bytes(result)
    }

    /// `base ^ exponent mod modulus`.
    static func power(_ base: [UInt8], _ exponent: [UInt8], _ modulus: [UInt8]) -> [UInt8] {
        var result = remainder([1], modulus)
        for byte in exponent {
            for bit in stride(from: 7, through: 0, by: -1) {
                result = remainder(product(result, result), modulus)
                if byte >> UInt8(bit) & 1 == 1 {
                    result = remainder(product(result, base), modulus)
                }
            }
        }
        return result
    }

    /// Little-endian limbs.
    private static func limbs(_ number: [UInt8]) -> [UInt64] {
        var limbs = [UInt64](repeating: 0, count: (number.count + 7) / 8)
        for (index, byte) in number.reversed().enumerated() {
            limbs[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
        }
        return limbs
    }

    private static func bytes(_ limbs: [UInt64]) -> [UInt8] {
        var bytes: [UInt8] = []
        for limb in limbs.reversed() {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: limb >> UInt64(shift)))
            }
        }
        return Magnitude.stripped(bytes)
    }

    private static func shiftLeft(_ number: inout [UInt64], carryIn: UInt64) {
        var carry = carryIn
        for index in number.indices {
            let next = number[index] >> 63
            number[index] = number[index] << 1 | carry
            carry = next
        }
    }

    private static func isLess(_ first: [UInt64], _ second: [UInt64]) -> Bool {
        for index in first.indices.reversed() where first[index] != second[index] {
            return first[index] < second[index]
        }
        return false
    }

    private static func subtract(_ number: inout [UInt64], _ other: [UInt64]) {
        var borrow: UInt64 = 0
        for index in number.indices {
            let (once, first) = number[index].subtractingReportingOverflow(other[index])
            let (twice, second) = once.subtractingReportingOverflow(borrow)
            number[index] = twice
            borrow = first || second ? 1 : 0
        }
    }
}
