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
///
/// What is sent is gathered and goes out before this end waits for the other, so that many small
/// files cost few system calls and packets where the other side lets them pass.
final class LegacyChannel {
    private let reader: Int32
    private let writer: Int32
    private var input = ByteQueue(capacityBytes: 4096)
    private var output = ByteQueue(capacityBytes: 4096)
    private var limit: RateLimit

    init(reader: Int32, writer: Int32, kilobitsPerSecond: UInt64) {
        self.reader = reader
        self.writer = writer
        limit = RateLimit(kilobitsPerSecond: kilobitsPerSecond)
    }

    /// Everything that can be read now or, with nothing there, whatever comes next.
    private func fill() throws(LegacyEnd) {
        flushOrForget()
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

    /// Whether something comes from the other side, or its end, within so many milliseconds.
    func isHeard(within milliseconds: Int32) -> Bool {
        if !input.isEmpty { return true }
        flushOrForget()
        return Descriptor.waitUntilReady(reader, forWriting: false, milliseconds: milliseconds)
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

    /// The rest of a line that begins with `first`, without its end.
    func line(from first: UInt8) throws(LegacyEnd) -> [UInt8] {
        var line = [first]
        while true {
            guard let next = try byte() else { throw .lostConnection }
            if next == 10 { return line }
            line.append(next)
            guard line.count <= CopyRecord.lineBytes else { throw .over("lost connection") }
        }
    }

    /// Puts bytes behind those that are to be sent.
    func send(_ bytes: [UInt8]) throws(LegacyEnd) {
        output.append(bytes)
        if output.count >= sendBytes { try flush() }
    }

    /// Sends what has been gathered.
    func flush() throws(LegacyEnd) {
        while !output.isEmpty {
            switch Descriptor.write(writer, output.bytes) {
            case .bytes(let written): output.removeFirst(written)
            case .wouldBlock: Descriptor.waitUntilReady(writer, forWriting: true)
            case .ended, .failed: throw .lostConnection
            }
        }
    }

    /// Who takes nothing more may have said why before.
    private func flushOrForget() {
        do throws(LegacyEnd) { try flush() } catch { output.removeAll() }
    }

    /// Takes `count` bytes and puts them into a file (nil: nowhere). Goes on to the end even if
    /// writing fails; then the negative error number comes back.
    func receive(
        _ count: UInt64,
        to file: Int32?,
        progress: (UInt64) -> Void
    ) throws(LegacyEnd) -> Int {
        var left = count
        var failure = 0
        while left > 0 {
            while input.isEmpty { try fill() }
            let portion = Int(min(UInt64(input.count), left))
            var done = 0
            while let file, done < portion, failure == 0 {
                let result = FileCalls.write(file, input.bytes.extracting(done..<portion))
                if result > 0 { done += result } else { failure = result == 0 ? -5 : result }
            }
            input.removeFirst(portion)
            left -= UInt64(portion)
            try pause(portion)
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
            let wanted = limit.portion(Int(min(UInt64(chunkBytes), count - done)))
            var got = 0
            if failure == 0 {
                var result = 0
                got = output.appendUpTo(wanted) { room in
                    result = FileCalls.read(file, into: &room)
                    return max(0, result)
                }
                if result <= 0 { failure = result == 0 ? -5 : result }
            }
            if failure != 0 {
                output.append([UInt8](repeating: 0, count: wanted))
                got = wanted
            }
            if output.count >= sendBytes { try flush() }
            done += UInt64(got)
            try pause(got)
            progress(done)
        }
        return failure
    }

    private func pause(_ bytes: Int) throws(LegacyEnd) {
        guard limit.isBounded else { return }
        try flush()
        limit.passed(bytes)
        let delay = limit.delay
        if delay > 0 { Clock.sleep(nanoseconds: delay) }
    }
}

/// One read or write of a file, in bytes.
private let chunkBytes = 256 * 1024
/// So much is gathered before it is sent.
private let sendBytes = 64 * 1024
