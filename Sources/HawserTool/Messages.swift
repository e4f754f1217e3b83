// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserSystem
internal import HawserWire

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
        let end = usesCarriageReturns ? "\r\n" : "\n"
        Descriptor.writeAll(descriptor, (level.prefix + text.visible + end).octets)
    }
}

/// Text for a person, straight to the standard error output.
package func printError(_ text: String) {
    Descriptor.writeAll(Descriptor.standardError, text.withVisibleOctets.octets)
}

/// Text for a program or a person, straight to the standard output.
package func printOutput(_ text: String) {
    Descriptor.writeAll(Descriptor.standardOutput, text.octets)
}
