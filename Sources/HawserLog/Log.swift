// SPDX-License-Identifier: Apache-2.0

/// How much is said, as `LogLevel` of ssh_config(5) and sshd_config(5) counts it.
package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
    case quiet
    case fatal
    case error
    case info
    case verbose
    case debug1
    case debug2
    case debug3

    package static func < (first: LogLevel, second: LogLevel) -> Bool {
        first.rawValue < second.rawValue
    }

    /// The keyword's value, in any case; `DEBUG` is `DEBUG1`.
    package init?(keyword: String) {
        switch keyword.uppercased() {
        case "QUIET", "SILENT": self = .quiet
        case "FATAL": self = .fatal
        case "ERROR": self = .error
        case "INFO": self = .info
        case "VERBOSE": self = .verbose
        case "DEBUG", "DEBUG1": self = .debug1
        case "DEBUG2": self = .debug2
        case "DEBUG3": self = .debug3
        default: return nil
        }
    }

    /// The keyword's value as `ssh -G` prints it.
    package var keyword: String {
        switch self {
        case .quiet: "QUIET"
        case .fatal: "FATAL"
        case .error: "ERROR"
        case .info: "INFO"
        case .verbose: "VERBOSE"
        case .debug1: "DEBUG"
        case .debug2: "DEBUG2"
        case .debug3: "DEBUG3"
        }
    }
}

/// Where descriptions go. The core describes; a program's sink decides what to print and where.
package protocol LogSink: AnyObject {
    /// Takes one line without its end.
    func write(_ level: LogLevel, _ text: String)
}

/// A level and a sink. The text is made only when the level asks for it.
package struct Log {
    /// The most detailed level that is passed on.
    package var level: LogLevel
    package var sink: (any LogSink)?

    package init(level: LogLevel = .info, sink: (any LogSink)? = nil) {
        self.level = level
        self.sink = sink
    }

    /// A log that says nothing.
    package static var none: Log { Log(level: .quiet, sink: nil) }

    package func callAsFunction(_ level: LogLevel, _ text: @autoclosure () -> String) {
        guard level <= self.level, let sink else { return }
        sink.write(level, text())
    }

    package func fatal(_ text: @autoclosure () -> String) { self(.fatal, text()) }
    package func error(_ text: @autoclosure () -> String) { self(.error, text()) }
    package func info(_ text: @autoclosure () -> String) { self(.info, text()) }
    package func verbose(_ text: @autoclosure () -> String) { self(.verbose, text()) }
    package func debug(_ text: @autoclosure () -> String) { self(.debug1, text()) }
    package func debug2(_ text: @autoclosure () -> String) { self(.debug2, text()) }
    package func debug3(_ text: @autoclosure () -> String) { self(.debug3, text()) }
}
