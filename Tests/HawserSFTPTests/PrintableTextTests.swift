// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSFTP

@Suite("Names made safe to show")
struct PrintableTextTests {
    @Test("What steers a terminal, and what is not UTF-8, becomes octal")
    func escapes() {
        #expect(PrintableText.of(Array("plain name".utf8)) == "plain name")
        #expect(PrintableText.of(Array("Müller ☃".utf8)) == "Müller ☃")
        #expect(PrintableText.of(Array("a\u{1b}[2Jb".utf8)) == "a\\033[2Jb")
        #expect(PrintableText.of(Array("a\nb".utf8)) == "a\\012b")
        #expect(PrintableText.of([0x61, 0xff, 0x62]) == "a\\377b")
        #expect(PrintableText.of([0xe2, 0x98]) == "\\342\\230")
        #expect(PrintableText.of(Array("\u{9b}31m".utf8)) == "\\302\\23331m")
        #expect(PrintableText.of(Array("a\u{202e}b".utf8)) == "a\\342\\200\\256b")
    }

    @Test(
        "Columns that a text takes",
        arguments: [
            ("plain", 5), ("caf\u{e9}", 4), ("cafe\u{301}", 4), ("\u{4e2d}\u{6587}", 4), ("", 0),
        ]
    )
    func columns(text: String, count: Int) {
        #expect(PrintableText.columns(of: text) == count)
    }
}
