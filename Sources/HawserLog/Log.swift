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

/// `LogVerbose`: places in the code that tell everything, whatever the level.
package struct LogOverrides: Sendable {
    private let matches: @Sendable (String) -> Bool
    private let process: String

    /// `program` and `process` are told with the place; `matches` says whether a place is meant, of
    /// which it is asked as `file:function():line`, alone and with ` (bin=program, pid=process)`.
    package init(program: String, process: Int32, matches: @escaping @Sendable (String) -> Bool) {
        self.process = " (bin=\(program), pid=\(process))"
        self.matches = matches
    }

    /// How a place that is meant introduces its lines; nil for all others.
    func introduction(_ file: StaticString, _ function: StaticString, _ line: UInt) -> String? {
        // `Module/File.swift` and `name(label:)`.
        let name =
            "\(file)".utf8.split(separator: UInt8(ascii: "/")).last.map { Substring($0) } ?? ""
        let bare = Substring("\(function)".utf8.prefix { $0 != UInt8(ascii: "(") })
        let place = "\(name):\(bare)():\(line)"
        let whole = place + process
        return matches(place) || matches(whole) ? whole : nil
    }
}

/// A level and a sink. The text is made only when the level asks for it.
package struct Log {
    /// The most detailed level that is passed on.
    package var level: LogLevel
    package var sink: (any LogSink)?
    /// Places that are heard in spite of the level; nil for none.
    package var overrides: LogOverrides?

    package init(level: LogLevel = .info, sink: (any LogSink)? = nil) {
        self.level = level
        self.sink = sink
    }

    /// A log that says nothing.
    package static var none: Log { Log(level: .quiet, sink: nil) }

    package func callAsFunction(
        _ level: LogLevel,
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        guard level <= self.level || overrides != nil, let sink else { return }
        if let introduction = overrides?.introduction(file, function, line) {
            sink.write(level, introduction + ": " + text())
        } else if level <= self.level {
            sink.write(level, text())
        }
    }

    package func fatal(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.fatal, text(), file: file, function: function, line: line)
    }

    package func error(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.error, text(), file: file, function: function, line: line)
    }

    package func info(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.info, text(), file: file, function: function, line: line)
    }

    package func verbose(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.verbose, text(), file: file, function: function, line: line)
    }

    package func debug(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.debug1, text(), file: file, function: function, line: line)
    }

    package func debug2(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.debug2, text(), file: file, function: function, line: line)
    }

    package func debug3(
        _ text: @autoclosure () -> String,
        file: StaticString = #fileID,
        function: StaticString = #function,
        line: UInt = #line
    ) {
        self(.debug3, text(), file: file, function: function, line: line)
    }
}
