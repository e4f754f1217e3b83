// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserSFTP

@Suite("A client's view of its server, draft-ietf-secsh-filexfer-02")
struct ClientTests {
    private func packet(_ type: UInt8, _ id: UInt32, _ body: (inout WireWriter) -> Void) -> [UInt8]
    {
        var writer = WireWriter()
        writer.writeString { (content) throws(Never) in
            content.write(byte: type)
            content.write(uint32: id)
            body(&content)
        }
        return writer.bytes
    }

    private func feed(_ client: inout Client, _ bytes: [UInt8]) {
        _ = client.receive(upTo: bytes.count) { (room: inout MutableRawSpan) -> Int in
            room.copy(bytes.rawBytes)
            return bytes.count
        }
    }

    @Test("It greets with version 3")
    func greeting() {
        let client = Client()
        let sent = [UInt8](copying: client.output.bytes)
        #expect(sent == [0, 0, 0, 5, 1, 0, 0, 0, 3])
    }

    @Test("Replies do not depend on how bytes are cut", arguments: [1, 2, 7, 4096])
    func cutting(pieceBytes: Int) throws {
        var client = Client()
        let bytes =
            packet(2, 3) {
                $0.write(text: "limits@openssh.com")
                $0.write(text: "1")
            } + packet(103, 9) { $0.write(text: "some data") }
            + packet(101, 10) {
                $0.write(uint32: 4)
                $0.write(text: "No space")
                $0.write(text: "")
            }
        var texts: [String] = []
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            feed(&client, Array(bytes[start..<min(bytes.count, start + pieceBytes)]))
            while let reply = try client.next() {
                switch reply.content {
                case .version: texts.append("version")
                case .data(let count):
                    let data = client.withData { [UInt8](copying: $0) }
                    texts.append("\(reply.id) \(count) \(String(decoding: data, as: UTF8.self))")
                case .status(let status, let text):
                    texts.append("\(status) \(String(decoding: text, as: UTF8.self))")
                default: texts.append("?")
                }
            }
        }
        #expect(texts == ["version", "9 9 some data", "failure No space"])
        let (version, extensions) = (client.version, client.extensions)
        #expect(version == 3)
        #expect(extensions == ["limits@openssh.com": "1"])
    }

    @Test("A packet that is too long, or none, is a fault")
    func faults() {
        for bytes in [
            [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 1, 103], packet(77, 1) { _ in },
            packet(104, 1) { $0.write(uint32: 0xffff_ffff) },
            packet(103, 1) { $0.write(uint32: 5) },
        ] {
            var client = Client()
            feed(&client, bytes)
            var isFault = false
            do throws(ClientFault) { _ = try client.next() } catch { isFault = true }
            #expect(isFault)
        }
    }

    @Test("A write is filled in place, and not sent when there is nothing to write")
    func write() throws {
        var client = Client()
        client.output.removeAll()
        let nothing = client.write([1], at: 0, upTo: 100) { _ in 0 }
        #expect(nothing == nil)
        let isSilent = client.output.isEmpty
        #expect(isSilent)
        let sent = client.write([0xaa], at: 258, upTo: 100) { (room: inout MutableRawSpan) in
            room[byteAt: 0] = 7
            return 1
        }
        #expect(sent?.count == 1)
        let expected: [UInt8] =
            [0, 0, 0, 23, 6, 0, 0, 0, 2, 0, 0, 0, 1, 0xaa, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 7]
        let bytes = [UInt8](copying: client.output.bytes)
        #expect(bytes == expected)
    }

    @Test("A server without limits is taken to have the most there is")
    func limits() throws {
        var writer = WireWriter()
        for value in [0, 0, 40_000, 0] as [UInt64] { writer.write(uint64: value) }
        let bytes = writer.bytes
        var reader = WireReader(bytes.rawBytes)
        let limits = try ServerLimits(from: &reader)
        #expect(limits.readBytes == UInt64(PacketLimits.dataBytes))
        #expect(limits.writeBytes == 40_000)
    }
}
