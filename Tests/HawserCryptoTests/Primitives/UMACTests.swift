// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

@Suite("UMAC, RFC 4418")
struct UMACTests {
    private static let key = Array("abcdefghijklmnop".utf8)
    private static let nonce = Array("bcdefghi".utf8).rawBytes.bigEndianUInt64(at: 0)

    private func tag(_ message: [UInt8], nonce: UInt64 = UMACTests.nonce, bytes: Int = 8) -> [UInt8]
    {
        var umac = UMAC(key: Self.key, tagBytes: bytes)
        var tag = [UInt8](repeating: 0, count: bytes)
        var target = tag.mutableRawBytes
        umac.tag(of: message.rawBytes, nonce: nonce, into: &target)
        return tag
    }

    // RFC 4418, appendix: UMAC-64 of a text repeated a number of times.
    @Test(
        "UMAC-64 gives the tags of the RFC's appendix",
        arguments: [
            ("a", 0, 0x6E15_5FAD_2690_0BE1 as UInt64),
            ("a", 3, 0x44B5_CB54_2F22_0104),
            ("a", 1 << 10, 0x26BF_2F5D_6011_8BD9),
            ("a", 1 << 15, 0x27F8_EF64_3B0D_118D),
            ("a", 1 << 20, 0xA447_7E87_E9F5_5853),
            ("abc", 1, 0xD4D7_B9F6_BD4F_BFCF),
            ("abc", 500, 0xD4CF_26DD_EFD5_C01A),
        ]
    )
    func appendix(text: String, count: Int, expected: UInt64) {
        let message = Array(String(repeating: text, count: count).utf8)
        #expect(tag(message).rawBytes.bigEndianUInt64(at: 0) == expected)
    }

    @Test("Two nonces that share a pad still give different tags, in any order")
    func sharedPad() {
        var umac = UMAC(key: Self.key, tagBytes: 8)
        var tags: [[UInt8]] = []
        for nonce: UInt64 in [6, 7, 6, 8] {
            var tag = [UInt8](repeating: 0, count: 8)
            var target = tag.mutableRawBytes
            umac.tag(of: [1, 2, 3].rawBytes, nonce: nonce, into: &target)
            tags.append(tag)
        }
        #expect(tags[0] == tags[2])
        #expect(Set(tags).count == 3)
        #expect(tags[1] == tag([1, 2, 3], nonce: 7))
    }

    @Test("A changed byte changes the tag, wherever it is", arguments: [8, 16])
    func everyByteCounts(bytes: Int) {
        let message = [UInt8](repeating: 0x5a, count: 2100)
        let expected = tag(message, bytes: bytes)
        for index in stride(from: 0, to: message.count, by: 97) {
            var changed = message
            changed[index] ^= 1
            #expect(tag(changed, bytes: bytes) != expected)
        }
    }
}
