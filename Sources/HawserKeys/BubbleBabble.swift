// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Bytes as words that can be read out loud: "The Bubble Babble Binary Data Encoding" (Huima 2000).
package enum BubbleBabble {
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = [UInt8(ascii: "x")]
        var checksum = 1
        let rounds = bytes.count / 2 + 1
        for round in 0..<rounds {
            let index = 2 * round
            guard index < bytes.count else {
                text += [vowels[checksum % 6], consonants[16], vowels[checksum / 6]]
                break
            }
            let first = Int(bytes[index])
            text += [
                vowels[((first >> 6 & 3) + checksum) % 6],
                consonants[first >> 2 & 15],
                vowels[((first & 3) + checksum / 6) % 6],
            ]
            guard index + 1 < bytes.count else { break }
            let second = Int(bytes[index + 1])
            text += [consonants[second >> 4], UInt8(ascii: "-"), consonants[second & 15]]
            checksum = (checksum * 5 + first * 7 + second) % 36
        }
        text.append(UInt8(ascii: "x"))
        return String(octets: text)
    }

    private static let vowels = [UInt8]("aeiouy".utf8)
    private static let consonants = [UInt8]("bcdfghklmnprstvzx".utf8)
}
