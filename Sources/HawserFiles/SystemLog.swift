// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserSystem

/// The system's log as a sink, with the priorities that OpenSSH gives to its levels.
package final class SystemLog: LogSink {
    package init(program: String, facility: Int32) {
        Syslog.open(program, facility: facility)
    }

    package func write(_ level: LogLevel, _ text: String) {
        switch level {
        case .quiet, .fatal: Syslog.write(2, "fatal: " + text)
        case .error: Syslog.write(3, "error: " + text)
        case .info, .verbose: Syslog.write(6, text)
        case .debug1: Syslog.write(7, "debug1: " + text)
        case .debug2: Syslog.write(7, "debug2: " + text)
        case .debug3: Syslog.write(7, "debug3: " + text)
        }
    }
}
