// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("The server's log")
struct ServerLogTests {
    @Test("A client's text cannot begin a line of its own")
    func printable() {
        #expect(ServerLogSink.printable("a\nAccepted\u{1b}[0m") == "a\\012Accepted\\033[0m")
        #expect(ServerLogSink.printable("plain ü") == "plain ü")
    }
}
