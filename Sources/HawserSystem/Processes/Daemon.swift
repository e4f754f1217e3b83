// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Leaving the caller behind.
package enum Daemon {
    /// Goes on in a child that has a session of its own; the parent ends with status 0. Only for a
    /// process of one thread. C: `fork`, `setsid`.
    package static func detach() throws(SystemError) {
        let pid = fork()
        guard pid >= 0 else { throw SystemError("fork") }
        if pid > 0 { _exit(0) }
        _ = setsid()
    }

    /// Goes on in a child; the parent gets the child's number. For a process of one thread.
    package static func forkChild() throws(SystemError) -> Int32 {
        let pid = fork()
        guard pid >= 0 else { throw SystemError("fork") }
        return pid
    }

    /// How many processors there are to work with, at least one.
    package static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    package static var processID: Int32 { getpid() }
    package static var parentProcessID: Int32 { getppid() }
    package static var effectiveUser: UInt32 { geteuid() }
    package static var realUser: UInt32 { getuid() }
    package static var realGroup: UInt32 { getgid() }

    /// A session of its own, without a controlling terminal. C: `setsid`.
    package static func startSession() { _ = setsid() }

    /// Ends this process without running anything more.
    package static func exit(_ status: Int32) -> Never { _exit(status) }

    /// Ends when its parent does (Linux). C: `PR_SET_PDEATHSIG`.
    package static func dieWithParent() { _ = hawser_die_with_parent(SIGTERM) }

    package static func setFileMask(_ mask: UInt32) -> UInt32 { umask(mask) }

    package static func changeDirectory(_ path: String) -> Bool {
        unsafe path.withCOctets { unsafe chdir($0) == 0 }
    }

    package static var workingDirectory: String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        // SAFETY: writes at most `count` bytes.
        guard unsafe getcwd(&path, path.count) != nil else { return nil }
        return text(path)
    }

    /// Stops this process as ^Z does, until it is continued. C: `SIGTSTP`.
    package static func suspend() {
        Signals.useDefault([SIGTSTP])
        _ = Glibc.kill(getpid(), SIGTSTP)
    }
}
