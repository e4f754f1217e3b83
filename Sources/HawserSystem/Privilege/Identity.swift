// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Who a process is, and how it becomes someone else for good.
package enum Identity {
    /// Whether this process may change its identity.
    package static var isPrivileged: Bool { geteuid() == 0 }

    package static var effectiveGroup: UInt32 { getegid() }

    /// Takes the supplementary groups. C: `setgroups`.
    package static func setGroups(_ groups: [UInt32]) throws(PrivilegeError) {
        // SAFETY: reads `count` numbers and keeps no pointer.
        try check("setgroups", unsafe setgroups(groups.count, groups))
    }

    /// Becomes the user and the group for good, and makes sure that there is no way back.
    ///
    /// The supplementary groups stay as they are: whoever chose them (PAM may add some) came first.
    package static func becomePermanently(uid: UInt32, gid: UInt32) throws(PrivilegeError) {
        let before = (uid: geteuid(), gid: getegid())
        try check("setresgid", setresgid(gid, gid, gid))
        try check("setresuid", setresuid(uid, uid, uid))
        guard getuid() == uid, geteuid() == uid, getgid() == gid, getegid() == gid else {
            throw PrivilegeError(call: "setresuid", errno: EPERM)
        }
        guard uid != 0 else { return }
        if before.uid != uid, setresuid(before.uid, before.uid, before.uid) == 0 {
            throw PrivilegeError(call: "setresuid back", errno: 0)
        }
        if before.gid != gid, setresgid(before.gid, before.gid, before.gid) == 0 {
            throw PrivilegeError(call: "setresgid back", errno: 0)
        }
    }
}

/// The kernel refused a step that gives up or changes privilege. A process must then end.
package struct PrivilegeError: Error, CustomStringConvertible {
    package var call: String
    package var errno: Int32

    package init(call: String, errno: Int32) {
        self.call = call
        self.errno = errno
    }

    package var description: String {
        // SAFETY: strerror's buffer is copied at once.
        errno == 0 ? "\(call): not refused" : "\(call): \(unsafe String(cOctets: strerror(errno)))"
    }
}

/// Throws what the kernel said when `result` is not zero.
func check(_ call: String, _ result: Int32) throws(PrivilegeError) {
    if result != 0 { throw PrivilegeError(call: call, errno: Glibc.errno) }
}

extension Identity {
    /// Ends this process by SIGALRM after so many seconds, whatever it does then; 0 takes it back.
    /// The last resort beside a deadline that a loop keeps. C: `alarm`.
    package static func endAfter(seconds: UInt32) {
        _ = alarm(seconds)
    }

    /// Sends a signal to a process group, or to its leader if the group is gone.
    package static func signalGroup(_ leader: Int32, _ signal: Int32) {
        guard leader > 1 else { return }
        if killpg(leader, signal) != 0 { _ = kill(leader, signal) }
    }

    /// Replaces this process by the program at `path`; returns only when that fails. C: `execve`.
    package static func execute(_ path: String, _ arguments: [String]) {
        var pointers = unsafe arguments.map { unsafe $0.withCOctets { unsafe strdup($0) } }
        unsafe pointers.append(nil)
        // SAFETY: ends with nil; the process is gone afterwards, or the strings are few.
        _ = unsafe path.withCOctets { unsafe execv($0, pointers) }
    }
}

extension Identity {
    /// Runs `body` with the user's rights on files, when this process may: what a user's files say
    /// must not be read with root's. C: `seteuid` and back.
    package static func reading<Result>(as user: User, _ body: () -> Result) -> Result {
        guard isPrivileged, user.uid != 0 else { return body() }
        // SAFETY: with no room it only counts; then it fills at most the array's count.
        var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = unsafe getgroups(Int32(groups.count), &groups)
        let before = (gid: getegid(), groups: groups.prefix(Int(max(0, count))))
        let list = user.groupNumbers
        // SAFETY: reads the numbers.
        _ = unsafe setgroups(list.count, list)
        _ = setegid(user.gid)
        guard seteuid(user.uid) == 0 else { fatalError("seteuid") }
        let result = body()
        guard seteuid(0) == 0, setegid(before.gid) == 0 else { fatalError("seteuid back") }
        _ = unsafe setgroups(before.groups.count, Array(before.groups))
        return result
    }
}
