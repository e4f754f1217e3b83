// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// Signals as readable bytes: a handler writes the signal's number into a pipe, the loop reads it.
package enum Signals {
    // Written once by `open`, before any handler is installed; handlers only read it.
    nonisolated(unsafe) private static var writeEnd: Int32 = -1
    nonisolated(unsafe) private static var readEnd: Int32 = -1

    /// Whether any signal comes through the pipe.
    package static var isWatching: Bool { unsafe readEnd >= 0 }

    /// The descriptor to wait for.
    package static var descriptor: Int32 {
        if unsafe readEnd < 0 { open() }
        return unsafe readEnd
    }

    /// Delivers these signals through the pipe from now on.
    package static func watch(_ signals: [Int32]) {
        if unsafe readEnd < 0 { open() }
        for signal in signals { install(signal) }
    }

    /// The same for those of `signals` that the caller does not ignore (nohup), which it returns.
    @discardableResult
    package static func watchUnlessIgnored(_ signals: [Int32]) -> [Int32] {
        let heard = signals.filter { !isIgnored($0) }
        watch(heard)
        return heard
    }

    package static func ignore(_ signals: [Int32]) {
        for number in signals { signal(number, SIG_IGN) }
    }

    package static func useDefault(_ signals: [Int32]) {
        for number in signals { signal(number, SIG_DFL) }
    }

    /// Runs `body`, which starts a program, with a signal ignored, so that the program ignores it too.
    /// One that comes meanwhile is not lost: it does afterwards what it was set to do before.
    package static func whileIgnored<Result, Failure: Error>(
        _ number: Int32,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let before = actions(on: [number])
        var set = sigset_t()
        var mask = sigset_t()
        // SAFETY: sets of our own. A signal that is blocked waits even where it is ignored.
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, number)
        unsafe pthread_sigmask(SIG_BLOCK, &set, &mask)
        ignore([number])
        defer {
            restore(before)
            unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
        }
        return try body()
    }

    package static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        // SAFETY: reads the current action.
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// The signals that came since the last call, each once, in the order of their coming.
    package static func take() -> [Int32] {
        guard unsafe readEnd >= 0 else { return [] }
        var taken: [Int32] = []
        var bytes = [UInt8](repeating: 0, count: 64)
        while true {
            // SAFETY: writes at most `count` bytes.
            let count = unsafe Glibc.read(readEnd, &bytes, bytes.count)
            guard count > 0 else { return taken }
            for byte in bytes[0..<count] where !taken.contains(Int32(byte)) {
                taken.append(Int32(byte))
            }
        }
    }

    /// In a child that is a copy of this process: every signal as in a program that has just been
    /// started, and a pipe of its own as soon as one is wanted.
    package static func forget() {
        useDefault([SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD])
        unsafe Descriptor.close(readEnd)
        unsafe Descriptor.close(writeEnd)
        unsafe readEnd = -1
        unsafe writeEnd = -1
    }

    /// The same for some signals only; others stay for later.
    package static func take(only wanted: [Int32]) -> [Int32] {
        let taken = take()
        for number in taken where !wanted.contains(number) { note(number) }
        return taken.filter(wanted.contains)
    }

    // MARK: What signals do

    /// `SIGTSTP`, and `SIGCONT` that ends a stop.
    package static let stopped = SIGTSTP
    package static let continued = SIGCONT

    /// What the process does on signals, to be put back.
    package struct Actions {
        fileprivate var list: [(number: Int32, action: sigaction)]
    }

    package static func actions(on signals: [Int32]) -> Actions {
        var list: [(number: Int32, action: sigaction)] = []
        for number in signals {
            var action = sigaction()
            // SAFETY: reads the current action.
            if unsafe sigaction(number, nil, &action) == 0 { list.append((number, action)) }
        }
        return Actions(list: list)
    }

    package static func restore(_ actions: Actions) {
        for (number, saved) in actions.list {
            var action = saved
            // SAFETY: an action that was in force before.
            _ = unsafe sigaction(number, &action, nil)
        }
    }

    /// Sends this process a signal, which does what it is set to do.
    package static func send(_ number: Int32) {
        _ = Glibc.raise(number)
    }

    /// Crashes end the process at once: the runtime's backtracer has no place in a daemon.
    package static func dieOnCrash() {
        useDefault([SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV, SIGSYS])
    }

    /// Ends this process by a signal, as the shell expects of a program that was interrupted.
    package static func raise(_ number: Int32) {
        useDefault([number])
        _ = Glibc.raise(number)
    }

    private static func open() {
        guard let pipe = try? Descriptor.pipe() else { return }
        Descriptor.setNonblocking(pipe.read)
        Descriptor.setNonblocking(pipe.write)
        unsafe readEnd = pipe.read
        unsafe writeEnd = pipe.write
    }

    private static func note(_ number: Int32) {
        var byte = UInt8(truncatingIfNeeded: number)
        // SAFETY: reads one byte.
        _ = unsafe Glibc.write(writeEnd, &byte, 1)
    }

    private static func install(_ number: Int32) {
        var action = sigaction()
        action.sa_flags = SA_RESTART
        unsafe action.__sigaction_handler.sa_handler = { number in
            // Only calls that signal-safety(7) allows: one write, errno kept.
            let saved = errno
            Signals.note(number)
            errno = saved
        }
        // SAFETY: installs a handler that touches nothing but the pipe.
        _ = unsafe sigaction(number, &action, nil)
    }
}
