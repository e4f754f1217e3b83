// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserTool

/// Steps as getopt(3) of glibc makes them of the same words.
@Suite("Options of the command line")
struct CommandLineParserTests {
    private func steps(
        _ words: [String],
        _ specification: String = "abo:"
    ) -> ([CommandLineParser.Step], [String]) {
        var parser = CommandLineParser(words, specification)
        var steps: [CommandLineParser.Step] = []
        while let step = parser.next() { steps.append(step) }
        return (steps, parser.operands)
    }

    @Test("letters are grouped, values attached or apart")
    func groups() {
        let (found, operands) = steps(["-ab", "-ovalue", "-o", "apart", "-boend", "word"])
        #expect(
            found == [
                .flag("a"), .flag("b"), .option("o", "value"), .option("o", "apart"), .flag("b"),
                .option("o", "end"),
            ]
        )
        #expect(operands == ["word"])
    }

    @Test("options end at an operand, at a hyphen, behind two")
    func ends() {
        #expect(steps(["-a", "word", "-b"]) == ([.flag("a")], ["word", "-b"]))
        #expect(steps(["-a", "-", "-b"]) == ([.flag("a")], ["-", "-b"]))
        #expect(steps(["-a", "--", "-b"]) == ([.flag("a")], ["-b"]))
        #expect(steps([""]) == ([], [""]))
    }

    @Test("what is no option is said")
    func unknown() {
        #expect(steps(["-xa"]) == ([.unknown("x"), .flag("a")], []))
        #expect(steps(["-:"]) == ([.unknown(":")], []))
        #expect(steps(["-é", "-a"]) == ([.unknown("é"), .flag("a")], []))
        #expect(steps(["-o"]) == ([.missingValue("o")], []))
    }

    @Test("an accent is not part of the letter or hyphen before it")
    func accents() {
        #expect(steps(["-a\u{301}"]) == ([.flag("a"), .unknown("\u{301}")], []))
        #expect(steps(["-\u{301}", "-a"]) == ([.unknown("\u{301}"), .flag("a")], []))
        #expect(steps(["-o\u{301}"]) == ([.option("o", "\u{301}")], []))
    }
}
