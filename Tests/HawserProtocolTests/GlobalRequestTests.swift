// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserProtocol

@Suite("Global requests, RFC 4254 §4")
struct GlobalRequestTests {
    @Test("Answers name their request and carry what the server chose")
    func answers() throws {
        var pair = try ConnectionPair.authenticated()
        let forward = pair.client.requestGlobal(
            .tcpipForward(address: "", port: 0),
            wantReply: true
        )
        let unknown = pair.client.requestGlobal(.other(name: "x@y", data: []), wantReply: true)
        let alive = pair.client.requestGlobal(.keepAlive, wantReply: true)
        var answered: [GlobalRequestID: Bool] = [:]
        var port: UInt32?
        try pair.run(
            client: { _, event in
                guard case .globalRequestAnswered(let id, let success, let payload) = event else {
                    return
                }
                answered[id] = success
                if id == forward { port = GlobalRequest.chosenPort(in: payload) }
            },
            server: { server, event in
                switch event {
                case .globalRequest(.tcpipForward, wantReply: true):
                    let answer = GlobalRequest.answer(chosenPort: 2222)
                    server.answerGlobalRequest(success: true, payload: answer)
                case .globalRequest(_, wantReply: true):
                    server.answerGlobalRequest(success: false)
                default: break
                }
            }
        )
        #expect(answered == [forward: true, unknown: false, alive: false])
        #expect(port == 2222)
    }

    @Test("Host keys are announced, and proved in their order")
    func hostKeys() throws {
        var pair = try ConnectionPair.authenticated()
        let keys: [[UInt8]] = [[1], [2, 2]]
        pair.server.requestGlobal(.hostKeys(keys), wantReply: false)
        var signatures: [[UInt8]] = []
        try pair.run(
            client: { client, event in
                switch event {
                case .globalRequest(.hostKeys(let keys), wantReply: false):
                    client.requestGlobal(.proveHostKeys(keys), wantReply: true)
                case .globalRequestAnswered(_, success: true, let payload):
                    signatures = (try? GlobalRequest.signatures(in: payload)) ?? []
                default: break
                }
            },
            server: { server, event in
                guard case .globalRequest(.proveHostKeys(let keys), wantReply: true) = event else {
                    return
                }
                let answer = GlobalRequest.answer(signatures: keys.map { $0 + [0xff] })
                server.answerGlobalRequest(success: true, payload: answer)
            }
        )
        #expect(signatures == [[1, 0xff], [2, 2, 0xff]])
    }
}

@Suite("Terminal modes, RFC 4254 §8")
struct TerminalModesTests {
    @Test("Pairs come back in order, and end where an opcode is not known")
    func roundTrip() throws {
        let modes = TerminalModes([
            .init(.vintr, 3), .init(.iutf8, 1), .init(.outputSpeed, 38400),
        ])
        let bytes = modes.encoding
        #expect(bytes.prefix(5) == [1, 0, 0, 0, 3])
        #expect(bytes.last == 0)
        #expect(try TerminalModes(reading: bytes.rawBytes) == modes)
        let odd: [UInt8] = [1, 0, 0, 0, 3, 160, 9]
        #expect(try TerminalModes(reading: odd.rawBytes).modes == [.init(.vintr, 3)])
        let cut: [UInt8] = [1, 0, 0, 0]
        #expect(throws: WireError.truncated) { try TerminalModes(reading: cut.rawBytes) }
    }
}
