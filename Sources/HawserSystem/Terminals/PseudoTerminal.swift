// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// A terminal whose other end is a program, pty(7).
package struct PseudoTerminal: Sendable {
    /// The descriptor of the program's end, owned by whoever asked for the terminal.
    package var master: Int32
    /// A descriptor of the terminal itself that keeps it alive until its user has opened it.
    package var terminal: Int32
    /// The terminal's path, e.g. `/dev/pts/2`.
    package var path: String

    /// A new pseudo terminal that belongs to this process' user.
    package static func open() throws(PrivilegeError) -> PseudoTerminal {
        let master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard master >= 0 else { throw PrivilegeError(call: "posix_openpt", errno: errno) }
        var name = [CChar](repeating: 0, count: 128)
        // SAFETY: writes at most `count` bytes with a zero at the end.
        guard grantpt(master) == 0, unlockpt(master) == 0,
            unsafe ptsname_r(master, &name, name.count) == 0
        else {
            let error = errno
            close(master)
            throw PrivilegeError(call: "unlockpt", errno: error)
        }
        let path = String(octets: name.prefix(while: { $0 != 0 }).map { UInt8(bitPattern: $0) })
        let terminal = unsafe Glibc.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else {
            let error = errno
            close(master)
            throw PrivilegeError(call: "open \(path)", errno: error)
        }
        return PseudoTerminal(master: master, terminal: terminal, path: path)
    }

    /// Gives the terminal to the user, with group `tty` and mode 0620 where that group exists, so
    /// that write(1) works, or 0600 without it.
    package func give(to user: User) throws(PrivilegeError) {
        let group = Group.number(of: "tty")
        try check("chown \(path)", fchown(terminal, user.uid, group ?? user.gid))
        try check("chmod \(path)", fchmod(terminal, group == nil ? 0o600 : 0o620))
    }

    /// Takes the terminal back from its user: root's, mode 0666, as it is before a login.
    package static func takeBack(_ path: String) {
        // SAFETY: reads the path and keeps nothing. An unlinked terminal is no error.
        _ = unsafe chown(path, 0, 0)
        _ = unsafe chmod(path, 0o666)
    }
}
