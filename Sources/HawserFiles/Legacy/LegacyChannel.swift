// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// Why a copy by the old protocol is over.
package enum LegacyEnd: Error, Equatable, Sendable {
    /// The connection is gone.
    case lostConnection
    /// The other side broke the protocol, or said that it ends; the text is for the user.
    case over(String)
}

/// Two descriptors with the other side behind them: lines, single bytes, and files' contents.
final class LegacyChannel {
    private let reader: Int32
    private let writer: Int32
    private var input = ByteQueue(capacityBytes: chunkBytes)
    private var buffer = [UInt8](repeating: 0, count: chunkBytes)
    private var limit: RateLimit

    init(reader: Int32, writer: Int32, kilobitsPerSecond: UInt64) {
        self.reader = reader
        self.writer = writer
        limit = RateLimit(kilobitsPerSecond: kilobitsPerSecond)
    }

    /// Everything that can be read now or, with nothing there, whatever comes next.
    private func fill() throws(LegacyEnd) {
        var result = Transfer.wouldBlock
        let descriptor = reader
        _ = input.appendUpTo(chunkBytes) { room in
            result = Descriptor.read(descriptor, into: &room)
            if case .bytes(let count) = result { return count }
            return 0
        }
        switch result {
        case .bytes: return
        case .wouldBlock: Descriptor.waitUntilReady(reader, forWriting: false)
        case .ended, .failed: throw .lostConnection
        }
    }

    /// The next byte; nil when the other side has ended.
    func byte() throws(LegacyEnd) -> UInt8? {
        while input.isEmpty {
            do throws(LegacyEnd) { try fill() } catch { return nil }
        }
        let value = input.bytes[byteAt: 0]
        input.removeFirst(1)
        return value
    }

    /// The rest of a line, without its end.
    func restOfLine() throws(LegacyEnd) -> [UInt8] {
        var line: [UInt8] = []
        while true {
            guard let next = try byte() else { throw .lostConnection }
            if next == 10 { return line }
            line.append(next)
            guard line.count < CopyRecord.lineBytes else { throw .over("lost connection") }
        }
    }

    func send(_ bytes: [UInt8]) throws(LegacyEnd) {
        guard Descriptor.writeAll(writer, bytes) else { throw .lostConnection }
    }

    /// Takes `count` bytes and puts them into a file. Goes on to the end even if writing fails;
    /// then the negative error number comes back.
    func receive(
        _ count: UInt64,
        to file: Int32,
        progress: (UInt64) -> Void
    ) throws(LegacyEnd) -> Int {
        var left = count
        var failure = 0
        while left > 0 {
            while input.isEmpty { try fill() }
            let portion = Int(min(UInt64(input.count), left))
            var done = 0
            while done < portion, failure == 0 {
                let result = FileCalls.write(file, input.bytes.extracting(done..<portion))
                if result > 0 { done += result } else { failure = result == 0 ? -5 : result }
            }
            input.removeFirst(portion)
            left -= UInt64(portion)
            pause(portion)
            progress(count - left)
        }
        return failure
    }

    /// Sends `count` bytes of a file; zeros in place of those that cannot be read, and then the
    /// negative error number comes back.
    func send(
        _ count: UInt64,
        of file: Int32,
        progress: (UInt64) -> Void
    ) throws(LegacyEnd) -> Int {
        var done: UInt64 = 0
        var failure = 0
        while done < count {
            let wanted = limit.portion(Int(min(UInt64(buffer.count), count - done)))
            var got = wanted
            if failure == 0 {
                var span = buffer.mutableRawBytes
                var room = span.prefix(wanted)
                let result = FileCalls.read(file, into: &room)
                if result > 0 { got = result } else { failure = result == 0 ? -5 : result }
            }
            if failure != 0 {
                for index in 0..<got { buffer[index] = 0 }
            }
            try write(got)
            done += UInt64(got)
            pause(got)
            progress(done)
        }
        return failure
    }

    private func write(_ count: Int) throws(LegacyEnd) {
        var start = 0
        while start < count {
            switch Descriptor.write(writer, buffer.rawBytes.extracting(start..<count)) {
            case .bytes(let written): start += written
            case .wouldBlock: Descriptor.waitUntilReady(writer, forWriting: true)
            case .ended, .failed: throw .lostConnection
            }
        }
    }

    private func pause(_ bytes: Int) {
        limit.passed(bytes)
        let delay = limit.delay
        if delay > 0 { Clock.sleep(nanoseconds: delay) }
    }
}

/// One read or write of a file, in bytes.
private let chunkBytes = 256 * 1024
