// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserSystem

/// Messages to the standard error output or a file, in OpenSSH's form: "debug1: text" for details,
/// the text alone from `info` up.
package final class Messages: LogSink {
    private let descriptor: Int32
    /// A terminal in raw mode, or a stranger at the other end, needs carriage returns.
    private let usesCarriageReturns: Bool

    package init(descriptor: Int32 = Descriptor.standardError, usesCarriageReturns: Bool = true) {
        self.descriptor = descriptor
        self.usesCarriageReturns = usesCarriageReturns
    }

    package func write(_ level: LogLevel, _ text: String) {
        let prefix =
            switch level {
            case .debug1: "debug1: "
            case .debug2: "debug2: "
            case .debug3: "debug3: "
            default: ""
            }
        let end = usesCarriageReturns ? "\r\n" : "\n"
        Descriptor.writeAll(descriptor, Array((prefix + text + end).utf8))
    }
}

/// Text for a person, straight to the standard error output.
package func printError(_ text: String) {
    Descriptor.writeAll(Descriptor.standardError, Array(text.utf8))
}

/// Text for a program or a person, straight to the standard output.
package func printOutput(_ text: String) {
    Descriptor.writeAll(Descriptor.standardOutput, Array(text.utf8))
}

extension String {
    /// The text with everything that could steer a terminal made visible, as `\ooo`; line ends and
    /// tabs stay. For what a peer sends.
    package var visible: String {
        var result = ""
        for scalar in unicodeScalars {
            let isControl =
                scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
            if isControl, scalar != "\n", scalar != "\t", scalar != "\r" {
                let digits = String(scalar.value, radix: 8)
                result += "\\" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
