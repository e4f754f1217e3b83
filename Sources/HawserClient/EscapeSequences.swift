// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The value of `EscapeChar` and `-e`: a character, `^` and a letter for a control character, or
/// `none`.
package enum EscapeCharacter: Equatable, Sendable {
    case none
    case byte(UInt8)

    /// Nil for what is none of these.
    package init?(_ text: String) {
        let bytes = text.octets
        if text == "none" {
            self = .none
        } else if bytes.count == 2, bytes[0] == UInt8(ascii: "^"), (64..<128).contains(bytes[1]) {
            self = .byte(bytes[1] & 0x1f)
        } else if bytes.count == 1 {
            self = .byte(bytes[0])
        } else {
            return nil
        }
    }

    /// Nil for none.
    package var byte: UInt8? { if case .byte(let byte) = self { byte } else { nil } }
}

/// `~.` and friends (ssh(1), ESCAPE CHARACTERS): typed bytes in, bytes to send and actions out.
package struct EscapeSequences: Sendable {
    package enum Action: Equatable, Sendable {
        case send([UInt8])
        case disconnect
        case suspend
        case listConnections
        case background
        case help
        case sendBreak
        case commandLine
        case rekey
        case lowerVerbosity
        case raiseVerbosity
        case connectionInformation
    }

    private let character: UInt8
    private var isAtLineStart = true
    private var isPending = false

    /// `character` is the escape character, by default `~`.
    package init(_ character: UInt8 = UInt8(ascii: "~")) {
        self.character = character
    }

    /// What typed bytes mean, in order.
    package mutating func receive(_ bytes: [UInt8]) -> [Action] {
        var rest = bytes[...]
        var actions: [Action] = []
        while !rest.isEmpty { actions += receiveSome(&rest) }
        return actions
    }

    /// The same up to a command line, which takes what follows it in `bytes`.
    mutating func receiveSome(_ bytes: inout ArraySlice<UInt8>) -> [Action] {
        var actions: [Action] = []
        var plain: [UInt8] = []
        while let byte = bytes.popFirst() {
            if isPending {
                isPending = false
                if let action = action(for: byte) {
                    if !plain.isEmpty { actions.append(.send(plain)) }
                    plain = []
                    actions.append(action)
                    isAtLineStart = true
                    if action == .commandLine { return actions }
                    continue
                }
                plain.append(character)
                if byte == character {
                    isAtLineStart = false
                    continue
                }
            } else if isAtLineStart, byte == character {
                isPending = true
                continue
            }
            plain.append(byte)
            isAtLineStart = byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n")
        }
        if !plain.isEmpty { actions.append(.send(plain)) }
        return actions
    }

    private func action(for byte: UInt8) -> Action? {
        switch byte {
        case UInt8(ascii: "."): .disconnect
        case 0x1a: .suspend
        case UInt8(ascii: "#"): .listConnections
        case UInt8(ascii: "&"): .background
        case UInt8(ascii: "?"): .help
        case UInt8(ascii: "B"): .sendBreak
        case UInt8(ascii: "C"): .commandLine
        case UInt8(ascii: "I"): .connectionInformation
        case UInt8(ascii: "R"): .rekey
        case UInt8(ascii: "V"): .lowerVerbosity
        case UInt8(ascii: "v"): .raiseVerbosity
        default: nil
        }
    }

    /// The character as messages show it: a control character is written as it is, too.
    static func name(_ character: UInt8) -> String { String(UnicodeScalar(character)) }

    /// What `~?` prints. A session that rides another connection cannot suspend or background it.
    package static func help(
        _ character: UInt8,
        isPassenger: Bool,
        hasCommandLine: Bool = false
    ) -> String {
        let c = name(character)
        var lines = [
            "\(c)?",
            "Supported escape sequences:",
            isPassenger
                ? " \(c).   - terminate session"
                : " \(c).   - terminate connection (and any multiplexed sessions)",
            " \(c)B   - send a BREAK to the remote system",
        ]
        if hasCommandLine { lines.append(" \(c)C   - open a command line") }
        lines += [
            " \(c)I   - show connection information",
            " \(c)R   - request rekey",
        ]
        if !isPassenger {
            lines += [
                " \(c)V/v - decrease/increase verbosity (LogLevel)",
                " \(c)^Z  - suspend ssh",
            ]
        }
        lines += [" \(c)#   - list forwarded connections"]
        if !isPassenger {
            lines.append(" \(c)&   - background ssh (when waiting for connections to terminate)")
        }
        lines += [
            " \(c)?   - this message",
            " \(c)\(c)   - send the escape character by typing it twice",
            "(Note that escapes are only recognized immediately after newline.)",
        ]
        return lines.map { $0 + "\r\n" }.joined()
    }
}
