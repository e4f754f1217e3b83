// SPDX-License-Identifier: Apache-2.0

import HawserClient
import HawserWire
import Testing

@Suite("Escape sequences, ssh(1)")
struct EscapeSequencesTests {
    private func actions(_ text: String, _ character: UInt8 = 126) -> [EscapeSequences.Action] {
        var escapes = EscapeSequences(character)
        return escapes.receive(Array(text.utf8))
    }

    private func send(_ text: String) -> EscapeSequences.Action { .send(Array(text.utf8)) }

    @Test("The character counts only at the start of a line")
    func lineStart() {
        #expect(actions("~.") == [.disconnect])
        #expect(actions("a~.") == [send("a~.")])
        #expect(actions("a\r~.") == [send("a\r"), .disconnect])
        #expect(actions("a\n~.") == [send("a\n"), .disconnect])
    }

    @Test(
        "Every escape is its action",
        arguments: [
            ("~.", .disconnect), ("~\u{1a}", .suspend), ("~#", .listConnections),
            ("~&", .background), ("~?", .help), ("~B", .sendBreak), ("~C", .commandLine),
            ("~R", .rekey), ("~V", .lowerVerbosity), ("~v", .raiseVerbosity),
        ] as [(String, EscapeSequences.Action)]
    )
    func each(text: String, action: EscapeSequences.Action) {
        #expect(actions(text) == [action])
    }

    @Test("Twice sends it once; another character behind it sends both")
    func literal() {
        #expect(actions("~~.") == [send("~.")])
        #expect(actions("~x") == [send("~x")])
        #expect(actions("~\r~.") == [send("~\r"), .disconnect])
    }

    @Test("After an action the line starts anew")
    func afterAction() {
        #expect(actions("~R~.") == [.rekey, .disconnect])
    }

    @Test("What was typed does not depend on how its bytes are cut", arguments: [1, 2, 3])
    func cutting(chunkBytes: Int) {
        let typed = Array("ls\r~~x\r~#a~.\r~.".utf8)
        var escapes = EscapeSequences()
        var sent: [UInt8] = []
        var others: [EscapeSequences.Action] = []
        for start in stride(from: 0, to: typed.count, by: chunkBytes) {
            let part = Array(typed[start..<min(start + chunkBytes, typed.count)])
            for action in escapes.receive(part) {
                if case .send(let bytes) = action { sent += bytes } else { others.append(action) }
            }
        }
        #expect(sent == Array("ls\r~x\ra~.\r".utf8))
        #expect(others == [.listConnections, .disconnect])
    }

    @Test("Help hides what a passenger cannot do")
    func help() {
        let own = EscapeSequences.help(126, isPassenger: false)
        let passenger = EscapeSequences.help(126, isPassenger: true)
        #expect(own.contains("Supported escape sequences:\r\n"))
        #expect(own.contains(" ~^Z  - suspend ssh\r\n"))
        #expect(!passenger.contains("suspend"))
        #expect(!passenger.contains("background"))
        #expect(EscapeSequences.help(1, isPassenger: false).contains(" \u{1}."))
    }

    @Test(
        "Values of EscapeChar",
        arguments: [
            ("~", .byte(126)), ("none", EscapeCharacter.none), ("^a", .byte(1)), ("^]", .byte(29)),
            ("%", .byte(37)), ("ab", nil), ("", nil), ("^1", nil), ("é", nil),
        ] as [(String, EscapeCharacter?)]
    )
    func character(text: String, value: EscapeCharacter?) {
        #expect(EscapeCharacter(text) == value)
    }
}
