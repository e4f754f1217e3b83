// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// What `SSH_MSG_GLOBAL_REQUEST` asks (RFC 4254 §4, §7.1; OpenSSH's PROTOCOL §2.2, §2.4, §2.5).
package enum GlobalRequest: Equatable, Sendable {
    /// `tcpip-forward`: the server is to listen (§7.1); port 0 lets it choose.
    case tcpipForward(address: String, port: UInt32)
    /// `cancel-tcpip-forward` (§7.1).
    case cancelTCPIPForward(address: String, port: UInt32)
    /// `streamlocal-forward@openssh.com`.
    case streamLocalForward(path: String)
    /// `cancel-streamlocal-forward@openssh.com`.
    case cancelStreamLocalForward(path: String)
    /// `keepalive@openssh.com`: only its answer matters.
    case keepAlive
    /// `no-more-sessions@openssh.com`: the client will open no further session.
    case noMoreSessions
    /// `hostkeys-00@openssh.com`: every host key of the server, as key blobs.
    case hostKeys([[UInt8]])
    /// `hostkeys-prove-00@openssh.com`: the server is to sign with each of these keys.
    case proveHostKeys([[UInt8]])
    /// A request that we do not know; the connection itself refuses it when the peer asks.
    case other(name: String, data: [UInt8])
}

/// Which of our global requests an answer is for.
package struct GlobalRequestID: Hashable, Sendable {
    package let number: UInt64

    package init(number: UInt64) {
        self.number = number
    }
}

extension GlobalRequest {
    /// The request name.
    package var name: String {
        switch self {
        case .tcpipForward: "tcpip-forward"
        case .cancelTCPIPForward: "cancel-tcpip-forward"
        case .streamLocalForward: "streamlocal-forward@openssh.com"
        case .cancelStreamLocalForward: "cancel-streamlocal-forward@openssh.com"
        case .keepAlive: "keepalive@openssh.com"
        case .noMoreSessions: "no-more-sessions@openssh.com"
        case .hostKeys: "hostkeys-00@openssh.com"
        case .proveHostKeys: "hostkeys-prove-00@openssh.com"
        case .other(let name, _): name
        }
    }

    /// The port that the server chose, from the answer to `tcpipForward` with port 0 (§7.1).
    package static func chosenPort(in answer: [UInt8]) -> UInt32? {
        var reader = WireReader(answer.rawBytes)
        return try? reader.readUInt32()
    }

    /// The answer to `tcpipForward` with port 0.
    package static func answer(chosenPort: UInt32) -> [UInt8] {
        var writer = WireWriter(reserving: 4)
        writer.write(uint32: chosenPort)
        return writer.take()
    }

    /// The signatures in the answer to `proveHostKeys`, in the order of its keys.
    package static func signatures(in answer: [UInt8]) throws(WireError) -> [[UInt8]] {
        var reader = WireReader(answer.rawBytes)
        return try strings(from: &reader)
    }

    /// The answer to `proveHostKeys`.
    package static func answer(signatures: [[UInt8]]) -> [UInt8] {
        var writer = WireWriter()
        for signature in signatures { writer.write(string: signature) }
        return writer.take()
    }

    /// Exactly what the server signs with each key of `proveHostKeys` (PROTOCOL §2.5).
    package static func signedProof(
        ofHostKey keyBlob: [UInt8],
        sessionIdentifier: [UInt8]
    ) -> [UInt8] {
        var writer = WireWriter()
        writer.write(text: "hostkeys-prove-00@openssh.com")
        writer.write(string: sessionIdentifier)
        writer.write(string: keyBlob)
        return writer.take()
    }

    /// Reads what follows `want reply`.
    @_lifetime(reader: copy reader)
    init(name: String, from reader: inout WireReader) throws(WireError) {
        switch name {
        case "tcpip-forward":
            let address = try reader.readText()
            self = .tcpipForward(address: address, port: try reader.readUInt32())
        case "cancel-tcpip-forward":
            let address = try reader.readText()
            self = .cancelTCPIPForward(address: address, port: try reader.readUInt32())
        case "streamlocal-forward@openssh.com":
            self = .streamLocalForward(path: try reader.readText())
        case "cancel-streamlocal-forward@openssh.com":
            self = .cancelStreamLocalForward(path: try reader.readText())
        case "keepalive@openssh.com":
            self = .keepAlive
        case "no-more-sessions@openssh.com":
            self = .noMoreSessions
        case "hostkeys-00@openssh.com":
            self = .hostKeys(try GlobalRequest.strings(from: &reader))
        case "hostkeys-prove-00@openssh.com":
            self = .proveHostKeys(try GlobalRequest.strings(from: &reader))
        default:
            self = .other(name: name, data: [UInt8](copying: reader.readRest()))
        }
        try reader.expectEnd()
    }

    /// Writes what follows `want reply`.
    func write(into writer: inout WireWriter) {
        switch self {
        case .keepAlive, .noMoreSessions:
            break
        case .tcpipForward(let address, let port), .cancelTCPIPForward(let address, let port):
            writer.write(text: address)
            writer.write(uint32: port)
        case .streamLocalForward(let path), .cancelStreamLocalForward(let path):
            writer.write(text: path)
        case .hostKeys(let keys), .proveHostKeys(let keys):
            for key in keys { writer.write(string: key) }
        case .other(_, let data):
            writer.write(fixed: data)
        }
    }

    @_lifetime(reader: copy reader)
    private static func strings(from reader: inout WireReader) throws(WireError) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        while !reader.isAtEnd { strings.append(try reader.readBytes()) }
        return strings
    }
}
