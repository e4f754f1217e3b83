// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import Testing

@testable import HawserConfig

/// `man/ssh_config.5` and `man/sshd_config.5` against the rows.
@Suite("The manual pages of the configurations")
struct ManualPagesTests {
    @Test("ssh_config(5) has an item for each keyword, and for nothing else")
    func client() throws {
        let wanted = ClientKeyword.rows.map(\.name) + ["Host", "Match", "Include"]
        #expect(try Self.items(of: "ssh_config.5") == Self.sorted(wanted))
    }

    @Test("sshd_config(5) has an item for each keyword, and for nothing else")
    func server() throws {
        let wanted = ServerKeyword.rows.map(\.name) + ["Match", "Include"]
        #expect(try Self.items(of: "sshd_config.5") == Self.sorted(wanted))
    }

    @Test("No page names a keyword that does not exist", arguments: Self.pages())
    func references(page: String) throws {
        var known = Set(ClientKeyword.rows.map(\.name) + ServerKeyword.rows.map(\.name))
        known.formUnion(["Host", "Match", "Include", "LocalAddress", "LocalPort"])
        known.formUnion(ClientKeyword.aliases.map(\.alias) + ServerKeyword.aliases.map(\.alias))
        known.formUnion(ClientKeyword.ignored + ClientKeyword.unsupported)
        known.formUnion(ServerKeyword.ignored + ServerKeyword.deprecated)
        known.formUnion(ServerKeyword.unsupported)
        for word in Self.keywords(in: try Self.lines(of: page)) {
            #expect(known.contains(word), "\(page): \(word)")
        }
    }

    // MARK: Reading

    private static let folder: String = {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/" + here + "/man/"
    }()

    private static func pages() -> [String] {
        Files.names(in: folder).filter { $0.contains(".") && !$0.hasPrefix(".") }.sorted()
    }

    private static func lines(of page: String) throws -> [Substring] {
        let text = String(decoding: try Files.read(folder + page), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    private static func sorted(_ names: [String]) -> [String] {
        names.sorted { $0.lowercased() < $1.lowercased() }
    }

    /// The first words of the items of the section KEYWORDS, as they come. Items of lists inside of
    /// an item are not meant.
    private static func items(of page: String) throws -> [String] {
        var names: [String] = []
        var depth = 0
        var isInside = false
        for line in try lines(of: page) {
            if line.hasPrefix(".Sh ") { isInside = line == ".Sh KEYWORDS" }
            guard isInside else { continue }
            if line.hasPrefix(".Bl ") { depth += 1 }
            if line == ".El" { depth -= 1 }
            if depth == 1, line.hasPrefix(".It Cm ") {
                names.append(String(line.split(separator: " ")[2]))
            }
        }
        return names
    }

    /// The words that are set as keywords are and look like one: capitals inside, no other sign.
    private static func keywords(in lines: [Substring]) -> [String] {
        lines.filter { $0.hasPrefix(".Cm ") || $0.hasPrefix(".It Cm ") }
            .flatMap { $0.split(separator: " ") }
            .filter { word in
                word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
                    && word.first?.isUppercase == true && word.contains { $0.isLowercase }
                    && word.dropFirst().contains { $0.isUppercase }
            }
            .map(String.init)
    }
}
