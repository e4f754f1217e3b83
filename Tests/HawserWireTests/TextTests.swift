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
}
