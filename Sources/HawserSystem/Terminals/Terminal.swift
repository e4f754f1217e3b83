// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// The size of a terminal in characters and pixels.
package struct WindowSize: Equatable, Sendable {
    package var columns: UInt32
    package var rows: UInt32
    package var widthPixels: UInt32
    package var heightPixels: UInt32

    package init(columns: UInt32, rows: UInt32, widthPixels: UInt32 = 0, heightPixels: UInt32 = 0) {
        self.columns = columns
        self.rows = rows
        self.widthPixels = widthPixels
        self.heightPixels = heightPixels
    }
}

/// Terminals: size, modes, raw input.
package enum Terminal {
    /// C: `ioctl(TIOCGWINSZ)`.
    package static func windowSize(of fd: Int32) -> WindowSize? {
        var size = winsize()
        // SAFETY: fills one structure.
        guard unsafe ioctl(fd, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
        return WindowSize(
            columns: UInt32(size.ws_col),
            rows: UInt32(size.ws_row),
            widthPixels: UInt32(size.ws_xpixel),
            heightPixels: UInt32(size.ws_ypixel)
        )
    }

    /// C: `ioctl(TIOCSWINSZ)`.
    package static func setWindowSize(of fd: Int32, _ size: WindowSize) {
        var value = winsize(
            ws_row: UInt16(clamping: size.rows),
            ws_col: UInt16(clamping: size.columns),
            ws_xpixel: UInt16(clamping: size.widthPixels),
            ws_ypixel: UInt16(clamping: size.heightPixels)
        )
        // SAFETY: reads one structure.
        _ = unsafe ioctl(fd, UInt(TIOCSWINSZ), &value)
    }

    // MARK: Raw input

    /// A terminal's settings, to be put back.
    package struct Settings {
        fileprivate var modes: termios
    }

    package static func settings(of fd: Int32) -> Settings? {
        var modes = termios()
        // SAFETY: fills one structure.
        guard unsafe tcgetattr(fd, &modes) == 0 else { return nil }
        return Settings(modes: modes)
    }

    package static func restore(_ fd: Int32, _ settings: Settings) {
        var modes = settings.modes
        // SAFETY: reads one structure.
        _ = unsafe tcsetattr(fd, TCSADRAIN, &modes)
    }

    /// Every byte goes through as it is typed: no echo, no lines, no signals.
    package static func makeRaw(_ fd: Int32) {
        guard var modes = settings(of: fd)?.modes else { return }
        modes.c_iflag |= tcflag_t(IGNPAR)
        modes.c_iflag &= ~tcflag_t(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF | IUCLC)
        modes.c_lflag &= ~tcflag_t(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN)
        modes.c_oflag &= ~tcflag_t(OPOST)
        modes.c_cc.6 = 1  // VMIN
        modes.c_cc.5 = 0  // VTIME
        // SAFETY: reads one structure.
        _ = unsafe tcsetattr(fd, TCSADRAIN, &modes)
    }

    /// Whether what is typed is shown.
    package static func setEcho(_ fd: Int32, _ isOn: Bool) {
        guard var modes = settings(of: fd)?.modes else { return }
        if isOn {
            modes.c_lflag |= tcflag_t(ECHO)
        } else {
            modes.c_lflag &= ~tcflag_t(ECHO | ECHONL)
        }
        // SAFETY: reads one structure.
        _ = unsafe tcsetattr(fd, TCSAFLUSH, &modes)
    }

    // MARK: Modes as they travel (RFC 4254 §8)

    /// The terminal's modes as opcode and value, ready for a pty request.
    package static func modes(of fd: Int32) -> [(opcode: UInt8, value: UInt32)] {
        guard let modes = settings(of: fd)?.modes else { return [] }
        var result: [(opcode: UInt8, value: UInt32)] = []
        var modesCopy = modes
        // SAFETY: reads the structure.
        result.append((128, baud(unsafe cfgetispeed(&modesCopy))))
        result.append((129, baud(unsafe cfgetospeed(&modesCopy))))
        let characters = Self.characters(of: modes)
        for (opcode, index) in characterCodes {
            let character = characters[index]
            result.append((opcode, character == 0 ? 255 : UInt32(character)))
        }
        for row in flagCodes {
            result.append((row.opcode, modes[keyPath: row.field] & row.mask != 0 ? 1 : 0))
        }
        return result
    }

    /// Sets the modes that a client asked for; opcodes that we do not know are skipped.
    package static func setModes(of fd: Int32, _ list: [(opcode: UInt8, value: UInt32)]) {
        guard var modes = settings(of: fd)?.modes else { return }
        for (opcode, value) in list {
            if let (_, index) = characterCodes.first(where: { $0.0 == opcode }) {
                setCharacter(&modes, index, value == 255 ? 0 : UInt8(truncatingIfNeeded: value))
            } else if let row = flagCodes.first(where: { $0.opcode == opcode }) {
                if value != 0 {
                    modes[keyPath: row.field] |= row.mask
                } else {
                    modes[keyPath: row.field] &= ~row.mask
                }
            } else if opcode == 128 {
                // SAFETY: changes the structure.
                _ = unsafe cfsetispeed(&modes, speed(value))
            } else if opcode == 129 {
                _ = unsafe cfsetospeed(&modes, speed(value))
            }
        }
        // SAFETY: reads one structure.
        _ = unsafe tcsetattr(fd, TCSANOW, &modes)
    }

    /// RFC 4254 §8, 1 to 18: the index in `c_cc`.
    private static let characterCodes: [(UInt8, Int)] = [
        (1, Int(VINTR)), (2, Int(VQUIT)), (3, Int(VERASE)), (4, Int(VKILL)), (5, Int(VEOF)),
        (6, Int(VEOL)), (7, Int(VEOL2)), (8, Int(VSTART)), (9, Int(VSTOP)), (10, Int(VSUSP)),
        (12, Int(VREPRINT)), (13, Int(VWERASE)), (14, Int(VLNEXT)), (18, Int(VDISCARD)),
    ]

    private struct FlagCode {
        var opcode: UInt8
        var field: any WritableKeyPath<termios, tcflag_t> & Sendable
        var mask: tcflag_t
    }

    /// RFC 4254 §8, 30 to 93 (42: RFC 8160).
    private static let flagCodes: [FlagCode] =
        [
            (30, IGNPAR), (31, PARMRK), (32, INPCK), (33, ISTRIP), (34, INLCR), (35, IGNCR),
            (36, ICRNL), (37, IUCLC), (38, IXON), (39, IXANY), (40, IXOFF), (41, IMAXBEL),
            (42, IUTF8),
        ].map { FlagCode(opcode: $0.0, field: \.c_iflag, mask: tcflag_t($0.1)) }
        + [
            (50, ISIG), (51, ICANON), (52, XCASE), (53, ECHO), (54, ECHOE), (55, ECHOK),
            (56, ECHONL), (57, NOFLSH), (58, TOSTOP), (59, IEXTEN), (60, ECHOCTL), (61, ECHOKE),
            (62, PENDIN),
        ].map { FlagCode(opcode: $0.0, field: \.c_lflag, mask: tcflag_t($0.1)) }
        + [(70, OPOST), (71, OLCUC), (72, ONLCR), (73, OCRNL), (74, ONOCR), (75, ONLRET)]
        .map { FlagCode(opcode: $0.0, field: \.c_oflag, mask: tcflag_t($0.1)) }
        + [(90, CS7), (91, CS8), (92, PARENB), (93, PARODD)]
        .map { FlagCode(opcode: $0.0, field: \.c_cflag, mask: tcflag_t($0.1)) }

    private static func characters(of modes: termios) -> [UInt8] {
        var modes = modes
        // SAFETY: the tuple is an array of bytes.
        return unsafe withUnsafeBytes(of: &modes.c_cc) { unsafe Array($0) }
    }

    private static func setCharacter(_ modes: inout termios, _ index: Int, _ value: UInt8) {
        // SAFETY: the index is one of `characterCodes`, all inside the array.
        unsafe withUnsafeMutableBytes(of: &modes.c_cc) { unsafe $0[index] = value }
    }

    private static let speeds: [(code: speed_t, baud: UInt32)] = [
        (0, 0), (1, 50), (2, 75), (3, 110), (4, 134), (5, 150), (6, 200), (7, 300), (8, 600),
        (9, 1200), (10, 1800), (11, 2400), (12, 4800), (13, 9600), (14, 19200), (15, 38400),
        (0o10001, 57600), (0o10002, 115200), (0o10003, 230400), (0o10004, 460800),
        (0o10007, 921600),
    ]

    private static func baud(_ code: speed_t) -> UInt32 {
        speeds.first { $0.code == code }?.baud ?? 9600
    }

    private static func speed(_ baud: UInt32) -> speed_t {
        speeds.first { $0.baud == baud }?.code ?? 13
    }
}

extension Terminal {
    /// Whether this process is in the foreground of a terminal. C: `tcgetpgrp`.
    package static func isForeground(_ fd: Int32) -> Bool {
        let group = tcgetpgrp(fd)
        return group < 0 || group == getpgrp()
    }
}
