// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// Whole messages over a socket between two of our processes: uint32 length, then the message.
final class MessageSocket {
    let descriptor: Int32
    private var incoming = ByteQueue(capacityBytes: 1024)
    /// The other process has gone.
    private(set) var hasEnded = false
    /// The longest message that is taken, in bytes.
    var limitBytes: Int

    init(_ descriptor: Int32, limitBytes: Int) {
        self.descriptor = descriptor
        self.limitBytes = limitBytes
    }

    /// Sends a message, waiting for room if need be. An end is told by the next read.
    func send(_ message: [UInt8]) {
        var writer = WireWriter(reserving: message.count + 4)
        writer.write(string: message)
        if !Descriptor.writeAll(descriptor, writer.take()) { hasEnded = true }
    }

    /// Takes what has arrived; call when the descriptor is readable.
    func fill() {
        let transfer = readOnce()
        switch transfer {
        case .bytes, .wouldBlock: break
        case .ended, .failed: hasEnded = true
        }
    }

    private func readOnce() -> Transfer {
        var result = Transfer.wouldBlock
        _ = incoming.appendUpTo(65536) { (span: inout MutableRawSpan) -> Int in
            result = Descriptor.read(descriptor, into: &span)
            if case .bytes(let count) = result { return count }
            return 0
        }
        return result
    }

    /// The next whole message, if it is there. One that is too long ends the connection.
    func next() -> [UInt8]? {
        guard incoming.count >= 4 else { return nil }
        let count = Int(incoming.bytes.bigEndianUInt32(at: 0))
        guard count <= limitBytes else {
            hasEnded = true
            return nil
        }
        guard incoming.count >= 4 + count else { return nil }
        let message = [UInt8](copying: incoming.bytes.extracting(4..<4 + count))
        incoming.removeFirst(4 + count)
        incoming.shrink(to: 1024)
        return message
    }

    /// Waits for the next message until `deadline` (nanoseconds of `Clock`). Nil when the other
    /// process has gone or the time is over.
    func waitForNext(deadline: UInt64? = nil) -> [UInt8]? {
        while true {
            if let message = next() { return message }
            if hasEnded { return nil }
            let now = Clock.nanoseconds
            if let deadline, now >= deadline { return nil }
            var set = PollSet()
            let place = set.add(descriptor, read: true)
            set.wait(timeout: deadline.map { $0 - now })
            if set.isReadable(place) { fill() }
        }
    }
}
