// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
package import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// Where the server's log goes: the system's, or a descriptor (`-e`, `-E`, and before there is a
/// daemon).
package final class ServerLogSink: LogSink {
    package enum Target: Equatable, Sendable {
        case descriptor(Int32)
        case syslog
        case nowhere
    }

    package var target: Target

    package init(_ target: Target) { self.target = target }

    package func write(_ level: LogLevel, _ text: String) {
        switch target {
        case .nowhere:
            break
        case .descriptor(let descriptor):
            Descriptor.writeAll(descriptor, (level.prefix + text.logged + "\r\n").octets)
        case .syslog:
            SystemLog.write(level, text)
        }
    }
}

extension LogOverrides {
    /// The lists of patterns of `LogVerbose`; nil without any.
    init?(_ lists: [String], program: String) {
        guard !lists.isEmpty else { return nil }
        self.init(program: program, process: Daemon.processID) { place in
            lists.contains { Patterns.verdict(list: $0, place) == true }
        }
    }
}
