// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Both ends of a client's connection, as logs and environments name them.
package struct PeerAddress: Equatable, Sendable {
    /// The client's address; `UNKNOWN` when the connection is no socket, as under `sshd -i` on
    /// pipes.
    package var address: String
    package var port: Int
    /// Our own address on that connection.
    package var localAddress: String
    package var localPort: Int
    /// The routing domain that it came in by; empty for none.
    package var routingDomain: String

    package init(
        address: String,
        port: Int,
        localAddress: String,
        localPort: Int,
        routingDomain: String = ""
    ) {
        self.address = address
        self.port = port
        self.localAddress = localAddress
        self.localPort = localPort
        self.routingDomain = routingDomain
    }

    /// The ends of something that is no socket.
    package static let unknown = PeerAddress(
        address: "UNKNOWN",
        port: 65535,
        localAddress: "UNKNOWN",
        localPort: 65535
    )

    /// `SSH_CONNECTION`.
    package var connection: String { "\(address) \(port) \(localAddress) \(localPort)" }

    /// `SSH_CLIENT`.
    package var client: String { "\(address) \(port) \(localPort)" }

    /// The form of most log lines.
    package var description: String { "\(address) port \(port)" }

    init(from reader: inout WireReader) throws(WireError) {
        address = try reader.readText()
        port = Int(try reader.readUInt32())
        localAddress = try reader.readText()
        localPort = Int(try reader.readUInt32())
        routingDomain = try reader.readText()
    }

    func write(into writer: inout WireWriter) {
        writer.write(text: address)
        writer.write(uint32: UInt32(clamping: port))
        writer.write(text: localAddress)
        writer.write(uint32: UInt32(clamping: localPort))
        writer.write(text: routingDomain)
    }
}
