// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Text")
struct TextTests {
    @Test(
        "a part is found wherever it is, and nowhere else",
        arguments: [
            ("", "", true), ("a", "", true), ("", "a", false), ("abc", "abc", true),
            ("abc", "c", true), ("aab", "ab", true), ("abab", "abb", false), ("ab", "abc", false),
            ("é", "e", false), ("---- END X", " END ", true),
        ]
    )
    func contains(_ text: String, _ part: String, _ expected: Bool) {
        #expect(text.contains(part) == expected)
        #expect(Substring(text).contains(part) == expected)
    }

    @Test(
        "a number's digits are the standard library's",
        arguments: [0, 7, -7, 10, 256, .max, .min]
    )
    func decimal(_ number: Int) {
        var bytes: [UInt8] = [0x20]
        bytes.append(decimal: number)
        #expect(String(decoding: bytes, as: UTF8.self) == " \(number)")
    }
}
