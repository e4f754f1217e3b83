// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What a channel is opened for: the type of `SSH_MSG_CHANNEL_OPEN` and what follows its windows
/// (RFC 4254 §6.1, §6.3.2, §7.2; OpenSSH's PROTOCOL §2.3, §2.4).
package enum ChannelOpening: Equatable, Sendable {
    /// `session`: a shell, a command or a subsystem (§6.1).
    case session
    /// `direct-tcpip`: the server is to connect to a host (§7.2).
    case directTCPIP(TCPIPEndpoints)
    /// `forwarded-tcpip`: someone connected to a port that the server listens on for the client
    /// (§7.2).
    case forwardedTCPIP(TCPIPEndpoints)
    /// `direct-streamlocal@openssh.com`: the server is to connect to a socket of its own.
    case directStreamLocal(path: String)
    /// `forwarded-streamlocal@openssh.com`: someone connected to a socket that the server listens
    /// on for the client.
    case forwardedStreamLocal(path: String)
    /// `x11` (§6.3.2).
    case x11(originatorAddress: String, originatorPort: UInt32)
    /// `auth-agent@openssh.com`, or by its newer name `agent-connect`.
    case agent(name: AgentChannelName)
    /// `tun@openssh.com`: network packets, each in one string.
    case tunnel(mode: TunnelMode, unit: UInt32)
    /// A type that we do not know; the connection itself refuses it when the peer asks.
    case other(type: String, data: [UInt8])

    /// The two names of a channel to an agent; a peer understands one of them.
    package enum AgentChannelName: String, Sendable {
        case openSSH = "auth-agent@openssh.com"
        case standard = "agent-connect"
    }

    /// What a tunnel carries.
    package struct TunnelMode: RawRepresentable, Equatable, Sendable {
        package var rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Layer 3 packets.
        package static let pointToPoint = TunnelMode(rawValue: 1)
        /// Layer 2 frames.
        package static let ethernet = TunnelMode(rawValue: 2)
    }

    /// The unit of a tunnel that the server is to choose.
    package static let anyTunnelUnit: UInt32 = 0x7fff_ffff
}

/// Two ends of a forwarded TCP connection (RFC 4254 §7.2).
package struct TCPIPEndpoints: Equatable, Sendable {
    /// `direct-tcpip`: host to connect to. `forwarded-tcpip`: address that was connected.
    package var host: String
    package var port: UInt32
    package var originatorAddress: String
    package var originatorPort: UInt32

    package init(
        host: String,
        port: UInt32,
        originatorAddress: String,
        originatorPort: UInt32
    ) {
        self.host = host
        self.port = port
        self.originatorAddress = originatorAddress
        self.originatorPort = originatorPort
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout WireReader) throws(WireError) {
        host = try reader.readText()
        port = try reader.readUInt32()
        originatorAddress = try reader.readText()
        originatorPort = try reader.readUInt32()
    }

    func write(into writer: inout WireWriter) {
        writer.write(text: host)
        writer.write(uint32: port)
        writer.write(text: originatorAddress)
        writer.write(uint32: originatorPort)
    }
}

extension ChannelOpening {
    /// The channel type.
    package var typeName: String {
        switch self {
        case .session: "session"
        case .directTCPIP: "direct-tcpip"
        case .forwardedTCPIP: "forwarded-tcpip"
        case .directStreamLocal: "direct-streamlocal@openssh.com"
        case .forwardedStreamLocal: "forwarded-streamlocal@openssh.com"
        case .x11: "x11"
        case .agent(let name): name.rawValue
        case .tunnel: "tun@openssh.com"
        case .other(let type, _): type
        }
    }

    /// Reads what follows the maximum packet size.
    @_lifetime(reader: copy reader)
    init(type: String, from reader: inout WireReader) throws(WireError) {
        switch type {
        case "session":
            self = .session
        case "direct-tcpip":
            self = .directTCPIP(try TCPIPEndpoints(from: &reader))
        case "forwarded-tcpip":
            self = .forwardedTCPIP(try TCPIPEndpoints(from: &reader))
        case "direct-streamlocal@openssh.com":
            self = .directStreamLocal(path: try reader.readText())
            _ = try reader.readString()
            _ = try reader.readUInt32()
        case "forwarded-streamlocal@openssh.com":
            self = .forwardedStreamLocal(path: try reader.readText())
            _ = try reader.readString()
        case "x11":
            let address = try reader.readText()
            self = .x11(originatorAddress: address, originatorPort: try reader.readUInt32())
        case AgentChannelName.openSSH.rawValue:
            self = .agent(name: .openSSH)
        case AgentChannelName.standard.rawValue:
            self = .agent(name: .standard)
        case "tun@openssh.com":
            let mode = TunnelMode(rawValue: try reader.readUInt32())
            self = .tunnel(mode: mode, unit: try reader.readUInt32())
        default:
            self = .other(type: type, data: [UInt8](copying: reader.readRest()))
        }
        try reader.expectEnd()
    }

    /// Writes what follows the maximum packet size.
    func write(into writer: inout WireWriter) {
        switch self {
        case .session, .agent:
            break
        case .directTCPIP(let endpoints), .forwardedTCPIP(let endpoints):
            endpoints.write(into: &writer)
        case .directStreamLocal(let path):
            writer.write(text: path)
            writer.write(text: "")
            writer.write(uint32: 0)
        case .forwardedStreamLocal(let path):
            writer.write(text: path)
            writer.write(text: "")
        case .x11(let address, let port):
            writer.write(text: address)
            writer.write(uint32: port)
        case .tunnel(let mode, let unit):
            writer.write(uint32: mode.rawValue)
            writer.write(uint32: unit)
        case .other(_, let data):
            writer.write(fixed: data)
        }
    }

    /// Whether someone waits for each byte, so that it goes before bulk data.
    var isInteractive: Bool {
        switch self {
        case .x11, .agent: true
        default: false
        }
    }
}

/// Why a channel was not opened (RFC 4254 §5.1).
package struct ChannelOpenFailureReason: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let administrativelyProhibited = ChannelOpenFailureReason(rawValue: 1)
    package static let connectFailed = ChannelOpenFailureReason(rawValue: 2)
    package static let unknownChannelType = ChannelOpenFailureReason(rawValue: 3)
    package static let resourceShortage = ChannelOpenFailureReason(rawValue: 4)
}

extension ChannelOpenFailureReason: CustomStringConvertible {
    /// As programs show it.
    package var description: String {
        switch self {
        case .administrativelyProhibited: "administratively prohibited"
        case .connectFailed: "connect failed"
        case .unknownChannelType: "unknown channel type"
        case .resourceShortage: "resource shortage"
        default: "unknown reason"
        }
    }
}
