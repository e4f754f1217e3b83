// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Version lines, RFC 4253 §4.2")
struct IdentificationTests {
    private func read(_ text: String, isClient: Bool) throws -> Identification.Step {
        let bytes = Array(text.utf8)
        return try Identification.read(bytes.rawBytes, isClient: isClient)
    }

    @Test(
        "A line of version 2 is taken with either line end, and only it enters the hash",
        arguments: [
            ("SSH-2.0-OpenSSH_10.5\r\n", "SSH-2.0-OpenSSH_10.5", "OpenSSH_10.5"),
            ("SSH-2.0-OpenSSH_10.5\n", "SSH-2.0-OpenSSH_10.5", "OpenSSH_10.5"),
            ("SSH-1.99-Cisco-1.25\n", "SSH-1.99-Cisco-1.25", "Cisco-1.25"),
            ("SSH-2.0-a b c\r\nrest", "SSH-2.0-a b c", "a b c"),
            ("SSH-2.5-x\r\n", "SSH-2.5-x", "x"),
            ("SSH-2.0-\r\n", "SSH-2.0-", ""),
        ]
    )
    func lines(text: String, line: String, software: String) throws {
        for isClient in [true, false] {
            guard case .identified(let found, let count) = try read(text, isClient: isClient)
            else {
                Issue.record("not identified: \(text)")
                continue
            }
            #expect(found.text == line)
            #expect(found.bytes == Array(line.utf8))
            #expect(found.softwareVersion == software)
            #expect(count == text.utf8.prefix { $0 != 10 }.count + 1)
        }
    }

    @Test(
        "Another version is a mismatch in OpenSSH's words",
        arguments: [("SSH-1.5-x\n", "1"), ("SSH-3.0-x\n", "3"), ("SSH-1.3-x\n", "1")]
    )
    func mismatch(text: String, major: String) throws {
        for isClient in [true, false] {
            let error = try #require(throws: ProtocolError.self) {
                try read(text, isClient: isClient)
            }
            #expect(error.text == "Protocol major versions differ: 2 vs. \(major)")
            guard case .versionMismatch = error.kind else {
                Issue.record("\(error.kind)")
                continue
            }
        }
    }

    @Test(
        "What is no version line ends a client's connection to us",
        arguments: [
            "GET / HTTP/1.0\r\n", "\n", "hello", "SSH-2.0\n", "SSH-x.0-a\n", "SSH-2-a\n",
            "SSH-2.0.1-a\n", "SSH--a\n", "SSH-2.0-a\0b\n", "ssh-2.0-a\n",
            "SSH-2.0-" + String(repeating: "x", count: 300) + "\n",
            String(repeating: "S", count: 300),
        ]
    )
    func garbage(text: String) throws {
        let error = try #require(throws: ProtocolError.self) { try read(text, isClient: false) }
        #expect(error.kind == .badIdentification)
        #expect(error.reason == nil)
    }

    @Test("A server may say other lines first, a client may not")
    func linesBefore() throws {
        #expect(
            try read("Welcome\r\nSSH-2.0-x\r\n", isClient: true)
                == .other("Welcome", consumedBytes: 9)
        )
        #expect(throws: ProtocolError.self) {
            try read("Welcome\r\nSSH-2.0-x\r\n", isClient: false)
        }
    }

    @Test("Lines before the identification are reported in order, cut anywhere")
    func banner() throws {
        for chunk in [1, 2, 7, 4096] {
            var pair = try TransportPair()
            var rest = Array("one\r\ntwo\nSSH-2.0-server\r\n".utf8)
            var events: [TransportEvent] = []
            while !rest.isEmpty {
                TransportPair.give(Array(rest.prefix(chunk)), to: &pair.client)
                rest.removeFirst(min(chunk, rest.count))
                while let event = try pair.client.next(at: pair.now) { events.append(event) }
            }
            #expect(
                events.prefix(2) == [
                    .lineBeforeIdentification("one"), .lineBeforeIdentification("two"),
                ]
            )
            #expect(events.count == 3)
            #expect(pair.client.peerIdentification?.text == "SSH-2.0-server")
        }
    }

    @Test("A server that never identifies itself is left after 1024 lines")
    func endlessLines() throws {
        var pair = try TransportPair()
        var lines = 0
        let error = try #require(throws: ProtocolError.self) {
            while true {
                TransportPair.give(Array("no\r\n".utf8), to: &pair.client)
                lines += 1
                while try pair.client.next(at: pair.now) != nil {}
            }
        }
        #expect(lines == 1025)
        #expect(error.text.contains("No SSH version received in first 1024 lines from server"))
    }

    @Test("A line without end is left at its limit")
    func endlessLine() throws {
        var pair = try TransportPair()
        var bytes = 0
        #expect(throws: ProtocolError.self) {
            while true {
                TransportPair.give([UInt8](repeating: 0x61, count: 512), to: &pair.client)
                bytes += 512
                while try pair.client.next(at: pair.now) != nil {}
            }
        }
        #expect(bytes == Limits.bannerLineBytes)
    }
}
