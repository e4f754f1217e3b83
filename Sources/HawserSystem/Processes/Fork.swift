// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Children that are copies of this process, for one of a single thread: what they do not write to
/// they share with it. C: `fork`.
package enum Fork {
    /// Runs `body` in a child, which ends with what it returns; the parent gets the child's number.
    package static func start(_ body: () -> Int32) throws(SystemError) -> Int32 {
        let pid = fork()
        guard pid >= 0 else { throw SystemError("fork") }
        // Nothing of the parent's that waits for its end may run here: no `exit`.
        if pid == 0 { _exit(body()) }
        return pid
    }

    /// What a child makes of `body`, at most `limit` bytes; nil when it did not end well. What it
    /// reads meanwhile is gone with it.
    package static func answer(limit: Int = 1 << 20, _ body: () -> [UInt8]?) -> [UInt8]? {
        guard let pipe = try? Descriptor.pipe() else { return nil }
        defer { Descriptor.close(pipe.read) }
        let pid = try? start {
            guard let bytes = body() else { return 1 }
            return Descriptor.writeAll(pipe.write, bytes) ? 0 : 1
        }
        Descriptor.close(pipe.write)
        guard let pid else { return nil }
        let answer = Descriptor.readAll(pipe.read, limit: limit)
        return Child.wait(pid) == .exited(0) ? answer : nil
    }

    /// In a child: makes its descriptors from 3 on what `descriptors` says, closes every other, and
    /// takes signals as a program does that has just been started.
    package static func becomeOwn(
        _ descriptors: [(child: Int32, ours: Int32)]
    ) throws(SystemError) {
        Signals.forget()
        Syslog.reopen()
        // Out of the way first, so that no number is overwritten before it is used; not far, the
        // limit may be low.
        let highest = max(2, descriptors.map(\.child).max() ?? 2)
        var moved: [(child: Int32, ours: Int32)] = []
        for (child, ours) in descriptors {
            moved.append((child, try Descriptor.duplicate(ours, atLeast: highest + 1)))
        }
        if highest > 2 { _ = close_range(3, UInt32(highest), 0) }
        for (child, ours) in moved {
            try Descriptor.replace(child, with: ours)
            if child > 2 { Descriptor.setCloseOnExec(child) }
        }
        Descriptor.closeAll(from: highest + 1)
    }
}
