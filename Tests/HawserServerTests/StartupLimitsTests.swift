// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("MaxStartups, sshd_config(5)")
struct StartupLimitsTests {
    let limits = StartupLimits(start: 10, rate: 30, full: 60)

    @Test("Below the start, everyone is let in")
    func below() {
        #expect(limits.decision(unauthenticated: 9) == .accept)
    }

    @Test("From the start on, the chance of a refusal rises evenly from the rate to certainty")
    func between() {
        #expect(limits.decision(unauthenticated: 10) == .refuseBelow(percent: 30))
        #expect(limits.decision(unauthenticated: 35) == .refuseBelow(percent: 65))
        #expect(limits.decision(unauthenticated: 59) == .refuseBelow(percent: 98))
    }

    @Test("At the full number everyone is refused")
    func full() {
        #expect(limits.decision(unauthenticated: 60) == .refuse)
        #expect(limits.decision(unauthenticated: 1000) == .refuse)
    }

    @Test("A single number is a hard limit")
    func hard() {
        let settings = ServerSettings(text: "maxstartups 1:100:1\n")
        #expect(settings.startupLimits.decision(unauthenticated: 0) == .accept)
        #expect(settings.startupLimits.decision(unauthenticated: 1) == .refuse)
    }
}
