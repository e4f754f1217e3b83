// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserWire

@Suite("Text that keeps bytes")
struct KeptBytesTests {
    @Test(
        "Nothing is lost, whatever the bytes are",
        arguments: [
            [], [0x61], [0xff], [0xfe], [0x4a, 0xf6, 0x72, 0x67], [0xc3, 0xa9], [0xc3],
            [0xa9, 0xc3],
            [0xef, 0xbf, 0xbd], [0xf4, 0x8f, 0xbf, 0xbf], [0xf4, 0x8f, 0xbe, 0x80],
            [0xf4, 0x8f, 0xbc, 0x80], [0xf4, 0x8f, 0xbf], [0x65, 0xcc, 0x81, 0xff],
            [0xed, 0xa0, 0x80],
        ] as [[UInt8]]
    )
    func roundTrip(bytes: [UInt8]) {
        #expect(String(keeping: bytes).keptBytes == bytes)
    }

    @Test("No two names become the same text")
    func distinct() {
        var texts: Set<String> = []
        for byte in UInt8.min...UInt8.max { texts.insert(String(keeping: [byte])) }
        texts.insert(String(keeping: [0xef, 0xbf, 0xbd]))
        texts.insert(String(keeping: [0xf4, 0x8f, 0xbf, 0xbf]))
        #expect(texts.count == 258)
        #expect(String(keeping: "héllo".utf8) == "héllo")
    }
}
