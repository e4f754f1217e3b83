// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import HawserWire

/// The system's log. C: `openlog`, `vsyslog`.
package enum Syslog {
    // openlog(3) keeps the pointer: never freed.
    nonisolated(unsafe) private static var name: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var facility: Int32 = 0

    /// `facility` as in syslog(3), e.g. `LOG_AUTH`.
    package static func open(_ program: String, facility: Int32) {
        unsafe name = program.withCOctets { unsafe strdup($0) }
        unsafe Self.facility = facility
        unsafe openlog(name, LOG_PID, facility)
    }

    /// A connection of its own to the log, if there is one at all: for a child that is a copy of
    /// this process and has closed its descriptors.
    package static func reopen() {
        guard unsafe name != nil else { return }
        closelog()
        unsafe openlog(name, LOG_PID, facility)
    }

    /// `priority` from 0 (emergency) to 7 (debug).
    package static func write(_ priority: Int32, _ text: String) {
        // SAFETY: the format takes one string, which lives to the end of the call.
        unsafe text.withCOctets { line in
            unsafe withVaList([line]) { unsafe vsyslog(priority, "%s", $0) }
        }
    }

    /// The number of a facility's keyword, e.g. `AUTH`.
    package static func facility(_ keyword: String) -> Int32? {
        switch keyword.uppercased() {
        case "DAEMON": 3 << 3
        case "USER": 1 << 3
        case "AUTH": 4 << 3
        case "AUTHPRIV": 10 << 3
        case "LOCAL0": 16 << 3
        case "LOCAL1": 17 << 3
        case "LOCAL2": 18 << 3
        case "LOCAL3": 19 << 3
        case "LOCAL4": 20 << 3
        case "LOCAL5": 21 << 3
        case "LOCAL6": 22 << 3
        case "LOCAL7": 23 << 3
        default: nil
        }
    }
}
