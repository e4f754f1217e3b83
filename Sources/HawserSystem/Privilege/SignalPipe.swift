// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// Signals as bytes on a descriptor that a loop can wait for. One per process.
package enum SignalPipe {
    /// Sends these signals to a pipe from now on and returns its reading end.
    package static func open(_ signals: [Int32]) -> Int32? {
        guard let (reading, writing) = Plumbing.pipe() else { return nil }
        Plumbing.setNonBlocking(reading)
        Plumbing.setNonBlocking(writing)
        unsafe (signalWritingEnd = writing)
        for signal in signals { handle(signal) }
        return reading
    }

    /// The numbers of the signals that have come.
    package static func take(_ reading: Int32) -> [Int32] {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(reading, &buffer, buffer.count)
        return count > 0 ? buffer.prefix(count).map(Int32.init) : []
    }

    /// Ignores a signal; exec keeps that.
    package static func ignore(_ signal: Int32) {
        _ = Glibc.signal(signal, SIG_IGN)
    }

    package static func restoreDefault(_ signal: Int32) {
        _ = Glibc.signal(signal, SIG_DFL)
    }

    /// Blocks nothing.
    package static func unblockAll() {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        _ = unsafe sigprocmask(SIG_SETMASK, &set, nil)
    }

    /// The process ends by SIGALRM after so many seconds, whatever it does then; 0 takes it back.
    package static func endAfter(seconds: UInt32) {
        _ = alarm(seconds)
    }

    private static func handle(_ signal: Int32) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { number in
            // Only calls that a handler may make.
            let error = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = unsafe write(signalWritingEnd, &byte, 1)
            errno = error
        }
        action.sa_flags = SA_RESTART
        _ = unsafe sigaction(signal, &action, nil)
    }
}

/// Written once, before the handlers are there; read by them.
nonisolated(unsafe) private var signalWritingEnd: Int32 = -1
