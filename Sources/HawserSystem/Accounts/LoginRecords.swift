// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Who is and was logged in: utmp(5), wtmp, btmp and lastlog.
///
/// A record that cannot be written is no reason to refuse a login, so nothing here throws.
package enum LoginRecords {
    /// One login on a terminal.
    package struct Login: Sendable {
        package var user: String
        /// The terminal's path, e.g. `/dev/pts/2`.
        package var terminal: String
        /// Where the user comes from, as it should be shown.
        package var host: String
        /// The address in network order: four bytes, sixteen, or none.
        package var address: [UInt8]
        package var processID: Int32

        package init(
            user: String,
            terminal: String,
            host: String,
            address: [UInt8],
            processID: Int32
        ) {
            self.user = user
            self.terminal = terminal
            self.host = host
            self.address = address
            self.processID = processID
        }
    }

    /// The last login of a user before this one.
    package struct LastLogin: Equatable, Sendable {
        /// Seconds since 1970.
        package var time: Int64
        package var terminal: String
        package var host: String
    }

    /// Enters the login into utmp and wtmp.
    package static func recordLogin(_ login: Login) {
        var record = record(of: login, type: Int32(USER_PROCESS))
        // SAFETY: each call reads the record and keeps no pointer.
        setutxent()
        _ = unsafe pututxline(&record)
        endutxent()
        unsafe updwtmpx(wtmpPath, &record)
    }

    /// Enters the end of that login.
    package static func recordLogout(_ login: Login) {
        var login = login
        login.user = ""
        login.host = ""
        login.address = []
        var record = record(of: login, type: Int32(DEAD_PROCESS))
        // SAFETY: as above.
        setutxent()
        _ = unsafe pututxline(&record)
        endutxent()
        unsafe updwtmpx(wtmpPath, &record)
    }

    /// Enters a failed login into btmp, unless others may read that file: it may hold passwords
    /// that were typed as names.
    package static func recordFailure(_ login: Login) {
        var status = stat()
        // SAFETY: fills one `stat`.
        guard unsafe stat(btmpPath, &status) == 0, status.st_mode & 0o077 & ~0o060 == 0 else {
            return
        }
        var record = record(of: login, type: Int32(LOGIN_PROCESS))
        unsafe updwtmpx(btmpPath, &record)
    }

    /// When and from where the user last logged in, if that is known.
    package static func lastLogin(of uid: UInt32) -> LastLogin? {
        // SAFETY: reads into a buffer of that size.
        let descriptor = unsafe open(lastlogPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var entry = [UInt8](repeating: 0, count: lastlogBytes)
        let offset = off_t(uid) * off_t(lastlogBytes)
        guard unsafe pread(descriptor, &entry, lastlogBytes, offset) == lastlogBytes else {
            return nil
        }
        let seconds = (0..<4).reduce(UInt32(0)) { $0 | UInt32(entry[$1]) << UInt32(8 * $1) }
        guard seconds != 0 else { return nil }
        func text(_ range: Range<Int>) -> String {
            String(octets: entry[range].prefix(while: { $0 != 0 }))
        }
        return LastLogin(time: Int64(seconds), terminal: text(4..<36), host: text(36..<292))
    }

    /// Remembers this login as the user's last.
    package static func recordLastLogin(of uid: UInt32, terminal: String, host: String) {
        // SAFETY: writes from a buffer of that size.
        let descriptor = unsafe open(lastlogPath, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var entry = [UInt8](repeating: 0, count: lastlogBytes)
        let seconds = UInt32(truncatingIfNeeded: time(nil))
        for index in 0..<4 { entry[index] = UInt8(truncatingIfNeeded: seconds >> (8 * index)) }
        for (index, byte) in line(terminal).octets.prefix(31).enumerated() {
            entry[4 + index] = byte
        }
        for (index, byte) in host.octets.prefix(255).enumerated() { entry[36 + index] = byte }
        let offset = off_t(uid) * off_t(lastlogBytes)
        _ = unsafe pwrite(descriptor, entry, lastlogBytes, offset)
    }

    private static func record(of login: Login, type: Int32) -> utmpx {
        var record = utmpx()
        record.ut_type = Int16(type)
        record.ut_pid = login.processID
        let line = line(login.terminal)
        // SAFETY: each field is an array of bytes of its own size; `fill` stays inside it.
        unsafe withUnsafeMutableBytes(of: &record.ut_line) { unsafe fill($0, line) }
        unsafe withUnsafeMutableBytes(of: &record.ut_id) { unsafe fill($0, String(line.suffix(4))) }
        unsafe withUnsafeMutableBytes(of: &record.ut_user) { unsafe fill($0, login.user) }
        unsafe withUnsafeMutableBytes(of: &record.ut_host) { unsafe fill($0, login.host) }
        unsafe withUnsafeMutableBytes(of: &record.ut_addr_v6) { target in
            for (index, byte) in login.address.prefix(16).enumerated() {
                unsafe target[index] = byte
            }
        }
        var now = timeval()
        _ = unsafe gettimeofday(&now, nil)
        record.ut_tv.tv_sec = Int32(truncatingIfNeeded: now.tv_sec)
        record.ut_tv.tv_usec = Int32(truncatingIfNeeded: now.tv_usec)
        return record
    }

    private static func fill(_ target: UnsafeMutableRawBufferPointer, _ text: String) {
        for (index, byte) in text.octets.prefix(target.count).enumerated() {
            unsafe target[index] = byte
        }
    }

    /// A terminal's name as these files have it: without `/dev/`.
    private static func line(_ terminal: String) -> String {
        terminal.hasPrefix("/dev/") ? String(terminal.dropFirst(5)) : terminal
    }

    private static let wtmpPath = "/var/log/wtmp"
    private static let btmpPath = "/var/log/btmp"
    private static let lastlogPath = "/var/log/lastlog"
    /// `struct lastlog`: 32-bit time, 32 bytes of terminal, 256 bytes of host.
    private static let lastlogBytes = 292
}
