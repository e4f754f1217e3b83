// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a configuration, with its place.
package struct ConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, or "command-line".
    package var file: String
    package var line: Int
    package var text: String

    package init(file: String, line: Int, text: String) {
        self.file = file
        self.line = line
        self.text = text
    }

    package var description: String { line == 0 ? text : "\(file) line \(line): \(text)" }
}
