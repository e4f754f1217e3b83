// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
package import HawserKeys
package import HawserSystem

/// A program of ours that does one dangerous thing in a process of its own: ssh-pkcs11-helper,
/// ssh-sk-helper. It speaks the agent's messages over its standard input and output.
package enum Helper {
    package static let pkcs11 = "ssh-pkcs11-helper"
    package static let securityKey = "ssh-sk-helper"
    /// Speaks messages of its own (`KeysignMessage`).
    package static let keysign = "ssh-keysign"

    /// Where a helper is: what its variable of the environment says, else in `libexec` beside the
    /// directory of this program, else beside the program itself.
    package static func path(of name: String) -> String {
        let variable: String? =
            switch name {
            case pkcs11: "SSH_PKCS11_HELPER"
            case securityKey: "SSH_SK_HELPER"
            default: nil
            }
        if let path = variable.flatMap(Environment.value), !path.isEmpty { return path }
        let installed = "/usr/local/libexec/" + name
        guard let own = Files.canonical("/proc/self/exe") else { return installed }
        let folder = Files.parent(of: own)
        let candidates = ["\(Files.parent(of: folder))/libexec/\(name)", "\(folder)/\(name)"]
        return candidates.first { Files.exists($0) } ?? installed
    }

    /// Starts a helper; its process number and our end of its socket. `mayAsk`: it may ask the person
    /// in front for a PIN.
    package static func start(
        _ name: String,
        mayAsk: Bool = false
    ) throws(SystemError) -> (pid: Int32, descriptor: Int32) {
        let path = path(of: name)
        let (ours, theirs) = try Descriptor.socketPair()
        defer { Descriptor.close(theirs) }
        var spawn = Spawn(path, [path])
        let others = Environment.all.filter { !$0.hasPrefix("HAWSER_HELPER_MAY_ASK=") }
        spawn.environment = others + (mayAsk ? ["HAWSER_HELPER_MAY_ASK=1"] : [])
        spawn.descriptors = [(0, theirs), (1, theirs), (2, 2)]
        do throws(SystemError) {
            return (try spawn.start(), ours)
        } catch {
            Descriptor.close(ours)
            throw error
        }
    }
}

/// A helper that is asked like an agent; it ends with its owner.
package final class HelperConnection {
    package let connection: AgentConnection
    private let pid: Int32

    package init(_ name: String, mayAsk: Bool = false) throws(SystemError) {
        let (pid, descriptor) = try Helper.start(name, mayAsk: mayAsk)
        self.pid = pid
        connection = AgentConnection(descriptor: descriptor)
    }

    /// A signature blob over `data` by a key of a PKCS#11 token.
    package func sign(
        _ data: [UInt8],
        with key: PublicKey,
        algorithm: String?
    ) throws(AgentConnection.Failure) -> [UInt8] {
        guard let pending = try? TokenKey.Pending(data, key: key.plain, algorithm: algorithm) else {
            throw .refused
        }
        let request = AgentRequest.sign(keyBlob: key.plain.blob, data: pending.input, flags: 0)
        switch try connection.ask(request) {
        case .signature(let answer):
            guard let blob = try? pending.signature(answer) else { throw .badAnswer }
            return blob
        case .failure: throw .refused
        default: throw .badAnswer
        }
    }

    deinit {
        // It ends when its input does; should it not, it is made to.
        connection.close()
        for _ in 0..<50 {
            if Child.reap(pid) != nil { return }
            Descriptor.waitUntilReady(-1, forWriting: false, milliseconds: 10)
        }
        Child.kill(pid, 9)
        _ = Child.wait(pid)
    }
}
