// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
package import HawserLog
internal import HawserSystem

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
        let line = Self.printable(text)
        switch target {
        case .nowhere:
            break
        case .descriptor(let descriptor):
            Descriptor.writeAll(descriptor, Array((Self.debugPrefix(level) + line + "\r\n").utf8))
        case .syslog:
            Syslog.write(Self.priority(level), Self.prefix(level) + line)
        }
    }

    private static func debugPrefix(_ level: LogLevel) -> String {
        switch level {
        case .debug1: "debug1: "
        case .debug2: "debug2: "
        case .debug3: "debug3: "
        default: ""
        }
    }

    private static func prefix(_ level: LogLevel) -> String {
        switch level {
        case .fatal: "fatal: "
        case .error: "error: "
        default: debugPrefix(level)
        }
    }

    /// Of syslog(3).
    private static func priority(_ level: LogLevel) -> Int32 {
        switch level {
        case .quiet, .fatal: 2
        case .error: 3
        case .info, .verbose: 6
        default: 7
        }
    }

    /// Control characters as octal escapes: a client's text must not forge lines.
    static func printable(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 32 || $0 == 127 }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.value < 32 || scalar.value == 127 {
                let octal = String(scalar.value, radix: 8)
                result += "\\" + String(repeating: "0", count: max(0, 3 - octal.count)) + octal
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
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
