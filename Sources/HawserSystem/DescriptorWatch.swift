// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// Descriptors that a loop waits for, told once: a wait costs what has happened, not what is
/// watched. C: `epoll`.
///
/// What can never be waited for, such as a regular file, is always ready. A descriptor must be taken
/// out (`forget`) before it is closed: another process may still hold its open file, and the kernel
/// would go on telling of it.
package final class DescriptorWatch {
    /// What came of one descriptor.
    package struct Ready: Sendable {
        package let descriptor: Int32
        /// A read would not wait: there are bytes, an end or an error.
        package let isReadable: Bool
        /// A write would not wait.
        package let isWritable: Bool
    }

    private struct Interest: OptionSet {
        let rawValue: UInt8
        static let read = Interest(rawValue: 1)
        static let write = Interest(rawValue: 2)
        /// The kernel cannot wait for it.
        static let alwaysReady = Interest(rawValue: 4)
    }

    private var instance: Int32
    /// By descriptor.
    private var interests: [Interest] = []
    /// The wait after which a descriptor was put in: what an older one found is about another
    /// descriptor of the same number.
    private var beginnings: [UInt32] = []
    private var waits: UInt32 = 0
    private var alwaysReady: [Int32] = []
    private var found = [UInt64](repeating: 0, count: 128)

    package init() throws(SystemError) {
        instance = hawser_epoll_create()
        guard instance >= 0 else { throw SystemError("epoll_create1") }
    }

    deinit {
        Descriptor.close(instance)
    }

    /// Says what to wait for from now on; neither is nothing at all, not even a hang-up.
    package func set(_ descriptor: Int32, read: Bool, write: Bool) {
        guard descriptor >= 0 else { return }
        var wanted: Interest = []
        if read { wanted.insert(.read) }
        if write { wanted.insert(.write) }
        let index = Int(descriptor)
        if index >= interests.count {
            if wanted.isEmpty { return }
            interests += Array(repeating: [], count: max(index + 1, 64) - interests.count)
            beginnings += Array(repeating: 0, count: interests.count - beginnings.count)
        }
        let before = interests[index]
        if before.subtracting(.alwaysReady) == wanted { return }
        if before.contains(.alwaysReady) {
            if wanted.isEmpty {
                interests[index] = []
                alwaysReady.removeAll { $0 == descriptor }
            } else {
                interests[index] = wanted.union(.alwaysReady)
            }
            return
        }
        interests[index] = wanted
        if before.isEmpty { beginnings[index] = waits }
        guard control(descriptor, isNew: before.isEmpty, wanted) else {
            // Regular files and /dev/null are always ready.
            interests[index] = wanted.isEmpty ? [] : wanted.union(.alwaysReady)
            if !wanted.isEmpty { alwaysReady.append(descriptor) }
            return
        }
    }

    /// Takes a descriptor out, before it is closed.
    package func forget(_ descriptor: Int32) {
        set(descriptor, read: false, write: false)
    }

    /// The same for a socket that no other process has and that is closed at once, by which the kernel
    /// takes it out by itself.
    package func release(_ descriptor: Int32) {
        guard descriptor >= 0, Int(descriptor) < interests.count else { return }
        if interests[Int(descriptor)].contains(.alwaysReady) {
            forget(descriptor)
        } else {
            interests[Int(descriptor)] = []
        }
    }

    private func control(_ descriptor: Int32, isNew: Bool, _ wanted: Interest) -> Bool {
        var events: UInt32 = 0
        if wanted.contains(.read) { events |= hawser_epoll_in() }
        if wanted.contains(.write) { events |= hawser_epoll_out() }
        if wanted.isEmpty {
            _ = hawser_epoll_remove(instance, descriptor)
            return true
        }
        return hawser_epoll_set(instance, descriptor, isNew ? 1 : 0, events) == 0
    }

    /// Goes on with a set of this process alone, after a fork: the kernel's set is shared with the
    /// parent until then.
    package func renew() throws(SystemError) {
        let fresh = hawser_epoll_create()
        guard fresh >= 0 else { throw SystemError("epoll_create1") }
        Descriptor.close(instance)
        instance = fresh
        for (index, interest) in interests.enumerated()
        where !interest.isEmpty && !interest.contains(.alwaysReady) {
            _ = control(Int32(truncatingIfNeeded: index), isNew: true, interest)
        }
    }

    /// Fills `found`; how many are ready, negative when a signal came.
    private func ready(within milliseconds: Int32) -> Int32 {
        // SAFETY: writes at most `count` numbers.
        unsafe found.withUnsafeMutableBufferPointer {
            unsafe hawser_epoll_wait(instance, $0.baseAddress, Int32($0.count), milliseconds)
        }
    }

    /// Waits until something is ready, a signal comes, or `timeout` nanoseconds are over (nil: no
    /// bound), and tells `body` what is, in no order. Where nothing happens for `rests` nanoseconds,
    /// the rest of the wait is spent with less memory, after what `resting` does for that; true when
    /// it was.
    @discardableResult
    package func wait(
        timeout: UInt64?,
        rests: UInt64? = nil,
        resting: () -> Void = {},
        _ body: (Ready) -> Void
    ) -> Bool {
        var hasRested = false
        var milliseconds: Int32 = -1
        if let timeout { milliseconds = Int32(clamping: timeout / 1_000_000 &+ 1) }
        if timeout == 0 || !alwaysReady.isEmpty { milliseconds = 0 }
        waits &+= 1
        let left = rests.flatMap { Rest.left(of: milliseconds, after: $0) }
        if left != nil, let rests { milliseconds = Int32(clamping: rests / 1_000_000) }
        var count = ready(within: milliseconds)
        if let left, count == 0 {
            // The set is itself a descriptor that can be waited for.
            var entry = pollfd(fd: instance, events: Int16(POLLIN), revents: 0)
            resting()
            _ = unsafe Rest.wait(&entry, 1, left)
            hasRested = true
            count = ready(within: 0)
        }
        if count > 0 {
            for index in 0..<Int(count) {
                let events = UInt32(truncatingIfNeeded: found[index])
                let isOver = events & ~(hawser_epoll_in() | hawser_epoll_out()) != 0
                let descriptor = Int32(truncatingIfNeeded: found[index] >> 32)
                guard Int(descriptor) < interests.count,
                    beginnings[Int(descriptor)] != waits
                else { continue }
                let interest = interests[Int(descriptor)]
                let isReadable =
                    interest.contains(.read) && (isOver || events & hawser_epoll_in() != 0)
                let isWritable =
                    interest.contains(.write) && (isOver || events & hawser_epoll_out() != 0)
                guard isReadable || isWritable else { continue }
                body(
                    Ready(
                        descriptor: descriptor,
                        isReadable: isReadable,
                        isWritable: isWritable
                    )
                )
            }
        }
        for descriptor in alwaysReady {
            let interest = interests[Int(descriptor)]
            guard !interest.isEmpty else { continue }
            body(
                Ready(
                    descriptor: descriptor,
                    isReadable: interest.contains(.read),
                    isWritable: interest.contains(.write)
                )
            )
        }
        return hasRested
    }
}
