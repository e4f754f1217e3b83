// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserSystem

/// Messages to the system's log, in OpenSSH's form (`ssh -y`).
package final class SystemLogSink: LogSink {
    /// `facility` is a keyword of `SyslogFacility`.
    package init(program: String, facility: String) {
        Syslog.open(program, facility: Syslog.facility(facility) ?? 1 << 3)
    }

    package func write(_ level: LogLevel, _ text: String) {
        let (priority, prefix): (Int32, String) =
            switch level {
            case .quiet, .fatal: (2, "fatal: ")
            case .error: (3, "error: ")
            case .info, .verbose: (6, "")
            case .debug1: (7, "debug1: ")
            case .debug2: (7, "debug2: ")
            case .debug3: (7, "debug3: ")
            }
        Syslog.write(priority, prefix + text.visible)
    }
}
