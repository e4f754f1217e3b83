// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// A program of our own or of the user's, started by posix_spawn(3).
package struct ChildProcess: Sendable {
    package let processID: Int32

    package init(processID: Int32) { self.processID = processID }

    /// What to start and with what.
    package struct Start {
        /// The file, not searched in `PATH`.
        package var path: String
        package var arguments: [String]
        package var environment: [String]
        /// Which of our descriptors become which of the child's, in this order; no other one is
        /// left to it.
        package var descriptors: [(ours: Int32, theirs: Int32)]
        /// Opened by the child as its standard input, and so its controlling terminal; standard
        /// output and error become the same.
        package var terminal: String?
        package var directory: String?
        /// In a session of its own.
        package var isSessionLeader = false

        package init(
            path: String,
            arguments: [String],
            environment: [String],
            descriptors: [(ours: Int32, theirs: Int32)]
        ) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.descriptors = descriptors
        }
    }

    /// Starts it with every signal at its default and none blocked. Returns the error's number
    /// when that fails.
    package static func spawn(_ start: Start) -> Result<ChildProcess, SpawnError> {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        // SAFETY: both are initialised here and destroyed at the end; posix_spawn copies what the
        // actions point to.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        var signals = sigset_t()
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        var flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        if start.isSessionLeader { flags |= hawser_spawn_new_session() }
        unsafe posix_spawnattr_setflags(&attributes, flags)

        if let terminal = start.terminal {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            unsafe posix_spawn_file_actions_adddup2(&actions, 0, 1)
            unsafe posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
        // First out of the way of each other, then to their places.
        let safe = Int32(100)
        for (index, pair) in start.descriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, pair.ours, safe + Int32(index))
        }
        var highest: Int32 = start.terminal == nil ? -1 : 2
        for (index, pair) in start.descriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, safe + Int32(index), pair.theirs)
            highest = max(highest, pair.theirs)
        }
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, max(highest + 1, 3))
        if let directory = start.directory {
            _ = unsafe posix_spawn_file_actions_addchdir_np(&actions, directory)
        }

        var processID: pid_t = 0
        let result = unsafe withCStrings(start.arguments) { arguments in
            unsafe withCStrings(start.environment) { environment in
                unsafe posix_spawn(
                    &processID,
                    start.path,
                    &actions,
                    &attributes,
                    arguments,
                    environment
                )
            }
        }
        if result != 0 { return .failure(SpawnError(errno: result)) }
        return .success(ChildProcess(processID: processID))
    }

    package struct SpawnError: Error, CustomStringConvertible {
        package var errno: Int32
        package var description: String { unsafe String(cString: strerror(errno)) }
    }

    /// How a child ended.
    package enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32, coreDumped: Bool)

        init(status: Int32) {
            self =
                hawser_status_exited(status) != 0
                ? .exited(hawser_status_code(status))
                : .signalled(
                    hawser_status_signal(status),
                    coreDumped: hawser_status_dumped(status) != 0
                )
        }
    }

    /// How it ended, if it has. C: `waitpid(WNOHANG)`.
    package func poll() -> Ending? {
        var status: Int32 = 0
        // SAFETY: fills one number.
        guard unsafe waitpid(processID, &status, WNOHANG) == processID else { return nil }
        return Ending(status: status)
    }

    /// Waits for its end.
    @discardableResult
    package func wait() -> Ending? {
        var status: Int32 = 0
        while true {
            let result = unsafe waitpid(processID, &status, 0)
            if result == processID { return Ending(status: status) }
            if result < 0, errno != EINTR { return nil }
        }
    }

    /// The next child of any kind that has ended.
    package static func pollAny() -> (processID: Int32, ending: Ending)? {
        var status: Int32 = 0
        let processID = unsafe waitpid(-1, &status, WNOHANG)
        return processID > 0 ? (processID, Ending(status: status)) : nil
    }

    package func send(_ signal: Int32) {
        _ = kill(processID, signal)
    }

    /// Sends to the process and everything it started in its session.
    package func sendToGroup(_ signal: Int32) {
        if killpg(processID, signal) != 0 { _ = kill(processID, signal) }
    }
}

/// The strings as a zero-terminated array of C strings, as long as `body` runs.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { for unsafe pointer in unsafe pointers { unsafe free(pointer) } }
    return unsafe body(pointers)
}
