// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserServer

@Suite("What a process may ask its monitor, and when")
struct MonitorPhaseTests {
    static let phases: [MonitorPhase] = [.keyExchange, .authenticating, .authenticated, .session]

    /// The whole table: requests that only one phase allows.
    @Test(
        "Each of these requests has one phase",
        arguments: [
            (MonitorRequest.Kind.user, MonitorPhase.keyExchange),
            (.authenticate, .authenticating), (.handOver, .authenticated),
            (.openTerminal, .session), (.releaseTerminal, .session),
        ]
    )
    func one(kind: MonitorRequest.Kind, phase: MonitorPhase) {
        for other in Self.phases { #expect(other.allows(kind) == (other == phase)) }
    }

    @Test(
        "Log lines, signatures, groups and the end are always allowed",
        arguments: [MonitorRequest.Kind.log, .sign, .group, .ended]
    )
    func always(kind: MonitorRequest.Kind) {
        for phase in Self.phases { #expect(phase.allows(kind)) }
    }

    @Test("Nothing is in the table twice or not at all")
    func complete() {
        for kind in MonitorRequest.Kind.allCases {
            #expect(Self.phases.contains { $0.allows(kind) })
        }
    }
}
