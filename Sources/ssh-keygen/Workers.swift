// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// Work on many items by as many processes as the machine has processors.
enum Workers {
    /// A child with a pipe to it and one from it.
    fileprivate struct Worker {
        let process: Int32
        let toChild: Int32
        let fromChild: Int32
        /// What it works on.
        var item: Int?
        var received: [UInt8] = []
    }

    /// Carries out `work` for each item in some child, and tells `done` of the answers in the order
    /// of the items. Leaves the program when a child dies.
    static func run(
        _ items: Range<Int>,
        _ work: (Int) -> [UInt8],
        done: (Int, [UInt8]) -> Void
    ) {
        var workers: [Worker] = []
        for _ in 0..<min(Daemon.processors, items.count, 256) {
            guard let worker = start(work, closing: workers) else { break }
            workers.append(worker)
        }
        defer {
            for worker in workers {
                Descriptor.close(worker.toChild)
                Descriptor.close(worker.fromChild)
                _ = Child.wait(worker.process)
            }
        }
        guard !workers.isEmpty else {
            for item in items { done(item, work(item)) }
            return
        }
        var next = items.lowerBound
        var reported = items.lowerBound
        // Answers that came before those of earlier items.
        var early: [Int: [UInt8]] = [:]
        var set = PollSet()
        while reported < items.upperBound {
            set.removeAll()
            for index in workers.indices {
                if workers[index].item == nil, next < items.upperBound {
                    workers[index].item = next
                    Descriptor.writeAll(workers[index].toChild, encode(next))
                    next += 1
                }
            }
            let entries = workers.map { set.add($0.fromChild, read: $0.item != nil) }
            set.wait(timeout: nil)
            for (index, entry) in entries.enumerated()
            where set.isReadable(entry) || set.isHungUp(entry) {
                guard workers[index].receive() else { fatal("a worker process has died") }
                guard let item = workers[index].item, let answer = workers[index].takeAnswer()
                else { continue }
                workers[index].item = nil
                early[item] = answer
            }
            while let answer = early.removeValue(forKey: reported) {
                done(reported, answer)
                reported += 1
            }
        }
    }

    private static func start(_ work: (Int) -> [UInt8], closing others: [Worker]) -> Worker? {
        guard let down = try? Descriptor.pipe(), let up = try? Descriptor.pipe() else { return nil }
        guard let process = try? Daemon.forkChild() else { return nil }
        if process == 0 {
            Daemon.dieWithParent()
            for other in others {
                Descriptor.close(other.toChild)
                Descriptor.close(other.fromChild)
            }
            Descriptor.close(down.write)
            Descriptor.close(up.read)
            serve(work, from: down.read, to: up.write)
        }
        Descriptor.close(down.read)
        Descriptor.close(up.write)
        return Worker(process: process, toChild: down.write, fromChild: up.read)
    }

    /// The child's life: a number comes, an answer goes; it ends with its parent.
    private static func serve(
        _ work: (Int) -> [UInt8],
        from input: Int32,
        to output: Int32
    ) -> Never {
        while let head = Descriptor.readExactly(input, count: 8) {
            let item = Int(truncatingIfNeeded: head.rawBytes.bigEndianUInt64(at: 0))
            let answer = work(item)
            guard Descriptor.writeAll(output, encode(answer.count) + answer) else { break }
        }
        Daemon.exit(0)
    }

    private static func encode(_ number: Int) -> [UInt8] {
        var writer = WireWriter()
        writer.write(uint64: UInt64(number))
        return writer.take()
    }
}

extension Workers.Worker {
    /// Reads what is there; false when the other end is gone.
    fileprivate mutating func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16384)
        var span = chunk.mutableRawBytes
        guard case .bytes(let count) = Descriptor.read(fromChild, into: &span) else { return false }
        received += chunk[..<count]
        return true
    }

    /// An answer that has come as a whole.
    fileprivate mutating func takeAnswer() -> [UInt8]? {
        guard received.count >= 8 else { return nil }
        let count = Int(truncatingIfNeeded: received.rawBytes.bigEndianUInt64(at: 0))
        guard count >= 0, received.count - 8 >= count else { return nil }
        let answer = Array(received[8..<8 + count])
        received.removeFirst(8 + count)
        return answer
    }
}
