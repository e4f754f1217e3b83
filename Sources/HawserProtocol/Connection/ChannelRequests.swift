// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What `SSH_MSG_CHANNEL_REQUEST` asks (RFC 4254 §5.4, §6; RFC 4335; OpenSSH's PROTOCOL §2).
package enum ChannelRequest: Equatable, Sendable {
    /// `pty-req` (§6.2).
    case pseudoTerminal(PseudoTerminalRequest)
    /// `x11-req` (§6.3.1).
    case x11Forwarding(X11ForwardingRequest)
    /// `auth-agent-req@openssh.com`, or by its newer name `agent-req`.
    case agentForwarding
    /// `env` (§6.4).
    case environment(name: String, value: [UInt8])
    /// `shell` (§6.5).
    case shell
    /// `exec` (§6.5): a line for the user's shell.
    case exec(command: [UInt8])
    /// `subsystem` (§6.5).
    case subsystem(name: String)
    /// `window-change` (§6.7).
    case windowChange(TerminalSize)
    /// `xon-xoff` (§6.8).
    case flowControl(clientCanDo: Bool)
    /// `signal` (§6.9): the name without `SIG`.
    case signal(name: String)
    /// `break` (RFC 4335).
    case serialBreak(milliseconds: UInt32)
    /// `exit-status` (§6.10).
    case exitStatus(UInt32)
    /// `exit-signal` (§6.10).
    case exitSignal(ExitSignal)
    /// `eow@openssh.com`: the sender reads no more data of this channel.
    case endOfWrite
    /// `keepalive@openssh.com`: only its answer matters.
    case keepAlive
    /// A type that we do not know; the connection itself refuses it when the peer asks.
    case other(type: String, data: [UInt8])
}

/// The size of a terminal; zero where unknown.
package struct TerminalSize: Equatable, Sendable {
    package var columns: UInt32
    package var rows: UInt32
    package var widthPixels: UInt32
    package var heightPixels: UInt32

    package init(
        columns: UInt32,
        rows: UInt32,
        widthPixels: UInt32 = 0,
        heightPixels: UInt32 = 0
    ) {
        self.columns = columns
        self.rows = rows
        self.widthPixels = widthPixels
        self.heightPixels = heightPixels
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        columns = try reader.readUInt32()
        rows = try reader.readUInt32()
        widthPixels = try reader.readUInt32()
        heightPixels = try reader.readUInt32()
    }

    func write(into writer: inout WireWriter) {
        writer.write(uint32: columns)
        writer.write(uint32: rows)
        writer.write(uint32: widthPixels)
        writer.write(uint32: heightPixels)
    }
}

/// `pty-req`, RFC 4254 §6.2.
package struct PseudoTerminalRequest: Equatable, Sendable {
    /// The value of `TERM`.
    package var term: String
    package var size: TerminalSize
    package var modes: TerminalModes

    package init(term: String, size: TerminalSize, modes: TerminalModes) {
        self.term = term
        self.size = size
        self.modes = modes
    }
}

/// `x11-req`, RFC 4254 §6.3.1.
package struct X11ForwardingRequest: Equatable, Sendable {
    package var singleConnection: Bool
    package var authenticationProtocol: String
    /// Hexadecimal.
    package var authenticationCookie: String
    package var screen: UInt32

    package init(
        singleConnection: Bool,
        authenticationProtocol: String,
        authenticationCookie: String,
        screen: UInt32
    ) {
        self.singleConnection = singleConnection
        self.authenticationProtocol = authenticationProtocol
        self.authenticationCookie = authenticationCookie
        self.screen = screen
    }
}

/// `exit-signal`, RFC 4254 §6.10.
package struct ExitSignal: Equatable, Sendable {
    /// Without `SIG`.
    package var name: String
    package var coreDumped: Bool
    package var message: String
    package var language: String

    package init(name: String, coreDumped: Bool, message: String = "", language: String = "") {
        self.name = name
        self.coreDumped = coreDumped
        self.message = message
        self.language = language
    }
}

extension ChannelRequest {
    /// The request type.
    package var typeName: String {
        switch self {
        case .pseudoTerminal: "pty-req"
        case .x11Forwarding: "x11-req"
        case .agentForwarding: "auth-agent-req@openssh.com"
        case .environment: "env"
        case .shell: "shell"
        case .exec: "exec"
        case .subsystem: "subsystem"
        case .windowChange: "window-change"
        case .flowControl: "xon-xoff"
        case .signal: "signal"
        case .serialBreak: "break"
        case .exitStatus: "exit-status"
        case .exitSignal: "exit-signal"
        case .endOfWrite: "eow@openssh.com"
        case .keepAlive: "keepalive@openssh.com"
        case .other(let type, _): type
        }
    }

    /// Reads what follows `want reply`.
    @_lifetime(reader: copy reader)
    init(type: String, from reader: inout WireReader) throws(WireError) {
        switch type {
        case "pty-req":
            let term = try reader.readText()
            let size = try TerminalSize(from: &reader)
            let modes = try TerminalModes(reading: reader.readString())
            self = .pseudoTerminal(PseudoTerminalRequest(term: term, size: size, modes: modes))
        case "x11-req":
            self = .x11Forwarding(
                X11ForwardingRequest(
                    singleConnection: try reader.readBoolean(),
                    authenticationProtocol: try reader.readText(),
                    authenticationCookie: try reader.readText(),
                    screen: try reader.readUInt32()
                )
            )
        case "auth-agent-req@openssh.com", "agent-req":
            self = .agentForwarding
        case "env":
            let name = try reader.readText()
            self = .environment(name: name, value: try reader.readBytes())
        case "shell":
            self = .shell
        case "exec":
            self = .exec(command: try reader.readBytes())
        case "subsystem":
            self = .subsystem(name: try reader.readText())
        case "window-change":
            self = .windowChange(try TerminalSize(from: &reader))
        case "xon-xoff":
            self = .flowControl(clientCanDo: try reader.readBoolean())
        case "signal":
            self = .signal(name: try reader.readText())
        case "break":
            self = .serialBreak(milliseconds: try reader.readUInt32())
        case "exit-status":
            self = .exitStatus(try reader.readUInt32())
        case "exit-signal":
            self = .exitSignal(
                ExitSignal(
                    name: try reader.readText(),
                    coreDumped: try reader.readBoolean(),
                    message: try reader.readText(),
                    language: try reader.readText()
                )
            )
        case "eow@openssh.com":
            self = .endOfWrite
        case "keepalive@openssh.com":
            self = .keepAlive
        default:
            self = .other(type: type, data: [UInt8](copying: reader.readRest()))
        }
        try reader.expectEnd()
    }

    /// Writes what follows `want reply`.
    func write(into writer: inout WireWriter) {
        switch self {
        case .agentForwarding, .shell, .endOfWrite, .keepAlive:
            break
        case .pseudoTerminal(let request):
            writer.write(text: request.term)
            request.size.write(into: &writer)
            writer.write(string: request.modes.encoding)
        case .x11Forwarding(let request):
            writer.write(boolean: request.singleConnection)
            writer.write(text: request.authenticationProtocol)
            writer.write(text: request.authenticationCookie)
            writer.write(uint32: request.screen)
        case .environment(let name, let value):
            writer.write(text: name)
            writer.write(string: value)
        case .exec(let command):
            writer.write(string: command)
        case .subsystem(let name), .signal(let name):
            writer.write(text: name)
        case .windowChange(let size):
            size.write(into: &writer)
        case .flowControl(let clientCanDo):
            writer.write(boolean: clientCanDo)
        case .serialBreak(let number), .exitStatus(let number):
            writer.write(uint32: number)
        case .exitSignal(let signal):
            writer.write(text: signal.name)
            writer.write(boolean: signal.coreDumped)
            writer.write(text: signal.message)
            writer.write(text: signal.language)
        case .other(_, let data):
            writer.write(fixed: data)
        }
    }
}
