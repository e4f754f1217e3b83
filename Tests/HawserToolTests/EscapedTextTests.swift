// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserTool

@Suite("Text of strangers")
struct EscapedTextTests {
    @Test("What a client says is one line of a log, as OpenSSH's daemons write it")
    func logged() {
        #expect("a\nAccepted\u{1b}[0m".logged == "a\\nAccepted\\033[0m")
        #expect("f\u{f6}\\x\t~".logged == "f\\303\\266\\\\x\\t~")
        #expect("plain".logged == "plain")
    }

    @Test("Nothing steers a terminal, and what can be read stays")
    func visible() {
        #expect("f\u{f6}\n\u{1b}[2J\u{9b}2J".visible == "f\u{f6}\n\\033[2J\\2332J")
        #expect("a\nb\tc".visible(keeping: [0x09]) == "a\\012b\tc")
    }
}
