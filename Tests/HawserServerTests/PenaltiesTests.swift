// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserServer

@Suite("PerSourcePenalties, sshd_config(5)")
struct PenaltiesTests {
    private func block(
        _ address: String,
        _ ipv4Bits: Int = 32,
        _ ipv6Bits: Int = 128
    ) throws
        -> SourceBlock
    {
        try #require(SourceBlock(address, ipv4Bits: ipv4Bits, ipv6Bits: ipv6Bits))
    }

    @Test(
        "Addresses in one block are one source",
        arguments: [
            ("192.0.2.7", "192.0.2.200", 24, 128, true),
            ("192.0.2.7", "192.0.3.7", 24, 128, false),
            ("192.0.2.7", "192.0.2.8", 32, 128, false),
            ("192.0.2.7", "203.0.113.1", 0, 128, true),
            ("192.0.2.127", "192.0.2.128", 25, 128, false),
            ("2001:db8::1", "2001:db8::ffff", 32, 64, true),
            ("2001:db8::1", "2001:db8:0:1::1", 32, 64, false),
        ]
    )
    func blocks(first: String, second: String, v4: Int, v6: Int, isSame: Bool) throws {
        #expect((try block(first, v4, v6) == block(second, v4, v6)) == isSame)
    }

    @Test("What is no address has no block", arguments: ["UNKNOWN", "", "host.example", "1.2.3"])
    func noBlock(text: String) {
        #expect(SourceBlock(text, ipv4Bits: 32, ipv6Bits: 128) == nil)
    }

    @Test("Nothing happens below the minimum; then the source is out until its time is over")
    func accumulation() throws {
        var penalties = SourcePenalties(PenaltyRules(["authfail:5", "min:15"]), exempt: [])
        let source = try block("192.0.2.7")
        func add(_ now: Int) -> String? {
            penalties.add(.authenticationFailed, from: source, address: "192.0.2.7", at: now)
        }
        func refusal(_ now: Int) -> String? {
            penalties.refusal(of: source, address: "192.0.2.7", at: now)
        }
        #expect(add(0) == nil)
        #expect(add(0) == nil)
        #expect(refusal(0) == nil)
        let line = try #require(add(0))
        #expect(line.contains("activating ipv4 penalty of 15 seconds"))
        #expect(refusal(0) == "penalty: failed authentication")
        #expect(refusal(14_999) != nil)
        #expect(refusal(15_000) == nil)
        #expect(add(20_000) == nil)
        #expect(refusal(20_000) == nil)
    }

    @Test("A penalty never lasts longer than the maximum")
    func maximum() throws {
        var penalties = SourcePenalties(PenaltyRules(["crash:90", "max:100", "min:0"]), exempt: [])
        let source = try block("192.0.2.7")
        for _ in 0..<50 {
            _ = penalties.add(.crash, from: source, address: "192.0.2.7", at: 1000)
        }
        #expect(penalties.refusal(of: source, address: "192.0.2.7", at: 100_999) != nil)
        #expect(penalties.refusal(of: source, address: "192.0.2.7", at: 101_000) == nil)
    }

    @Test("Exempt addresses, and a server without penalties, keep nobody out")
    func exempt() throws {
        let source = try block("192.0.2.7")
        for var penalties in [
            SourcePenalties(PenaltyRules(["crash:90"]), exempt: ["192.0.2.0/24"]),
            SourcePenalties(PenaltyRules(["no"]), exempt: []),
            SourcePenalties(PenaltyRules([]), exempt: []),
        ] {
            let line = penalties.add(.crash, from: source, address: "192.0.2.7", at: 0)
            #expect(line == nil)
            #expect(penalties.refusal(of: source, address: "192.0.2.7", at: 0) == nil)
        }
    }

    @Test("With too many sources the one that would be free first is forgotten")
    func overflow() throws {
        var penalties = SourcePenalties(
            PenaltyRules(["crash:90", "max-sources4:2"]),
            exempt: []
        )
        for (index, address) in ["192.0.2.1", "192.0.2.2", "192.0.2.3"].enumerated() {
            _ = penalties.add(.crash, from: try block(address), address: address, at: index)
        }
        #expect(penalties.count == 2)
        #expect(penalties.refusal(of: try block("192.0.2.1"), address: "192.0.2.1", at: 3) == nil)
        #expect(penalties.refusal(of: try block("192.0.2.3"), address: "192.0.2.3", at: 3) != nil)
    }

    @Test("Where overflow denies all, a stranger is refused while the table is full")
    func denyAll() throws {
        var penalties = SourcePenalties(
            PenaltyRules(["crash:90", "max-sources4:1", "overflow:deny-all"]),
            exempt: ["198.51.100.1"]
        )
        _ = penalties.add(.crash, from: try block("192.0.2.1"), address: "192.0.2.1", at: 0)
        let stranger = try block("192.0.2.9")
        #expect(penalties.refusal(of: stranger, address: "192.0.2.9", at: 1) != nil)
        #expect(penalties.refusal(of: stranger, address: "198.51.100.1", at: 1) == nil)
        #expect(penalties.refusal(of: stranger, address: "192.0.2.9", at: 90_001) == nil)
    }

    @Test("Times may have fractions")
    func fractions() {
        let rules = PenaltyRules(["authfail:0.5s", "min:1m", "crash:1.25"])
        #expect(rules.durations[.authenticationFailed] == 500)
        #expect(rules.durations[.crash] == 1250)
        #expect(rules.minimum == 60_000)
    }
}
