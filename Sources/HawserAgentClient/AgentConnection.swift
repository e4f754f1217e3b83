// SPDX-License-Identifier: Apache-2.0

package import HawserAgent
package import HawserSystem
internal import HawserWire

/// An agent at the other end of a Unix socket. Calls wait for it: a user's agent may have to ask the
/// user first.
package final class AgentConnection {
    /// Why an agent gave no useful answer.
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// `SSH_AUTH_SOCK` is not set.
        case noAgent
        case unreachable(SystemError)
        /// It hung up, or broke off.
        case communication
        case badAnswer
        case refused

        package var description: String {
            switch self {
            case .noAgent: "Could not open a connection to your authentication agent."
            case .unreachable(let error): error.reason
            case .communication: "communication with agent failed"
            case .badAnswer: "invalid format"
            case .refused: "agent refused operation"
            }
        }
    }

    private var descriptor: Int32
    /// How long each part of an answer may take; -1: without bound.
    private var milliseconds: Int32 = -1

    /// Takes over a connected socket.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
        Descriptor.setNonblocking(descriptor, false)
    }

    /// Connects to the socket at `path`. `milliseconds` bounds the wait for each part of an answer.
    package init(path: String, milliseconds: Int32 = -1) throws(Failure) {
        self.milliseconds = milliseconds
        do {
            descriptor = try UnixSocket.connect(path)
        } catch {
            throw .unreachable(error)
        }
        Descriptor.setNonblocking(descriptor, false)
    }

    /// Connects to the agent that `SSH_AUTH_SOCK` names.
    package static func fromEnvironment() throws(Failure) -> AgentConnection {
        guard let path = Environment.value("SSH_AUTH_SOCK"), !path.isEmpty else { throw .noAgent }
        return try AgentConnection(path: path)
    }

    deinit { close() }

    /// Hangs up; nothing can be asked after that.
    package func close() {
        Descriptor.close(descriptor)
        descriptor = -1
    }

    /// One question and its answer.
    package func ask(_ request: AgentRequest) throws(Failure) -> AgentReply {
        var frame = request.frame
        defer { frame.wipe() }
        guard Descriptor.writeAll(descriptor, frame) else { throw .communication }
        let head = try read(4)
        let count = Int(head.rawBytes.bigEndianUInt32(at: 0))
        guard count > 0, count <= AgentReply.maximumBytes else { throw .badAnswer }
        let message = try read(count)
        guard let reply = try? AgentReply(message.rawBytes) else { throw .badAnswer }
        return reply
    }

    /// A request whose answer is yes or no.
    package func carryOut(_ request: AgentRequest) throws(Failure) {
        switch try ask(request) {
        case .success: return
        case .failure: throw .refused
        default: throw .badAnswer
        }
    }

    package func identities() throws(Failure) -> [AgentReply.Identity] {
        switch try ask(.identities) {
        case .identities(let keys): return keys
        case .failure: throw .refused
        default: throw .badAnswer
        }
    }

    /// The signature blob of the key over `data`, by the named algorithm where the key has several.
    package func sign(
        _ data: [UInt8],
        keyBlob: [UInt8],
        algorithm: String
    ) throws(Failure) -> [UInt8] {
        let flags = AgentRequest.flags(forAlgorithm: algorithm)
        switch try ask(.sign(keyBlob: keyBlob, data: data, flags: flags)) {
        case .signature(let blob): return blob
        case .failure: throw .refused
        default: throw .badAnswer
        }
    }

    /// The names of the extensions that the agent says it has.
    package func extensions() throws(Failure) -> [String] {
        switch try ask(.query) {
        case .extensions(let names): return names
        case .success: return []
        case .failure: throw .refused
        default: throw .badAnswer
        }
    }

    private func read(_ count: Int) throws(Failure) -> [UInt8] {
        let bytes = Descriptor.readExactly(descriptor, count: count, milliseconds: milliseconds)
        guard let bytes else { throw .communication }
        return bytes
    }
}
