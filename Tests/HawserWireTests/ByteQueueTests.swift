// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Bytes in at one end, out at the other")
struct ByteQueueTests {
    @Test("What goes in comes out in order, however it is cut", arguments: [1, 3, 64, 1000])
    func order(chunk: Int) {
        var queue = ByteQueue(capacityBytes: 64)
        var sent: UInt8 = 0
        var received: UInt8 = 0
        var total = 0
        while total < 5000 {
            let bytes = (0..<chunk).map { UInt8(truncatingIfNeeded: Int(sent) + $0) }
            sent &+= UInt8(truncatingIfNeeded: chunk)
            queue.append(bytes)
            let take = min(queue.count, max(1, chunk - 1))
            for index in 0..<take {
                #expect(queue.bytes[byteAt: index] == received &+ UInt8(truncatingIfNeeded: index))
            }
            received &+= UInt8(truncatingIfNeeded: take)
            queue.removeFirst(take)
            total += take
        }
        while !queue.isEmpty {
            #expect(queue.bytes[byteAt: 0] == received)
            received &+= 1
            queue.removeFirst(1)
        }
        #expect(received == sent)
    }

    @Test("A queue that is emptied as fast as it is filled does not grow")
    func bounded() {
        var queue = ByteQueue(capacityBytes: 256)
        for _ in 0..<1000 {
            queue.append([UInt8](repeating: 1, count: 100))
            queue.removeFirst(100)
        }
        #expect(queue.capacityBytes == 256)
    }

    @Test("Filling in place adds what was written and no more")
    func appendUpTo() {
        var queue = ByteQueue(capacityBytes: 64)
        let written = queue.appendUpTo(1000) { (span: inout MutableRawSpan) -> Int in
            span[byteAt: 0] = 1
            span[byteAt: 1] = 2
            return 2
        }
        #expect(written == 2)
        #expect([UInt8](copying: queue.bytes) == [1, 2])
    }

    @Test("Numbers are appended big-endian")
    func numbers() {
        var queue = ByteQueue()
        queue.append(uint32: 0x0102_0304)
        queue.append(byte: 5)
        #expect([UInt8](copying: queue.bytes) == [1, 2, 3, 4, 5])
        queue.removeLast(4)
        #expect([UInt8](copying: queue.bytes) == [1])
    }

    @Test("An empty queue gives memory back")
    func shrink() {
        var queue = ByteQueue(capacityBytes: 64)
        queue.append([UInt8](repeating: 0, count: 100_000))
        queue.shrink(to: 64)
        #expect(queue.capacityBytes >= 100_000)
        queue.removeAll()
        queue.shrink(to: 64)
        #expect(queue.capacityBytes == 64)
    }
}
