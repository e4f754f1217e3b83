// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// A polynomial of degree below 761 whose coefficients are -1, 0 or 1, in Z[x]/(x^761 - x - 1).
struct SmallPolynomial {
    /// Coefficients, lowest degree first.
    var coefficients: [Int8]

    static let degree = 761
    /// Non-zero coefficients of a short polynomial.
    static let weight = 286
    static let encodedBytes = 191

    /// Uniformly random coefficients (nearly: 2^-30 off).
    static func random(_ random: any RandomSource) -> SmallPolynomial {
        SmallPolynomial(
            coefficients: randomWords(random).map {
                Int8(truncatingIfNeeded: (($0 & 0x3fff_ffff) &* 3) >> 30) &- 1
            }
        )
    }

    /// A random polynomial with exactly `weight` non-zero coefficients: signs and zeros, put into
    /// the order of random numbers.
    static func randomShort(_ random: any RandomSource) -> SmallPolynomial {
        var words = randomWords(random)
        for index in 0..<degree {
            words[index] = index < weight ? words[index] & ~1 : words[index] & ~3 | 1
        }
        sort(&words)
        return SmallPolynomial(
            coefficients: words.map { Int8(truncatingIfNeeded: $0 & 3) &- 1 }
        )
    }

    private static func randomWords(_ random: any RandomSource) -> [UInt32] {
        var bytes = [UInt8](repeating: 0, count: degree * 4)
        var target = bytes.mutableRawBytes
        random.fill(&target)
        return (0..<degree).map { bytes.rawBytes.bigEndianUInt32(at: $0 * 4) }
    }

    /// Sorts by a fixed network (Knuth, volume 3, algorithm 5.2.2M), whatever the values.
    private static func sort(_ words: inout [UInt32]) {
        let count = words.count
        var top = 1
        while top < count - top { top *= 2 }
        var p = top
        while p > 0 {
            var (q, r, distance) = (top, 0, p)
            while true {
                for index in 0..<(count - distance) where index & p == r {
                    let low = words[index]
                    let high = words[index + distance]
                    // All ones where they must change places.
                    let mask = UInt32(
                        truncatingIfNeeded: (Int64(high) &- Int64(low)) >> 63
                    )
                    let change = (low ^ high) & mask
                    words[index] = low ^ change
                    words[index + distance] = high ^ change
                }
                guard q != p else { break }
                distance = q - p
                q /= 2
                r = p
            }
            p /= 2
        }
    }

    // MARK: Encoding: four coefficients plus one in each byte, lowest bits first

    init(coefficients: [Int8]) {
        self.coefficients = coefficients
    }

    init(encoded: [UInt8]) {
        coefficients = (0..<Self.degree).map { index in
            Int8(truncatingIfNeeded: encoded[index / 4] >> UInt8(index % 4 * 2) & 3) &- 1
        }
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.encodedBytes)
        for (index, coefficient) in coefficients.enumerated() {
            bytes[index / 4] |= UInt8(truncatingIfNeeded: coefficient &+ 1) << UInt8(index % 4 * 2)
        }
        return bytes
    }

    // MARK: Arithmetic modulo 3

    /// -1, 0 or 1, congruent modulo 3 to a value from -2 to 2.
    @inline(__always)
    private static func reduceSum(_ value: Int8) -> Int8 {
        let tooHigh = (1 &- value) >> 7  // all ones for 2
        let tooLow = (value &+ 1) >> 7  // all ones for -2
        return value &- (3 & tooHigh) &+ (3 & tooLow)
    }

    /// The product in (Z/3)[x]/(x^761 - x - 1).
    func multiplied(by other: SmallPolynomial) -> SmallPolynomial {
        let degree = Self.degree
        var wide = [Int16](repeating: 0, count: 2 * degree - 1)
        for (index, factor) in coefficients.enumerated() {
            let factor = Int16(factor)
            for inner in 0..<degree {
                wide[index &+ inner] &+= factor &* Int16(other.coefficients[inner])
            }
        }
        // x^761 is x + 1.
        for index in stride(from: 2 * degree - 2, through: degree, by: -1) {
            wide[index - degree] &+= wide[index]
            wide[index - degree + 1] &+= wide[index]
        }
        return SmallPolynomial(
            coefficients: wide[0..<degree].map { ModularPolynomial.modulo3(Int32($0)) }
        )
    }

    /// The inverse in (Z/3)[x]/(x^761 - x - 1), or nil when there is none: 2p - 1 division steps
    /// on the reversed polynomials (D. Bernstein, B.-Y. Yang, "Fast constant-time gcd computation
    /// and modular inversion", 2019).
    func invertedModuloThree() -> SmallPolynomial? {
        let degree = Self.degree
        var f = [Int8](repeating: 0, count: degree + 1)
        f[0] = 1
        f[degree - 1] = -1
        f[degree] = -1
        var g = [Int8](repeating: 0, count: degree + 1)
        for index in 0..<degree { g[degree - 1 - index] = coefficients[index] }
        var v = [Int8](repeating: 0, count: degree + 1)
        var r = v
        r[0] = 1
        var delta = 1
        for _ in 0..<2 * degree - 1 {
            Self.shiftUp(&v)
            let swap = Int8(truncatingIfNeeded: -delta >> (Int.bitWidth - 1)) & -(g[0] & 1)
            let wideSwap = Int(swap)
            delta ^= wideSwap & (delta ^ -delta)
            delta += 1
            Self.exchange(&f, &g, where: swap)
            Self.exchange(&v, &r, where: swap)
            let factor = -(f[0] &* g[0])
            for index in 0...degree {
                g[index] = Self.reduceSum(g[index] &+ factor &* f[index])
                r[index] = Self.reduceSum(r[index] &+ factor &* v[index])
            }
            for index in 0..<degree { g[index] = g[index &+ 1] }
            g[degree] = 0
        }
        let sign = f[0]
        guard delta == 0 else { return nil }
        return SmallPolynomial(
            coefficients: (0..<degree).map { sign &* v[degree - 1 - $0] }
        )
    }

    private static func shiftUp(_ values: inout [Int8]) {
        for index in stride(from: values.count - 1, to: 0, by: -1) {
            values[index] = values[index - 1]
        }
        values[0] = 0
    }

    private static func exchange(_ first: inout [Int8], _ second: inout [Int8], where mask: Int8) {
        precondition(first.count == second.count)
        for index in first.indices {
            let change = (first[index] ^ second[index]) & mask
            first[index] ^= change
            second[index] ^= change
        }
    }

    // MARK: Decryption

    /// This polynomial if it is short, else the fixed short one: ones, then zeros.
    func shortOrDefault() -> SmallPolynomial {
        var count: Int32 = 0
        for coefficient in coefficients { count += Int32(coefficient & 1) }
        let difference = count - Int32(Self.weight)
        // All ones when the weight is wrong.
        let wrong = Int8(truncatingIfNeeded: (difference | -difference) >> 31)
        return SmallPolynomial(
            coefficients: coefficients.enumerated().map { index, coefficient in
                let fallback: Int8 = index < Self.weight ? 1 : 0
                return (coefficient & ~wrong) | (fallback & wrong)
            }
        )
    }
}
