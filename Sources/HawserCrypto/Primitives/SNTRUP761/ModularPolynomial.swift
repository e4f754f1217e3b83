// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A polynomial of degree below 761 with coefficients modulo 4591, in Z[x]/(x^761 - x - 1).
struct ModularPolynomial {
    /// Coefficients from -2295 to 2295, lowest degree first.
    var coefficients: [Int16]

    static let modulus: Int32 = 4591
    private static let half: Int32 = 2295
    private static let degree = SmallPolynomial.degree
    static let roundedBytes = 1007

    // MARK: Arithmetic

    /// The value from -2295 to 2295 congruent to `value`, whose magnitude is below 2^30.
    @inline(__always)
    static func reduce(_ value: Int32) -> Int16 {
        // 58470 / 2^28 is 1 / 4591 to within 2^-29; the quotient is off by less than one.
        let quotient = Int32(
            truncatingIfNeeded: (Int64(value) &* 58470 &+ (1 << 27)) >> 28
        )
        var rest = value &- quotient &* modulus
        rest &-= modulus & ((half &- rest) >> 31)
        rest &+= modulus & ((rest &+ half) >> 31)
        return Int16(truncatingIfNeeded: rest)
    }

    /// The value -1, 0 or 1 congruent to `value` modulo 3; its magnitude is below 2^15.
    @inline(__always)
    static func modulo3(_ value: Int32) -> Int8 {
        let quotient = (value &* 21845 &+ 32768) >> 16
        var rest = value &- quotient &* 3
        rest &-= 3 & ((1 &- rest) >> 31)
        rest &+= 3 & ((rest &+ 1) >> 31)
        return Int8(truncatingIfNeeded: rest)
    }

    /// The product with a small polynomial.
    func multiplied(by small: SmallPolynomial) -> ModularPolynomial {
        let degree = Self.degree
        var wide = [Int32](repeating: 0, count: 2 * degree - 1)
        let factors = coefficients.map(Int32.init)
        for (index, sign) in small.coefficients.enumerated() {
            // Adds, subtracts or leaves alone, at the same cost.
            let minus = Int32(sign) >> 1
            let used = -(Int32(sign) & 1)
            for inner in 0..<degree {
                wide[index &+ inner] &+= ((factors[inner] & used) ^ minus) &- minus
            }
        }
        for index in stride(from: 2 * degree - 2, through: degree, by: -1) {
            wide[index - degree] &+= wide[index]
            wide[index - degree + 1] &+= wide[index]
        }
        return ModularPolynomial(coefficients: wide[0..<degree].map(Self.reduce))
    }

    func tripled() -> ModularPolynomial {
        ModularPolynomial(coefficients: coefficients.map { Self.reduce(Int32($0) &* 3) })
    }

    func modulo3() -> SmallPolynomial {
        SmallPolynomial(coefficients: coefficients.map { Self.modulo3(Int32($0)) })
    }

    /// Each coefficient moved to the nearest multiple of 3.
    func rounded() -> ModularPolynomial {
        ModularPolynomial(
            coefficients: coefficients.map { $0 &- Int16(Self.modulo3(Int32($0))) }
        )
    }

    // MARK: Inversion

    /// a * b / 2^16 modulo 4591, between -4591 and 4591 for |a * b| below 2^15 * 4591.
    @inline(__always)
    private static func montgomery(_ a: Int16, _ b: Int16) -> Int16 {
        let product = Int32(a) &* Int32(b)
        let low = Int16(truncatingIfNeeded: product) &* 15631  // 1 / 4591 modulo 2^16
        let high = Int16(truncatingIfNeeded: product >> 16)
        let correction = Int16(truncatingIfNeeded: (Int32(low) &* modulus) >> 16)
        return high &- correction
    }

    /// 1 / (3 * small), by the division steps described at `SmallPolynomial`. The modulus of the
    /// ring is irreducible, so every non-zero polynomial has an inverse.
    static func reciprocalOfTriple(_ small: SmallPolynomial) -> ModularPolynomial {
        var f = [Int16](repeating: 0, count: degree + 1)
        f[0] = 1
        f[degree - 1] = -1
        f[degree] = -1
        var g = [Int16](repeating: 0, count: degree + 1)
        for index in 0..<degree { g[degree - 1 - index] = Int16(small.coefficients[index]) }
        var v = [Int16](repeating: 0, count: degree + 1)
        var r = v
        r[0] = reciprocal(3)
        var delta = 1
        // Each step divides g and r alike by 2^16, so their ratio stays what it must be; values
        // stay between -9182 and 9182.
        for _ in 0..<2 * degree - 1 {
            for index in stride(from: degree, to: 0, by: -1) { v[index] = v[index - 1] }
            v[0] = 0
            let first = Int32(reduce(Int32(g[0])))
            let nonZero = Int((first | -first) >> 31)
            let swap = (-delta >> (Int.bitWidth - 1)) & nonZero
            delta ^= swap & (delta ^ -delta)
            delta += 1
            let mask = Int16(truncatingIfNeeded: swap)
            exchange(&f, &g, where: mask)
            exchange(&v, &r, where: mask)
            let f0 = f[0]
            let g0 = g[0]
            combine(&g, f, f0, g0)
            combine(&r, v, f0, g0)
            for index in 0..<degree { g[index] = g[index &+ 1] }
            g[degree] = 0
        }
        let scale = Int32(reciprocal(reduce(Int32(f[0]))))
        return ModularPolynomial(
            coefficients: (0..<degree).map {
                reduce(scale &* Int32(reduce(Int32(v[degree - 1 - $0]))))
            }
        )
    }

    private static func combine(_ target: inout [Int16], _ other: [Int16], _ f0: Int16, _ g0: Int16)
    {
        precondition(target.count == other.count)
        for index in target.indices {
            target[index] = montgomery(f0, target[index]) &- montgomery(g0, other[index])
        }
    }

    private static func exchange(
        _ first: inout [Int16],
        _ second: inout [Int16],
        where mask: Int16
    ) {
        precondition(first.count == second.count)
        for index in first.indices {
            let change = (first[index] ^ second[index]) & mask
            first[index] ^= change
            second[index] ^= change
        }
    }

    /// The inverse of a coefficient, by Fermat: its power 4589.
    private static func reciprocal(_ value: Int16) -> Int16 {
        var result: Int16 = 1
        for bit in stride(from: 12, through: 0, by: -1) {
            result = reduce(Int32(result) &* Int32(result))
            if 4589 >> bit & 1 == 1 { result = reduce(Int32(result) &* Int32(value)) }
        }
        return result
    }

    // MARK: Encoding

    init(coefficients: [Int16]) {
        self.coefficients = coefficients
    }

    init(encoding: [UInt8]) {
        coefficients = MixedRadix.decode(
            encoding,
            modulus: UInt32(Self.modulus),
            count: Self.degree
        )
        .map { Int16(Int32($0) - Self.half) }
    }

    func encoded() -> [UInt8] {
        MixedRadix.encode(
            coefficients.map { UInt32(Int32($0) + Self.half) },
            modulus: UInt32(Self.modulus)
        )
    }

    /// From thirds: the coefficients are multiples of 3.
    init(roundedEncoding: [UInt8]) {
        coefficients = MixedRadix.decode(roundedEncoding, modulus: 1531, count: Self.degree)
            .map { Int16(Int32($0) * 3 - Self.half) }
    }

    func roundedEncoding() -> [UInt8] {
        MixedRadix.encode(
            coefficients.map { (UInt32(Int32($0) + Self.half) &* 10923) >> 15 },
            modulus: 1531
        )
    }
}
