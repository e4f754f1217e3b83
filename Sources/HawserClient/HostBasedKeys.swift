// SPDX-License-Identifier: Apache-2.0

internal import HawserAgentClient
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// This host's keys for `hostbased`: their public halves, and ssh-keysign, which signs with them.
final class HostBasedKeys {
    /// A key to try, and how it would sign.
    struct Attempt {
        var key: PublicKey
        var algorithm: String
    }

    private let descriptor: Int32
    private let log: Log
    private var waiting: [Attempt]
    /// The host's name as it is sent, with a dot at its end.
    let clientHostName: String

    /// `descriptor` is the connection's.
    init(_ settings: ClientSettings, descriptor: Int32, log: Log) {
        self.descriptor = descriptor
        self.log = log
        clientHostName = HostName.ofClient(behind: descriptor).lowercased() + "."
        let keys = Self.publicKeys
        waiting = settings.algorithms.hostBased.flatMap { name in
            let type = PublicKeyAlgorithm(name: name)?.keyType
            return keys.filter { $0.type == type }.map { Attempt(key: $0, algorithm: name) }
        }
    }

    func next() -> Attempt? {
        guard !waiting.isEmpty else {
            log.debug("No more client hostkeys for hostbased authentication.")
            return nil
        }
        let attempt = waiting.removeFirst()
        log.debug(
            "userauth_hostbased: trying hostkey \(attempt.key.type.shortName) "
                + "\(attempt.key.fingerprint()) using sigalg \(attempt.algorithm)"
        )
        return attempt
    }

    /// Certificates first, as in a login.
    private static var publicKeys: [PublicKey] {
        let names = ["ecdsa", "ed25519", "rsa", "mldsa44_ed25519"]
        let files =
            names.map { "/etc/ssh/ssh_host_\($0)_key-cert.pub" }
            + names.map { "/etc/ssh/ssh_host_\($0)_key.pub" }
        return files.compactMap(IdentityFile.publicKey(at:))
    }

    // MARK: ssh-keysign

    /// A signature blob by ssh-keysign, or nil, said why.
    func sign(_ data: [UInt8]) -> [UInt8]? {
        let path = Helper.path(of: Helper.keysign)
        guard Files.exists(path) else {
            log.error("ssh_keysign: not installed: \(path)")
            return nil
        }
        do throws(SystemError) {
            let (ours, theirs) = try Descriptor.socketPair()
            defer { Descriptor.close(ours) }
            var spawn = Spawn(path, [path])
            spawn.descriptors = [(0, theirs), (1, theirs), (2, 2), (Self.connection, descriptor)]
            let started = Result { () throws(SystemError) in try spawn.start() }
            Descriptor.close(theirs)
            let pid = try started.get()
            let request = KeysignMessage.request(descriptor: Self.connection, data: data)
            let reply =
                Descriptor.writeAll(ours, request) ? readReply(ours) : nil
            if reply == nil { Child.kill(pid, 15) }
            let end = Child.wait(pid)
            guard let reply, let signature = KeysignMessage.readReply(reply) else {
                log.error("ssh_keysign: no reply")
                if let end { log.debug("ssh_keysign: \(end)") }
                return nil
            }
            return signature
        } catch {
            log.error("ssh_keysign: \(error)")
            return nil
        }
    }

    private func readReply(_ fd: Int32) -> [UInt8]? {
        Descriptor.readMessage(
            fd,
            limitBytes: KeysignMessage.maximumBytes,
            milliseconds: Self.patienceMilliseconds
        )
    }

    /// The number that ssh-keysign finds the connection under.
    private static let connection: Int32 = 3
    private static let patienceMilliseconds: Int32 = 30_000
}
