// SPDX-License-Identifier: Apache-2.0

import HawserMultiplex
import HawserWire
import Testing

@Suite("The control-socket protocol, PROTOCOL.mux")
struct MultiplexMessagesTests {
    static let session = MultiplexSession(
        wantsTerminal: true,
        escapeCharacter: 126,
        terminalType: "xterm",
        command: "id",
        environment: ["LANG=C", "A=b"]
    )
    static let forward = MultiplexForward(
        kind: .local,
        listenHost: "127.0.0.1",
        listenPort: 1,
        connectHost: "h",
        connectPort: 2
    )

    static let allRequests: [MultiplexRequest] = [
        .hello(version: 4, extensions: []), .hello(version: 4, extensions: ["info"]),
        .newSession(id: 1, session), .aliveCheck(id: 2), .terminate(id: 3),
        .openForward(id: 4, forward), .closeForward(id: 5, forward),
        .newStandardForward(id: 6, host: "h", port: 22), .stopListening(id: 7), .proxy(id: 8),
        .other(type: 0x1000_0099, id: 9),
    ]
    static let allReplies: [MultiplexReply] = [
        .hello(version: 4, extensions: []), .ok(id: 1), .permissionDenied(id: 2, "no"),
        .failure(id: 3, "why"), .exitMessage(session: 4, status: 5), .alive(id: 6, pid: 7),
        .sessionOpened(id: 8, session: 9), .remotePort(id: 10, port: 11),
        .terminalFailed(session: 12), .proxy(id: 13), .other(type: 0x8000_0099),
    ]

    private func content(_ frame: [UInt8]) throws -> [UInt8] {
        var framing = MultiplexFraming()
        framing.append(frame)
        return try #require(try framing.next())
    }

    @Test("What is written reads back", arguments: Self.allRequests)
    func requestRoundTrip(request: MultiplexRequest) throws {
        let message = try content(request.frame)
        let read = try MultiplexRequest(message.rawBytes)
        #expect(read == request)
    }

    @Test("What is written reads back", arguments: Self.allReplies)
    func replyRoundTrip(reply: MultiplexReply) throws {
        let message = try content(reply.frame)
        let read = try MultiplexReply(message.rawBytes)
        #expect(read == reply)
    }

    @Test("No truncation traps, and none gives the whole message")
    func truncation() throws {
        for request in Self.allRequests {
            let message = try content(request.frame)
            for count in 0..<message.count {
                let read = try? MultiplexRequest(message.rawBytes.extracting(first: count))
                #expect(read != request)
            }
        }
        for reply in Self.allReplies {
            let message = try content(reply.frame)
            for count in 0..<message.count {
                let read = try? MultiplexReply(message.rawBytes.extracting(first: count))
                #expect(read != reply)
            }
        }
    }

    @Test("Messages are found however they are cut, and one too long is refused")
    func framing() throws {
        var framing = MultiplexFraming()
        var found: [[UInt8]] = []
        for byte in MultiplexReply.ok(id: 1).frame + MultiplexReply.ok(id: 2).frame {
            framing.append([byte])
            while let message = try framing.next() { found.append(message) }
        }
        #expect(found.count == 2)
        framing.append([0xff, 0xff, 0xff, 0xff])
        #expect(throws: WireError.tooLong) { _ = try framing.next() }
    }

    // MUX_C_ALIVE_CHECK as PROTOCOL.mux numbers it.
    @Test("The bytes of an alive check")
    func bytes() {
        #expect(
            MultiplexRequest.aliveCheck(id: 1).frame == [0, 0, 0, 8, 0x10, 0, 0, 4, 0, 0, 0, 1]
        )
    }
}
