// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// What a subsystem's program tells of files, for `EventLog`: an sftp-server of ours finds a pipe's
/// descriptor in its environment. It is the user's process as this one is, and believed as much.
extension SessionProcess {
    /// Whether anyone wants to know.
    var keepsAccount: Bool { settings.given("eventlog") != nil }

    /// Gives a subsystem's program a pipe; returns the end to close when it has started, -1 without.
    func offerFileEvents(_ spawn: inout Spawn, _ session: Session) throws(SystemError) -> Int32 {
        guard keepsAccount, session.isSubsystem else { return -1 }
        let pipe = try Descriptor.pipe()
        Descriptor.setNonblocking(pipe.read)
        spawn.descriptors.append((child: 3, ours: pipe.write))
        spawn.environment?.append("\(FileEventPipe.variable)=3")
        fileEvents[pipe.read] = FileEventReader(session: session.number)
        watch.set(pipe.read, read: true, write: false)
        return pipe.write
    }

    /// Passes on what has come; true when the descriptor was such a pipe.
    func takeFileEvents(_ descriptor: Int32) -> Bool {
        guard let reader = fileEvents[descriptor] else { return false }
        while let event = reader.next(from: descriptor) {
            ask(.report(.file(id: reader.session, event)))
        }
        if reader.hasEnded {
            fileEvents[descriptor] = nil
            watch.forget(descriptor)
            Descriptor.close(descriptor)
        }
        return true
    }
}

/// One pipe's events.
final class FileEventReader {
    let session: UInt32
    private var bytes = ByteQueue(capacityBytes: 256)
    private(set) var hasEnded = false

    /// The longest event, in bytes.
    private static let limitBytes = 16 << 10

    init(session: UInt32) { self.session = session }

    /// The next whole event, reading on as long as there is something to read.
    func next(from descriptor: Int32) -> FileEvent? {
        while !hasEnded {
            if bytes.count >= 4 {
                let count = Int(bytes.bytes.bigEndianUInt32(at: 0))
                guard count <= Self.limitBytes else {
                    hasEnded = true
                    return nil
                }
                if bytes.count >= 4 + count {
                    var reader = WireReader(bytes.bytes.extracting(4..<4 + count))
                    let event = try? FileEvent(from: &reader)
                    bytes.removeFirst(4 + count)
                    guard let event else {
                        hasEnded = true
                        return nil
                    }
                    return event
                }
            }
            var transfer = Transfer.wouldBlock
            _ = bytes.appendUpTo(16 << 10) { (span: inout MutableRawSpan) -> Int in
                transfer = Descriptor.read(descriptor, into: &span)
                if case .bytes(let count) = transfer { return count }
                return 0
            }
            switch transfer {
            case .bytes: continue
            case .wouldBlock: return nil
            case .ended, .failed: hasEnded = true
            }
        }
        return nil
    }
}
