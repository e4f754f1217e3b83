// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserSystem

/// Messages to the system's log, with the priorities and in the form that OpenSSH gives them.
package final class SystemLog: LogSink {
    /// `facility` is syslog(3)'s, already shifted.
    package init(program: String, facility: Int32) {
        Syslog.open(program, facility: facility)
    }

    package func write(_ level: LogLevel, _ text: String) { Self.write(level, text) }

    /// Writes to the log that is open.
    package static func write(_ level: LogLevel, _ text: String) {
        Syslog.write(level.priority, level.syslogPrefix + text.logged)
    }
}

extension LogLevel {
    /// What stands before a message for a person.
    package var prefix: String {
        switch self {
        case .debug1: "debug1: "
        case .debug2: "debug2: "
        case .debug3: "debug3: "
        default: ""
        }
    }

    /// What stands before a message in the system's log, which does not show its priority.
    fileprivate var syslogPrefix: String {
        switch self {
        case .quiet, .fatal: "fatal: "
        case .error: "error: "
        default: prefix
        }
    }

    /// Of syslog(3).
    fileprivate var priority: Int32 {
        switch self {
        case .quiet, .fatal: 2
        case .error: 3
        case .info, .verbose: 6
        default: 7
        }
    }
}
