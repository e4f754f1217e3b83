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

@Suite("IPQoS, sshd_config(5)")
struct TypeOfServiceTests {
    @Test("One word is for both, two are for terminals and the rest")
    func words() {
        #expect(TypeOfService([]) == TypeOfService(["ef", "cs0"]))
        #expect(TypeOfService(["af21"]).interactive == 0x48)
        #expect(TypeOfService(["af21"]).bulk == 0x48)
        #expect(TypeOfService(["0x10", "none"]).interactive == 0x10)
        #expect(TypeOfService(["0x10", "none"]).bulk == nil)
    }
}
