// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Name lists, RFC 4251 §5 and §6")
struct NameListTests {
    @Test(
        "Names are taken apart at commas",
        arguments: [
            ("", []), ("zlib", ["zlib"]), ("zlib,none", ["zlib", "none"]),
            ("kex@example.com,b", ["kex@example.com", "b"]),
        ]
    )
    func parse(text: String, names: [String]) throws {
        #expect(try NameList.parse(Array(text.utf8).rawBytes) == names)
    }

    @Test(
        "Empty names, blanks and control characters are refused",
        arguments: [",", "a,", ",a", "a,,b", "a b", "a\u{0}", "a\u{7f}", "é"]
    )
    func refuse(text: String) {
        #expect(throws: WireError.badName) {
            _ = try NameList.parse(Array(text.utf8).rawBytes)
        }
    }

    @Test("A name has 1 to 64 printable characters and no comma")
    func valid() {
        #expect(NameList.isValid(name: "a"))
        #expect(NameList.isValid(name: String(repeating: "a", count: 64)))
        #expect(!NameList.isValid(name: String(repeating: "a", count: 65)))
        #expect(!NameList.isValid(name: ""))
        #expect(!NameList.isValid(name: "a,b"))
    }
}
