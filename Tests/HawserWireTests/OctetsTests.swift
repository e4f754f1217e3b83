// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Text that stands for any bytes")
struct OctetsTests {
    @Test(
        "UTF-8 is text as it is, up to the scalars that stand for bytes",
        arguments: ["", "plain", "café", "𝄞", "\u{10FF7F}", "\u{FFFD}", "\u{D7FF}\u{E000}"]
    )
    func wellFormed(text: String) {
        #expect(String(octets: Array(text.utf8)).unicodeScalars.elementsEqual(text.unicodeScalars))
        #expect(text.octets == Array(text.utf8))
    }

    @Test("A byte that is no UTF-8 is one scalar of the private plane")
    func latin1() {
        let text = String(octets: [0x63, 0x61, 0x66, 0xe9])
        #expect(text.unicodeScalars.map(\.value) == [0x63, 0x61, 0x66, 0x10ffe9])
        #expect(text.octets == [0x63, 0x61, 0x66, 0xe9])
    }

    @Test(
        "What is not well-formed comes back byte by byte",
        arguments: [
            [0x80], [0xc0, 0xaf], [0xc3], [0xc3, 0x28], [0xe0, 0x80, 0xaf], [0xe2, 0x82],
            [0xed, 0xa0, 0x80], [0xf0, 0x80, 0x80, 0xaf], [0xf4, 0x90, 0x80, 0x80],
            [0xf5, 0x80, 0x80, 0x80], [0xff, 0xfe], [0xe9, 0xc3, 0xa9], [0xc3, 0xa9, 0xe9],
        ] as [[UInt8]]
    )
    func malformed(bytes: [UInt8]) {
        #expect(String(octets: bytes).octets == bytes)
        #expect(String(octets: bytes[...]).octets == bytes)
        #expect(String(octets: bytes.rawBytes).octets == bytes)
    }

    @Test("The scalars that stand for bytes are themselves taken byte by byte")
    func ownScalars() {
        for value in UInt32(0x10ff80)...0x10ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let bytes = Array(String(Character(scalar)).utf8)
            let text = String(octets: bytes)
            #expect(text.unicodeScalars.count == 4)
            #expect(text.octets == bytes)
        }
    }

    @Test("Every pair of bytes, and random rows, come back and stay apart")
    func bijection() {
        var seen: Set<[UInt8]> = []
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let text = String(octets: [first, second])
                #expect(text.octets == [first, second])
                seen.insert(Array(text.utf8))
            }
        }
        #expect(seen.count == 65536)
        var state: UInt64 = 7
        for _ in 0..<20000 {
            var bytes: [UInt8] = []
            for _ in 0..<6 {
                state = state &* 6_364_136_223_846_793_005 &+ 1
                let likely: [UInt8] = [0xf4, 0x8f, 0xbe, 0xbf, 0x80, 0xc3, 0xe2, 0x41]
                bytes.append(likely[Int(state >> 61)])
            }
            #expect(String(octets: bytes).octets == bytes)
        }
    }
}
