// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import HawserWire
import Testing

@testable import HawserConfig

/// The pages that speak of keywords, compared with the rows.
@Suite("Documentation of keywords")
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

    @Test("docs/compatibility.md names every keyword without effect, and every old one")
    func compatibility() {
        let words = Self.words(Self.contents(of: "docs/compatibility.md"))
        var names = ClientKeyword.ignored + ClientKeyword.unsupported
        names += ServerKeyword.ignored + ServerKeyword.deprecated
        names += ClientKeyword.aliases.map(\.alias) + ServerKeyword.aliases.map(\.alias)
        for row in ClientKeyword.rows + ServerKeyword.rows {
            if case .full = row.effect { continue }
            names.append(row.name)
        }
        for name in names { #expect(words.contains(name), "\(name) is not on the page") }
    }

    @Test(
        "A manual page has an item for every keyword",
        arguments: [
            ("man/ssh_config.5", ClientKeyword.rows.map(\.name) + ["Host", "Match", "Include"]),
            ("man/sshd_config.5", ServerKeyword.rows.map(\.name) + ["Match", "Include"]),
        ]
    )
    func manual(path: String, names: [String]) {
        let page = Self.contents(of: path)
        var items = page.utf8.split(separator: 10).compactMap { line -> String? in
            let words = line.split(separator: 32).map { String(Substring($0)) }
            // Criteria of Match are items of a list of their own, in small letters or behind it.
            guard words.count >= 3, words[0] == ".It", words[1] == "Cm" else { return nil }
            return names.contains(words[2]) ? words[2] : nil
        }
        // A criterion of Match may have the name of a keyword; the keyword's item comes later.
        items = items.enumerated().filter { !items[($0.offset + 1)...].contains($0.element) }
            .map(\.element)
        #expect(Set(names).subtracting(items).isEmpty)
        #expect(items == items.sorted { $0.lowercased() < $1.lowercased() })
    }
}
