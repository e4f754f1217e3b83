// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The encoded terminal modes of `pty-req`: pairs of an opcode and its value (RFC 4254 §8).
package struct TerminalModes: Equatable, Sendable {
    /// In the order in which they are sent.
    package var modes: [Mode]

    package struct Mode: Equatable, Sendable {
        package var opcode: Opcode
        package var value: UInt32

        package init(_ opcode: Opcode, _ value: UInt32) {
            self.opcode = opcode
            self.value = value
        }
    }

    package init(_ modes: [Mode] = []) {
        self.modes = modes
    }

    /// The value of the last pair with `opcode`.
    package subscript(opcode: Opcode) -> UInt32? {
        modes.last { $0.opcode == opcode }?.value
    }

    /// Adds a pair at the end.
    package mutating func append(_ opcode: Opcode, _ value: UInt32) {
        modes.append(Mode(opcode, value))
    }
}

extension TerminalModes {
    /// Reads the content of the `string`. Pairs end at `TTY_OP_END`, at the first opcode from 160
    /// up (whose argument nobody knows), or with the bytes.
    init(reading content: RawSpan) throws(WireError) {
        modes = []
        var reader = WireReader(content)
        while !reader.isAtEnd {
            let opcode = try reader.readByte()
            guard opcode != 0, opcode < 160 else { return }
            modes.append(Mode(Opcode(rawValue: opcode), try reader.readUInt32()))
        }
    }

    /// The content of the `string`, ended by `TTY_OP_END`.
    package var encoding: [UInt8] {
        var writer = WireWriter(reserving: modes.count * 5 + 1)
        for mode in modes {
            writer.write(byte: mode.opcode.rawValue)
            writer.write(uint32: mode.value)
        }
        writer.write(byte: 0)
        return writer.take()
    }
}

extension TerminalModes {
    /// A terminal mode's opcode. The names are those of `termios`.
    package struct Opcode: RawRepresentable, Hashable, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        private init(_ rawValue: UInt8) { self.rawValue = rawValue }

        // Characters; 255 is "none".
        package static let vintr = Opcode(1)
        package static let vquit = Opcode(2)
        package static let verase = Opcode(3)
        package static let vkill = Opcode(4)
        package static let veof = Opcode(5)
        package static let veol = Opcode(6)
        package static let veol2 = Opcode(7)
        package static let vstart = Opcode(8)
        package static let vstop = Opcode(9)
        package static let vsusp = Opcode(10)
        package static let vdsusp = Opcode(11)
        package static let vreprint = Opcode(12)
        package static let vwerase = Opcode(13)
        package static let vlnext = Opcode(14)
        package static let vflush = Opcode(15)
        package static let vswtch = Opcode(16)
        package static let vstatus = Opcode(17)
        package static let vdiscard = Opcode(18)
        // Input.
        package static let ignpar = Opcode(30)
        package static let parmrk = Opcode(31)
        package static let inpck = Opcode(32)
        package static let istrip = Opcode(33)
        package static let inlcr = Opcode(34)
        package static let igncr = Opcode(35)
        package static let icrnl = Opcode(36)
        package static let iuclc = Opcode(37)
        package static let ixon = Opcode(38)
        package static let ixany = Opcode(39)
        package static let ixoff = Opcode(40)
        package static let imaxbel = Opcode(41)
        /// RFC 8160.
        package static let iutf8 = Opcode(42)
        // Local.
        package static let isig = Opcode(50)
        package static let icanon = Opcode(51)
        package static let xcase = Opcode(52)
        package static let echo = Opcode(53)
        package static let echoe = Opcode(54)
        package static let echok = Opcode(55)
        package static let echonl = Opcode(56)
        package static let noflsh = Opcode(57)
        package static let tostop = Opcode(58)
        package static let iexten = Opcode(59)
        package static let echoctl = Opcode(60)
        package static let echoke = Opcode(61)
        package static let pendin = Opcode(62)
        // Output.
        package static let opost = Opcode(70)
        package static let olcuc = Opcode(71)
        package static let onlcr = Opcode(72)
        package static let ocrnl = Opcode(73)
        package static let onocr = Opcode(74)
        package static let onlret = Opcode(75)
        // Control.
        package static let cs7 = Opcode(90)
        package static let cs8 = Opcode(91)
        package static let parenb = Opcode(92)
        package static let parodd = Opcode(93)
        /// Bits per second.
        package static let inputSpeed = Opcode(128)
        /// Bits per second.
        package static let outputSpeed = Opcode(129)
    }
}
