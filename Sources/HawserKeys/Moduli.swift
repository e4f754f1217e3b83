// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Groups for Diffie-Hellman group exchange, from a file as moduli(5) describes it.
package struct Moduli: Sendable {
    /// A line that may be used: a safe prime that passed its tests.
    package struct Group: Hashable, Sendable {
        /// Magnitudes, big-endian.
        package let generator: [UInt8]
        package let prime: [UInt8]

        package var bits: Int { Magnitude.bits(prime) }
    }

    package let groups: [Group]

    /// Reads a file; lines that cannot be used are left out.
    package init(contents: [UInt8]) {
        groups = contents.split(separator: 0x0a).compactMap { Self.parse(Array($0)) }
    }

    /// One of the groups that suit a client best: among those within `minimum...maximum`, the
    /// smallest size that is at least `preferred`, or else the largest there is.
    ///
    /// - Parameter random: a uniform number below its argument, which is never zero.
    package func choose(
        minimum: Int,
        preferred: Int,
        maximum: Int,
        random: (UInt32) -> UInt32
    ) -> Group? {
        let sizes = groups.map(\.bits).filter { $0 >= minimum && $0 <= maximum }
        guard let size = sizes.filter({ $0 >= preferred }).min() ?? sizes.max() else { return nil }
        let candidates = groups.filter { $0.bits == size }
        guard let count = UInt32(exactly: candidates.count), count > 0 else { return nil }
        let index = Int(random(count))
        return index < candidates.count ? candidates[index] : candidates.first
    }

    /// `time type tests trials size generator modulus`.
    private static func parse(_ line: [UInt8]) -> Group? {
        var words = LineWords(line)
        guard let first = words.peek(), first != UInt8(ascii: "#") else { return nil }
        guard words.next() != nil,
            let type = words.next().flatMap({ Int($0) }), type == safePrime,
            let tests = words.next().flatMap({ UInt32($0) }),
            tests & compositeTest == 0, tests & ~compositeTest != 0,
            words.next().flatMap({ UInt32($0) }) != nil,
            let size = words.next().flatMap({ Int($0) }), size >= 0, size < 1 << 20,
            let generator = words.next().flatMap({ Hexadecimal.decode($0) }),
            let prime = words.next().flatMap({ Hexadecimal.decode($0) })
        else { return nil }
        let group = Group(
            generator: Magnitude.stripped(generator),
            prime: Magnitude.stripped(prime)
        )
        // The size in the file is that of the largest exponent: one bit less than the prime.
        guard group.bits == size + 1, Magnitude.bits(group.generator) > 1,
            Magnitude.isLess(group.generator, group.prime)
        else { return nil }
        return group
    }

    private static let safePrime = 2
    private static let compositeTest: UInt32 = 1
}

/// Bytes in base 16.
package enum Hexadecimal {
    /// Lower case, two digits a byte.
    package static func encode(_ bytes: [UInt8]) -> String {
        String(octets: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The number or bytes in `text`, either case; an odd count of digits has a zero before them.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        let characters = text.octets
        guard !characters.isEmpty else { return nil }
        var value: UInt8 = 0
        for (index, character) in characters.enumerated() {
            guard let digit = digits.firstIndex(of: character.asciiLowercased) else { return nil }
            value = value << 4 | UInt8(digit)
            if (characters.count - index) % 2 == 1 {
                bytes.append(value)
                value = 0
            }
        }
        return bytes
    }

    private static let digits = [UInt8]("0123456789abcdef".utf8)
}
