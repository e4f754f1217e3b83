// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserConfig

@Suite("ChannelTimeout, ssh_config(5) and sshd_config(5)")
struct IdleLimitsTests {
    @Test("The first pattern that fits a type counts, and zero is no limit")
    func types() {
        var limits = IdleLimits(["session:shell=0", "session:*=5m", "x11-connection=10"])
        #expect(limits.limit("session:shell") == nil)
        #expect(limits.limit("session:command") == 300_000_000_000)
        #expect(limits.limit("session:subsystem:sftp") == 300_000_000_000)
        #expect(limits.limit("x11-connection") == 10_000_000_000)
        #expect(limits.limit("direct-tcpip") == nil)
        #expect(limits.all == nil)
        #expect(limits.nextCheck == nil)
    }

    @Test("The limit of all channels together is not a type")
    func all() {
        var limits = IdleLimits(["global=2", "*=1"])
        #expect(limits.all == 2_000_000_000)
        #expect(limits.limit("global") == 1_000_000_000)
        #expect(limits.nextCheck == 0)
    }

    @Test("Without the keyword there is nothing to look for", arguments: [[], ["none"]])
    func none(words: [String]) {
        var limits = IdleLimits(words)
        #expect(limits.limit("session:command") == nil)
        #expect(limits.nextCheck == nil)
    }

    @Test("A time beyond any clock neither traps nor ends at once")
    func endless() {
        var limits = IdleLimits(["session=2147483647"])
        #expect(limits.limit("session").map { $0 == 2_147_483_647_000_000_000 } == true)
        #expect(limits.limit("session").map { UInt64.max / 2 &+ $0 > $0 } == true)
    }
}
