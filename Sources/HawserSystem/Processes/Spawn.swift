// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// A program to start. C: `posix_spawn`.
package struct Spawn {
    package var path: String
    /// argv[0] and what follows it.
    package var arguments: [String]
    /// Takes the place of the last argument: bytes that need not be UTF-8, such as a command.
    package var lastArgument: [UInt8]?
    /// All of argv, in place of `arguments`, where words need not be UTF-8.
    package var rawArguments: [[UInt8]]?
    /// `NAME=value` each; nil: this process' own.
    package var environment: [String]?
    /// Looks `path` up in PATH.
    package var searchesPath = false
    /// What each of the child's descriptors is, in order; every other one is closed.
    package var descriptors: [(child: Int32, ours: Int32)] = []
    /// A new session, without a controlling terminal.
    package var startsSession = false
    /// A terminal to become the session's own and the three standard descriptors.
    package var terminal: String?
    package var directory: String?
    /// Signals that the child goes on ignoring when this process does.
    package var keptSignals: [Int32] = []

    package init(_ path: String, _ arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// The shell's `-c` of a user.
    package static func shell(_ shell: String, command: String) -> Spawn {
        Spawn(shell, [shell, "-c", command])
    }

    /// Starts it and returns its process number.
    package func start() throws(SystemError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        // SAFETY: both are initialised here and destroyed below.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        prepare(&attributes)
        unsafe prepare(&actions)
        var pid: pid_t = 0
        let status = unsafe Self.withCStrings(arguments, last: lastArgument, raw: rawArguments) {
            argv in
            unsafe Self.withCStrings(environment ?? Environment.all) { envp in
                // SAFETY: everything lives to the end of the call.
                unsafe path.withCOctets { path in
                    unsafe searchesPath
                        ? posix_spawnp(&pid, path, &actions, &attributes, argv, envp)
                        : posix_spawn(&pid, path, &actions, &attributes, argv, envp)
                }
            }
        }
        guard status == 0 else { throw SystemError("exec", path, number: status) }
        return pid
    }

    private func prepare(_ attributes: inout posix_spawnattr_t) {
        var flags = Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
        if startsSession || terminal != nil { flags |= hawser_spawn_setsid() }
        var all = sigset_t()
        var none = sigset_t()
        // SAFETY: sets of our own.
        unsafe sigemptyset(&none)
        unsafe sigemptyset(&all)
        for number in [
            SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2,
            SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGILL, SIGTRAP, SIGABRT, SIGFPE,
            SIGBUS, SIGSEGV, SIGSYS,
        ] where !keptSignals.contains(number) {
            unsafe sigaddset(&all, number)
        }
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, flags)
    }

    private func prepare(_ actions: inout posix_spawn_file_actions_t) {
        // Descriptors that another one would overwrite are moved away first.
        var sources = descriptors.map(\.ours)
        // Above all of them, but not far: the limit may be low.
        var spare = (descriptors.flatMap { [$0.child, $0.ours] }.max() ?? 2) + 1
        for (index, pair) in descriptors.enumerated() {
            let clobbered = descriptors.prefix(index).contains { $0.child == pair.ours }
            if clobbered || pair.ours == pair.child {
                unsafe posix_spawn_file_actions_adddup2(&actions, pair.ours, spare)
                sources[index] = spare
                spare += 1
            }
        }
        for (index, pair) in descriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, sources[index], pair.child)
        }
        if let terminal {
            // A session leader that opens a terminal gets it as its own.
            unsafe posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            unsafe posix_spawn_file_actions_adddup2(&actions, 0, 1)
            unsafe posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
        let highest = max(2, descriptors.map(\.child).max() ?? 2)
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1)
        if let directory {
            _ = unsafe directory.withCOctets {
                unsafe posix_spawn_file_actions_addchdir_np(&actions, $0)
            }
        }
    }

    /// Lends C strings, ended by nil.
    static func withCStrings<Result>(
        _ strings: [String],
        last: [UInt8]? = nil,
        raw: [[UInt8]]? = nil,
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = unsafe strings.map { unsafe $0.withCOctets { unsafe strdup($0) } }
        if let last, unsafe !pointers.isEmpty {
            unsafe free(pointers.removeLast())
            let terminated = last.map { CChar(bitPattern: $0) } + [0]
            // SAFETY: ends with a zero.
            unsafe pointers.append(strdup(terminated))
        }
        if let raw {
            unsafe pointers.forEach { unsafe free($0) }
            unsafe pointers = unsafe raw.map { word in
                // SAFETY: ends with a zero.
                unsafe strdup(word.map { CChar(bitPattern: $0) } + [0])
            }
        }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe pointers.withUnsafeMutableBufferPointer { list in
            // It holds at least the nil at its end.
            guard let start = list.baseAddress else { preconditionFailure("no list") }
            return unsafe body(start)
        }
    }
}

/// How a child ended.
package enum ChildEnd: Equatable, Sendable {
    case exited(Int32)
    case signaled(Int32, coreDumped: Bool)
}

/// Children of this process.
package enum Child {
    /// A child that has ended, without waiting; nil when none has. C: `waitpid(WNOHANG)`.
    package static func reap(_ pid: Int32 = -1) -> (pid: Int32, end: ChildEnd)? {
        var status: Int32 = 0
        // SAFETY: writes one number.
        let found = retrying { Int(unsafe waitpid(pid, &status, WNOHANG)) }
        guard found > 0 else { return nil }
        return (Int32(found), end(status))
    }

    /// Waits for a child's end; nil when there is no such child.
    package static func wait(_ pid: Int32) -> ChildEnd? {
        var status: Int32 = 0
        // SAFETY: writes one number.
        let found = retrying { Int(unsafe waitpid(pid, &status, 0)) }
        return found > 0 ? end(status) : nil
    }

    package static func kill(_ pid: Int32, _ number: Int32) {
        _ = Glibc.kill(pid, number)
    }

    private static func end(_ status: Int32) -> ChildEnd {
        if hawser_exited(status) != 0 { return .exited(hawser_exit_status(status)) }
        return .signaled(
            hawser_term_signal(status),
            coreDumped: hawser_core_dumped(status) != 0
        )
    }
}

/// The environment of this process.
package enum Environment {
    package static func value(_ name: String) -> String? {
        // SAFETY: the string is copied at once; no other thread changes the environment.
        guard let value = unsafe name.withCOctets({ unsafe getenv($0) }) else { return nil }
        return unsafe String(cOctets: value)
    }

    package static func set(_ name: String, _ value: String) {
        _ = unsafe name.withCOctets { name in
            unsafe value.withCOctets { unsafe setenv(name, $0, 1) }
        }
    }

    package static func remove(_ name: String) {
        _ = unsafe name.withCOctets { unsafe unsetenv($0) }
    }

    /// Makes it these, `NAME=value` each.
    package static func replace(with entries: [String]) {
        _ = clearenv()
        for entry in entries {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { set(String(parts[0]), String(parts[1])) }
        }
    }

    /// `NAME=value` each.
    package static var all: [String] {
        var result: [String] = []
        guard var next = unsafe hawser_environment() else { return [] }
        while let entry = unsafe next.pointee {
            unsafe result.append(String(cOctets: entry))
            unsafe next += 1
        }
        return result
    }
}
