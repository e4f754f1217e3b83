// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import HawserWire
import Testing

@testable import HawserConfig

/// The page of compatibility, compared with the rows.
@Suite("docs/compatibility.md")
struct DocumentationTests {
    /// A file of the tree.
    private static func contents(of path: String) -> String {
        let root = #filePath.split(separator: "/").dropLast(3).map(String.init)
        let path = "/" + (root + [path]).joined(separator: "/")
        return (try? Files.read(path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The words of a text.
    private static func words(_ text: String) -> Set<String> {
        Set(
            text.utf8.split { byte in
                !((48...57).contains(byte) || (65...90).contains(byte)
                    || (97...122).contains(byte))
            }.map { String(Substring($0)) }
        )
    }

    @Test("It names every keyword without effect, and every old one")
    func compatibility() {
        let words = Self.words(Self.contents(of: "docs/compatibility.md"))
        var names = ClientKeyword.ignored + ClientKeyword.unsupported
        names += ServerKeyword.ignored + ServerKeyword.deprecated + ServerKeyword.unsupported
        names += ClientKeyword.aliases.map(\.alias) + ServerKeyword.aliases.map(\.alias)
        for row in ClientKeyword.rows + ServerKeyword.rows {
            if case .full = row.effect { continue }
            names.append(row.name)
        }
        for name in names { #expect(words.contains(name), "\(name) is not on the page") }
    }
}
