// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSFTP

@Suite("Patterns, glob(7)")
struct GlobPatternTests {
    @Test(
        "What fits",
        arguments: [
            ("*", "name", true), ("*", ".hidden", false), (".*", ".hidden", true), ("*", "", true),
            ("a*c", "abc", true), ("a*c", "ac", true), ("a*c", "acb", false),
            ("*a*b*", "xaybz", true), ("*a*b*", "xbya", false), ("?", "a", true),
            ("?", "", false), ("?", ".", false), ("[abc]x", "bx", true), ("[!abc]x", "bx", false),
            ("[^abc]x", "dx", true), ("[a-c]", "b", true), ("[]a]", "]", true),
            ("[a-]", "-", true), ("[abc", "[abc", true), (#"\*"#, "*", true),
            (#"\*"#, "a", false), (#"[\]]"#, "]", true), ("***", "abc", true),
            ("a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ]
    )
    func fits(pattern: String, name: String, expected: Bool) {
        #expect(GlobPattern(Array(pattern.utf8)).matches(Array(name.utf8)) == expected)
    }

    @Test("An escaped name fits nothing but itself")
    func escaping() {
        let name = Array(#"a*b?[c]\"#.utf8)
        let pattern = GlobPattern(GlobPattern.escape(name))
        #expect(!pattern.isPattern)
        #expect(pattern.literal == name)
        #expect(pattern.matches(name))
        #expect(!pattern.matches(Array("axb?[c]".utf8)))
    }

    @Test("Braces")
    func braces() {
        func expand(_ text: String) -> [String]? {
            BraceExpansion.expand(Array(text.utf8))?.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(expand("plain") == ["plain"])
        #expect(expand("a{b,c}d") == ["abd", "acd"])
        #expect(expand("{a,b{c,d}}") == ["a", "bc", "bd"])
        #expect(expand("{}") == ["{}"])
        #expect(expand("{a") == ["{a"])
        #expect(expand(#"\{a,b}"#) == [#"\{a,b}"#])
        #expect(expand(String(repeating: "{a,b}", count: 40)) == nil)
    }

    @Test("Parts of paths")
    func paths() {
        func name(_ path: String) -> String {
            String(decoding: RemotePath.name(of: Array(path.utf8)), as: UTF8.self)
        }
        #expect(name("/a/b") == "b")
        #expect(name("a/b//") == "b")
        #expect(name("a") == "a")
        #expect(name("/") == "/")
        #expect(RemotePath.parent(of: Array("a/b/".utf8)) == Array("a".utf8))
        #expect(RemotePath.parent(of: Array("/a".utf8)) == Array("/".utf8))
        #expect(RemotePath.parent(of: Array("a".utf8)) == Array(".".utf8))
        for unsafe in ["", ".", "..", "a/b", "/", "a\0b"] {
            #expect(!RemotePath.isSafe(name: Array(unsafe.utf8)))
        }
        #expect(RemotePath.isSafe(name: Array("..a".utf8)))
    }

    @Test(
        "Levels between two real paths",
        arguments: [
            ("/a", "/a", 0), ("/a", "/a/b/c", 2), ("/", "/a", 1), ("/a", "/ab", nil),
            ("/a/b", "/a", nil), ("", "/a", 1),
        ] as [(String, String, Int?)]
    )
    func levels(upper: String, lower: String, count: Int?) {
        #expect(RemotePath.levels(from: Array(upper.utf8), to: Array(lower.utf8)) == count)
    }
}
