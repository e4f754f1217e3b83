// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// The control-socket protocol, version 4 (PROTOCOL.mux): messages behind a `uint32` length.
package enum Multiplex {
    package static let version: UInt32 = 4
    /// An extension of ours: what this client asks to be forwarded ends with its connection.
    package static let holdsForwards = MultiplexExtension("hold-forwards@hawser")
    /// The extension of masters that answer `MultiplexRequest.information`.
    package static let information = MultiplexExtension("info", value: "0")
    /// Extensions of our masters: they answer more, they ask the user first, they were let in by a
    /// key of this fingerprint.
    package static let health = "health@hawser"
    package static let asks = "asks@hawser"
    package static let identity = "identity@hawser"
    /// Extensions of our clients: their own agent, display and file of cookies, for their session.
    package static let agent = "agent@hawser"
    package static let display = "display@hawser"
    package static let authority = "xauthority@hawser"
    /// The longest message, in bytes.
    package static let maximumBytes = 256 << 10
    /// Environment variables in one request.
    package static let maximumVariables = 4096
}

/// An extension in a greeting: what one does not know it ignores.
package struct MultiplexExtension: Equatable, Sendable, ExpressibleByStringLiteral {
    package var name: String
    package var value: String

    package init(_ name: String, value: String = "") {
        self.name = name
        self.value = value
    }

    package init(stringLiteral name: String) { self.init(name) }
}

/// What a client asks of a master.
package enum MultiplexRequest: Equatable, Sendable {
    /// `MUX_MSG_HELLO`, with extensions.
    case hello(version: UInt32, extensions: [MultiplexExtension])
    /// `MUX_C_NEW_SESSION`; three descriptors follow it.
    case newSession(id: UInt32, MultiplexSession)
    /// `MUX_C_ALIVE_CHECK`.
    case aliveCheck(id: UInt32)
    /// `MUX_C_TERMINATE`.
    case terminate(id: UInt32)
    /// `MUX_C_OPEN_FWD`.
    case openForward(id: UInt32, MultiplexForward)
    /// `MUX_C_CLOSE_FWD`.
    case closeForward(id: UInt32, MultiplexForward)
    /// `MUX_C_NEW_STDIO_FWD`; two descriptors follow it.
    case newStandardForward(id: UInt32, host: String, port: UInt32)
    /// `MUX_C_STOP_LISTENING`.
    case stopListening(id: UInt32)
    /// `MUX_C_PROXY`.
    case proxy(id: UInt32)
    /// What a master knows about itself: `connection` or `channels` (OpenSSH 10.3).
    case information(id: UInt32, String)
    /// A message that we do not know.
    case other(type: UInt32, id: UInt32)
}

/// A session that a client wants (`MUX_C_NEW_SESSION`).
package struct MultiplexSession: Equatable, Sendable {
    package var wantsTerminal: Bool
    package var wantsX11: Bool
    package var wantsAgent: Bool
    package var isSubsystem: Bool
    /// The escape character, or 0xffffffff for none.
    package var escapeCharacter: UInt32
    package var terminalType: String
    package var command: String
    /// `NAME=value` each.
    package var environment: [String]

    package init(
        wantsTerminal: Bool,
        wantsX11: Bool = false,
        wantsAgent: Bool = false,
        isSubsystem: Bool = false,
        escapeCharacter: UInt32 = 0xffff_ffff,
        terminalType: String,
        command: String,
        environment: [String]
    ) {
        self.wantsTerminal = wantsTerminal
        self.wantsX11 = wantsX11
        self.wantsAgent = wantsAgent
        self.isSubsystem = isSubsystem
        self.escapeCharacter = escapeCharacter
        self.terminalType = terminalType
        self.command = command
        self.environment = environment
    }
}

/// A forward to open or to close.
package struct MultiplexForward: Equatable, Sendable {
    package enum Kind: UInt32, Sendable { case local = 1, remote, dynamic }

    package var kind: Kind
    package var listenHost: String
    package var listenPort: UInt32
    package var connectHost: String
    package var connectPort: UInt32

    package init(
        kind: Kind,
        listenHost: String,
        listenPort: UInt32,
        connectHost: String,
        connectPort: UInt32
    ) {
        self.kind = kind
        self.listenHost = listenHost
        self.listenPort = listenPort
        self.connectHost = connectHost
        self.connectPort = connectPort
    }
}

/// What a master answers and tells.
package enum MultiplexReply: Equatable, Sendable {
    case hello(version: UInt32, extensions: [MultiplexExtension])
    case ok(id: UInt32)
    case permissionDenied(id: UInt32, String)
    case failure(id: UInt32, String)
    /// `MUX_S_EXIT_MESSAGE`: the exit status of a session.
    case exitMessage(session: UInt32, status: UInt32)
    case alive(id: UInt32, pid: UInt32)
    case sessionOpened(id: UInt32, session: UInt32)
    case remotePort(id: UInt32, port: UInt32)
    /// `MUX_S_TTY_ALLOC_FAIL`.
    case terminalFailed(session: UInt32)
    case proxy(id: UInt32)
    /// The answer to `information`, lines of text.
    case information(id: UInt32, String)
    case other(type: UInt32)
}

extension MultiplexRequest {
    private enum Number {
        static let hello: UInt32 = 0x0000_0001
        static let newSession: UInt32 = 0x1000_0002
        static let aliveCheck: UInt32 = 0x1000_0004
        static let terminate: UInt32 = 0x1000_0005
        static let openForward: UInt32 = 0x1000_0006
        static let closeForward: UInt32 = 0x1000_0007
        static let newStandardForward: UInt32 = 0x1000_0008
        static let stopListening: UInt32 = 0x1000_0009
        static let proxy: UInt32 = 0x1000_000f
        static let information: UInt32 = 0x2000_0001
    }

    /// The message with its length before it.
    package var frame: [UInt8] {
        Self.frame { writer in
            switch self {
            case .hello(let version, let extensions):
                writer.write(uint32: Number.hello)
                writer.write(uint32: version)
                for each in extensions {
                    writer.write(text: each.name)
                    writer.write(text: each.value)
                }
            case .newSession(let id, let session):
                writer.write(uint32: Number.newSession)
                writer.write(uint32: id)
                writer.write(text: "")
                writer.write(uint32: session.wantsTerminal ? 1 : 0)
                writer.write(uint32: session.wantsX11 ? 1 : 0)
                writer.write(uint32: session.wantsAgent ? 1 : 0)
                writer.write(uint32: session.isSubsystem ? 1 : 0)
                writer.write(uint32: session.escapeCharacter)
                writer.write(text: session.terminalType)
                writer.write(text: session.command)
                for variable in session.environment { writer.write(text: variable) }
            case .aliveCheck(let id): writer.write(Number.aliveCheck, id)
            case .terminate(let id): writer.write(Number.terminate, id)
            case .openForward(let id, let forward): writer.write(Number.openForward, id, forward)
            case .closeForward(let id, let forward): writer.write(Number.closeForward, id, forward)
            case .newStandardForward(let id, let host, let port):
                writer.write(Number.newStandardForward, id)
                writer.write(text: "")
                writer.write(text: host)
                writer.write(uint32: port)
            case .stopListening(let id): writer.write(Number.stopListening, id)
            case .proxy(let id): writer.write(Number.proxy, id)
            case .information(let id, let what):
                writer.write(Number.information, id)
                writer.write(text: what)
            case .other(let type, let id): writer.write(type, id)
            }
        }
    }

    /// From a message without its length.
    package init(_ message: RawSpan) throws(WireError) {
        var reader = WireReader(message)
        let type = try reader.readUInt32()
        if type == Number.hello {
            self = .hello(version: try reader.readUInt32(), extensions: try reader.readExtensions())
            return
        }
        let id = try reader.readUInt32()
        switch type {
        case Number.newSession: self = .newSession(id: id, try MultiplexSession(from: &reader))
        case Number.aliveCheck: self = .aliveCheck(id: id)
        case Number.terminate: self = .terminate(id: id)
        case Number.openForward:
            self = .openForward(id: id, try MultiplexForward(from: &reader))
        case Number.closeForward:
            self = .closeForward(id: id, try MultiplexForward(from: &reader))
        case Number.newStandardForward:
            _ = try reader.readString()
            self = .newStandardForward(
                id: id,
                host: try reader.readText(),
                port: try reader.readUInt32()
            )
        case Number.stopListening: self = .stopListening(id: id)
        case Number.proxy: self = .proxy(id: id)
        case Number.information: self = .information(id: id, try reader.readText())
        default: self = .other(type: type, id: id)
        }
    }

    fileprivate static func frame(_ body: (inout WireWriter) -> Void) -> [UInt8] {
        var writer = WireWriter()
        writer.writeString(body)
        return writer.take()
    }
}

extension MultiplexReply {
    private enum Number {
        static let hello: UInt32 = 0x0000_0001
        static let ok: UInt32 = 0x8000_0001
        static let permissionDenied: UInt32 = 0x8000_0002
        static let failure: UInt32 = 0x8000_0003
        static let exitMessage: UInt32 = 0x8000_0004
        static let alive: UInt32 = 0x8000_0005
        static let sessionOpened: UInt32 = 0x8000_0006
        static let remotePort: UInt32 = 0x8000_0007
        static let terminalFailed: UInt32 = 0x8000_0008
        static let proxy: UInt32 = 0x8000_000f
        static let information: UInt32 = 0x9000_0001
    }

    /// The message with its length before it.
    package var frame: [UInt8] {
        MultiplexRequest.frame { writer in
            switch self {
            case .hello(let version, let extensions):
                writer.write(Number.hello, version)
                for each in extensions {
                    writer.write(text: each.name)
                    writer.write(text: each.value)
                }
            case .ok(let id): writer.write(Number.ok, id)
            case .permissionDenied(let id, let reason):
                writer.write(Number.permissionDenied, id)
                writer.write(text: reason)
            case .failure(let id, let reason):
                writer.write(Number.failure, id)
                writer.write(text: reason)
            case .exitMessage(let session, let status):
                writer.write(Number.exitMessage, session)
                writer.write(uint32: status)
            case .alive(let id, let pid):
                writer.write(Number.alive, id)
                writer.write(uint32: pid)
            case .sessionOpened(let id, let session):
                writer.write(Number.sessionOpened, id)
                writer.write(uint32: session)
            case .remotePort(let id, let port):
                writer.write(Number.remotePort, id)
                writer.write(uint32: port)
            case .terminalFailed(let session): writer.write(Number.terminalFailed, session)
            case .proxy(let id): writer.write(Number.proxy, id)
            case .information(let id, let text):
                writer.write(Number.information, id)
                writer.write(text: text)
            case .other(let type): writer.write(uint32: type)
            }
        }
    }

    /// From a message without its length.
    package init(_ message: RawSpan) throws(WireError) {
        var reader = WireReader(message)
        let type = try reader.readUInt32()
        switch type {
        case Number.hello:
            self = .hello(version: try reader.readUInt32(), extensions: try reader.readExtensions())
        case Number.ok: self = .ok(id: try reader.readUInt32())
        case Number.permissionDenied:
            self = .permissionDenied(id: try reader.readUInt32(), try reader.readText())
        case Number.failure:
            self = .failure(id: try reader.readUInt32(), try reader.readText())
        case Number.exitMessage:
            self = .exitMessage(
                session: try reader.readUInt32(),
                status: try reader.readUInt32()
            )
        case Number.alive:
            self = .alive(id: try reader.readUInt32(), pid: try reader.readUInt32())
        case Number.sessionOpened:
            self = .sessionOpened(id: try reader.readUInt32(), session: try reader.readUInt32())
        case Number.remotePort:
            self = .remotePort(id: try reader.readUInt32(), port: try reader.readUInt32())
        case Number.terminalFailed: self = .terminalFailed(session: try reader.readUInt32())
        case Number.proxy: self = .proxy(id: try reader.readUInt32())
        case Number.information:
            self = .information(id: try reader.readUInt32(), try reader.readText())
        default: self = .other(type: type)
        }
    }
}

extension MultiplexSession {
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        _ = try reader.readString()
        wantsTerminal = try reader.readUInt32() != 0
        wantsX11 = try reader.readUInt32() != 0
        wantsAgent = try reader.readUInt32() != 0
        isSubsystem = try reader.readUInt32() != 0
        escapeCharacter = try reader.readUInt32()
        terminalType = try reader.readText()
        command = try reader.readText()
        environment = []
        while !reader.isAtEnd {
            guard environment.count < Multiplex.maximumVariables else { throw .tooLong }
            environment.append(try reader.readText())
        }
    }
}

extension MultiplexForward {
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        guard let kind = Kind(rawValue: try reader.readUInt32()) else { throw .badName }
        self.kind = kind
        listenHost = try reader.readText()
        listenPort = try reader.readUInt32()
        connectHost = try reader.readText()
        connectPort = try reader.readUInt32()
    }
}

extension WireWriter {
    fileprivate mutating func write(_ type: UInt32, _ id: UInt32) {
        write(uint32: type)
        write(uint32: id)
    }

    fileprivate mutating func write(_ type: UInt32, _ id: UInt32, _ forward: MultiplexForward) {
        write(type, id)
        write(uint32: forward.kind.rawValue)
        write(text: forward.listenHost)
        write(uint32: forward.listenPort)
        write(text: forward.connectHost)
        write(uint32: forward.connectPort)
    }
}

extension WireReader {
    /// Pairs of name and value to the end.
    @_lifetime(self: copy self)
    fileprivate mutating func readExtensions() throws(WireError) -> [MultiplexExtension] {
        var found: [MultiplexExtension] = []
        while !isAtEnd {
            guard found.count < 64 else { throw .tooLong }
            let name = try readText()
            found.append(MultiplexExtension(name, value: try readText()))
        }
        return found
    }
}

/// Cuts a stream into messages.
package struct MultiplexFraming: Sendable {
    private var pending: [UInt8] = []

    package init() {}

    package mutating func append(_ bytes: [UInt8]) { pending += bytes }

    /// The next whole message without its length, or nil. Throws for one over the limit.
    package mutating func next() throws(WireError) -> [UInt8]? {
        guard pending.count >= 4 else { return nil }
        let count = Int(pending.rawBytes.bigEndianUInt32(at: 0))
        guard count <= Multiplex.maximumBytes else { throw .tooLong }
        guard pending.count >= 4 + count else { return nil }
        let message = Array(pending[4..<4 + count])
        pending.removeFirst(4 + count)
        return message
    }
}
