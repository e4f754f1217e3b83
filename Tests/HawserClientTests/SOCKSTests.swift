// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserClient

@Suite("SOCKS requests (version 4, 4A; RFC 1928)")
struct SOCKSTests {
    private func steps(_ pieces: [[UInt8]]) -> [SOCKSNegotiation.Step] {
        var negotiation = SOCKSNegotiation()
        var steps: [SOCKSNegotiation.Step] = []
        for piece in pieces {
            negotiation.append(piece.rawBytes)
            while true {
                let step = negotiation.next()
                if step == .needsMore { break }
                steps.append(step)
                guard case .answer = step else { break }
            }
        }
        return steps
    }

    private static let four: [UInt8] = [4, 1, 0, 80, 10, 1, 2, 3] + Array("me".utf8) + [0]
    private static let fourA: [UInt8] =
        [4, 1, 1, 187, 0, 0, 0, 1, 0] + Array("host.example".utf8) + [0]
    private static let five: [UInt8] = [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 22]
    private static let fiveName: [UInt8] =
        [5, 2, 0, 2, 5, 1, 0, 3, 9] + Array("localhost".utf8) + [31, 144]
    private static let fiveIPv6: [UInt8] =
        [5, 1, 0, 5, 1, 0, 4] + [UInt8](repeating: 0, count: 15) + [1, 0, 25]

    @Test(
        "Where a client wants to go",
        arguments: [
            (four, "10.1.2.3", 80), (fourA, "host.example", 443), (five, "127.0.0.1", 22),
            (fiveName, "localhost", 8080), (fiveIPv6, "0:0:0:0:0:0:0:1", 25),
        ] as [([UInt8], String, UInt16)]
    )
    func targets(request: [UInt8], host: String, port: UInt16) {
        #expect(steps([request]).last == .connect(host: host, port: port))
        // However the bytes are cut.
        #expect(steps(request.map { [$0] }).last == .connect(host: host, port: port))
    }

    @Test("What follows a request is kept")
    func rest() {
        var negotiation = SOCKSNegotiation()
        negotiation.append((Self.four + [1, 2, 3]).rawBytes)
        #expect(negotiation.next() == .connect(host: "10.1.2.3", port: 80))
        #expect(negotiation.rest == [1, 2, 3])
        #expect(negotiation.reply(.connected) == [0, 90, 0, 0, 0, 0, 0, 0])
        #expect(negotiation.reply(.refused) == [0, 91, 0, 0, 0, 0, 0, 0])
    }

    @Test(
        "What is refused",
        arguments: [
            ([6], []), ([4, 2, 0, 80, 1, 2, 3, 4, 0], [0, 91, 0, 0, 0, 0, 0, 0]),
            ([5, 1, 2], [5, 0xff]),
            ([5, 1, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 1], [5, 7, 0, 1, 0, 0, 0, 0, 0, 0]),
            ([5, 1, 0, 5, 1, 0, 9, 0, 0, 0, 0, 0, 1], [5, 8, 0, 1, 0, 0, 0, 0, 0, 0]),
            ([5, 1, 0, 5, 1, 0, 3, 2, 0x20, 0x41, 0, 1], [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]),
        ] as [([UInt8], [UInt8])]
    )
    func refusals(request: [UInt8], answer: [UInt8]) {
        #expect(steps([request]).last == .refuse(answer))
    }

    @Test("A request without end is refused")
    func endless() {
        let request: [UInt8] = [4, 1, 0, 80, 1, 2, 3, 4] + [UInt8](repeating: 65, count: 2000)
        #expect(steps([request]).last == .refuse([]))
    }
}
