// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// The descriptors that a loop waits for, filled anew before each wait. C: `poll`.
///
/// Its arrays stay, so that a wait allocates nothing.
package struct PollSet {
    private var entries: [pollfd] = []

    package init() {
        entries.reserveCapacity(16)
    }

    package mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds a descriptor; the index asks for what came of it. With neither interest only an error
    /// or a hang-up is told.
    @discardableResult
    package mutating func add(_ fd: Int32, read: Bool = false, write: Bool = false) -> Int {
        var events: Int16 = 0
        if read { events |= Int16(POLLIN) }
        if write { events |= Int16(POLLOUT) }
        entries.append(pollfd(fd: fd, events: events, revents: 0))
        return entries.count - 1
    }

    /// Waits until one is ready, a signal comes, or `timeout` nanoseconds are over (nil: no bound).
    /// Where nothing happens for `rests` nanoseconds, the rest of the wait is spent with less memory.
    package mutating func wait(timeout: UInt64?, rests: UInt64? = nil) {
        var milliseconds: Int32 = -1
        if let timeout {
            milliseconds = Int32(clamping: (timeout + 999_999) / 1_000_000)
        }
        let count = entries.count
        // SAFETY: `count` entries.
        let ready = unsafe entries.withUnsafeMutableBufferPointer {
            guard let rests, let left = Rest.left(of: milliseconds, after: rests) else {
                return unsafe poll($0.baseAddress, nfds_t(count), milliseconds)
            }
            let early = unsafe poll(
                $0.baseAddress,
                nfds_t(count),
                Int32(clamping: rests / 1_000_000)
            )
            return early != 0 ? early : unsafe Rest.wait($0.baseAddress, UInt32(count), left)
        }
        if ready <= 0 {
            for index in entries.indices { entries[index].revents = 0 }
        }
    }

    /// Whether a read would not wait: there are bytes, an end or an error.
    package func isReadable(_ index: Int) -> Bool {
        entries[index].revents & Int16(POLLIN | POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// Whether a write would not wait.
    package func isWritable(_ index: Int) -> Bool {
        entries[index].revents & Int16(POLLOUT | POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// Whether the other end is gone.
    package func isHungUp(_ index: Int) -> Bool {
        entries[index].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
    }
}
