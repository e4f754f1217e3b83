// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSystem

/// RFC 1035 §4, RFC 6891, RFC 4255.
@Suite("Questions and answers of the domain name system")
struct DomainNameMessageTests {
    /// The header, the question and two records for `a.test`, the owner a pointer to the question.
    private func message(
        flags: UInt16 = 0x81a0,
        answers: UInt8 = 2,
        record: [UInt8] = [0xc0, 12, 0, 44, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 0xab, 0xcd]
    ) -> [UInt8] {
        let head: [UInt8] = [
            0x12, 0x34, UInt8(flags >> 8), UInt8(flags & 0xff), 0, 1, 0, answers, 0, 0, 0, 0,
        ]
        let question: [UInt8] = [1] + Array("A".utf8) + [4] + Array("test".utf8) + [0, 0, 44, 0, 1]
        return head + question + Array(repeatElement(record, count: Int(answers)).joined())
    }

    private func read(_ bytes: [UInt8]) -> DomainNameMessage.Answer? {
        DomainNameMessage.answer(bytes, to: "a.test", type: 44, identifier: 0x1234)
    }

    @Test("A question has its name in labels and an OPT record")
    func question() throws {
        let bytes = try #require(
            DomainNameMessage.question("a.test.", type: 44, identifier: 0x1234)
        )
        let expected: [UInt8] = [
            0x12, 0x34, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1,
            1, 97, 4, 116, 101, 115, 116, 0, 0, 44, 0, 1,
            0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(bytes == expected)
    }

    @Test(
        "What is no domain name is not asked for",
        arguments: ["", ".", "a..b", String(repeating: "x", count: 64)]
    )
    func badName(name: String) {
        #expect(DomainNameMessage.question(name, type: 44, identifier: 1) == nil)
    }

    @Test("Records and the resolver's word about them are read, names in any case")
    func answer() throws {
        let answer = try #require(read(message()))
        #expect(answer.records == [[1, 2, 0xab, 0xcd], [1, 2, 0xab, 0xcd]])
        #expect(answer.isAuthenticated)
        #expect(answer.responseCode == 0)
        #expect(try #require(read(message(flags: 0x8180))).isAuthenticated == false)
        #expect(try #require(read(message(flags: 0x8183, answers: 0))).responseCode == 3)
        #expect(try #require(read(message(flags: 0x8380, answers: 0))).isTruncated)
    }

    @Test("An alias leads to the records of its target, records of others do not count")
    func alias() throws {
        let head = Array(message(answers: 0).prefix(7)) + [3] + message(answers: 0).dropFirst(8)
        let alias: [UInt8] = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 98, 0xc0, 14]
        let other: [UInt8] = [0xc0, 12, 0, 44, 0, 1, 0, 0, 0, 60, 0, 3, 9, 9, 9]
        let target: [UInt8] = [1, 98, 0xc0, 14, 0, 44, 0, 1, 0, 0, 0, 60, 0, 3, 4, 2, 7]
        let answer = try #require(read(head + alias + other + target))
        #expect(answer.records == [[4, 2, 7]])
    }

    @Test("An answer to another question is none")
    func other() {
        #expect(
            DomainNameMessage.answer(message(), to: "b.test", type: 44, identifier: 0x1234) == nil
        )
        #expect(
            DomainNameMessage.answer(message(), to: "a.test", type: 1, identifier: 0x1234) == nil
        )
        #expect(DomainNameMessage.answer(message(), to: "a.test", type: 44, identifier: 1) == nil)
        #expect(read(message(flags: 0x0120)) == nil)
    }

    @Test("A pointer that leads forward or to itself ends the reading")
    func pointers() {
        #expect(read(message(answers: 1, record: [0xc0, 24, 0, 44, 0, 1])) == nil)
        #expect(read(message(answers: 1, record: [0xc0, 200, 0, 44, 0, 1])) == nil)
    }

    @Test("No cut or changed byte makes the reader fail or read beyond the end")
    func hostile() {
        let whole = message()
        for count in whole.indices { #expect(read(Array(whole[..<count])) == nil) }
        for index in whole.indices {
            for value: UInt8 in [0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff] {
                var changed = whole
                changed[index] = value
                if let answer = read(changed) { #expect(answer.records.count <= 2) }
            }
        }
    }

    @Test("resolv.conf(5): servers in order, options")
    func configuration() {
        let servers = NameServers(
            configuration: """
                # comment
                nameserver 192.0.2.1
                nameserver 2001:db8::1
                search example.net
                options edns0 trust-ad timeout:2 attempts:3
                nameserver 192.0.2.2
                nameserver 192.0.2.3
                """
        )
        #expect(servers.addresses.map(\.host) == ["192.0.2.1", "2001:db8::1", "192.0.2.2"])
        #expect(servers.addresses.allSatisfy { $0.port == 53 })
        #expect(servers.isTrusted)
        #expect(servers.timeoutSeconds == 2)
        #expect(servers.attempts == 3)
        #expect(!NameServers(configuration: "").isTrusted)
        #expect(NameServers(configuration: "").addresses.map(\.host) == ["127.0.0.1"])
    }
}
