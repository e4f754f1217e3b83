// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("EventLog")
struct EventLogTests {
    @Test("An event is one object on one line")
    func line() {
        let line = EventLog.line(
            .authentication(
                EventLog.Authentication(
                    user: "eve\n",
                    method: "password",
                    result: "failed",
                    reason: "no such user"
                )
            ),
            reference: "0a1b2c3d",
            at: 1_700_000_000
        )
        #expect(line.hasPrefix(#"{"time":1700000000,"pid":"#))
        let rest =
            #","reference":"0a1b2c3d","event":"authentication","user":"eve\u000a","#
            + #""method":"password","result":"failed","reason":"no such user"}"# + "\n"
        #expect(line.hasSuffix(rest))
    }
}
