// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// One request, one signature.
///
/// The keys' files are opened first, with the privilege that the program file lends; it is given up
/// for good before anything that the user chose is read.
struct Keysign {
    let log: Log

    func run() -> Bool {
        let files = Self.keyFiles.map { path in try? Files.read(path, limit: 1 << 20) }
        do throws(PrivilegeError) {
            try Identity.becomePermanently(uid: Daemon.realUser, gid: Daemon.realGroup)
        } catch {
            return fail("\(error)")
        }
        let (isEnabled, mistakes) = readConfiguration()
        // As for ssh: what stands beside a mistake may be meant otherwise.
        if !mistakes.isEmpty {
            for mistake in mistakes { log.fatal("\(mistake)") }
            return false
        }
        guard isEnabled else { return fail("ssh-keysign not enabled in \(Self.configuration)") }
        guard files.contains(where: { $0 != nil }) else {
            return fail("could not open any host key")
        }
        let keys = files.compactMap { contents in
            contents.flatMap { try? PrivateKeyFile.parse($0, passphrase: nil) }
        }
        guard !keys.isEmpty else { return fail("no hostkey found") }
        guard let message = readMessage() else { return fail("ssh-keysign: ssh_msg_recv failed") }
        guard let (descriptor, data) = KeysignMessage.readRequest(message) else {
            return fail("ssh-keysign: bad version or buffer error")
        }
        guard descriptor > 2, Descriptor.isOpen(descriptor) else {
            return fail("ssh-keysign: bad fd = \(descriptor)")
        }
        guard let request = valid(data, descriptor) else {
            return fail("ssh-keysign: not a valid request")
        }
        return answer(request, data, keys)
    }

    private func answer(_ request: HostBasedRequest, _ data: [UInt8], _ keys: [PrivateKey]) -> Bool
    {
        let plain = request.key.plain
        guard let key = keys.first(where: { $0.publicKey.plain == plain }) else {
            return fail(
                "ssh-keysign: no matching hostkey found for key \(request.key.type.shortName) "
                    + request.key.fingerprint()
            )
        }
        do throws(KeyError) {
            let signature = try key.sign(data.rawBytes, algorithm: request.algorithm.name)
            return Descriptor.writeAll(1, KeysignMessage.reply(signature: signature))
        } catch {
            return fail("ssh-keysign: sshkey_sign failed: \(error)")
        }
    }

    /// What may be signed: a login from this host by the user who asks.
    private func valid(_ data: [UInt8], _ descriptor: Int32) -> HostBasedRequest? {
        guard let request = try? HostBasedRequest(data), let user = User.numbered(Daemon.realUser)
        else { return nil }
        let host = HostName.ofClient(behind: descriptor)
        guard request.clientHostName.lowercased() == host.lowercased() + ".",
            request.clientUser == user.name
        else { return nil }
        return request
    }

    private func readMessage() -> [UInt8]? {
        Descriptor.readMessage(
            Descriptor.standardInput,
            limitBytes: KeysignMessage.maximumBytes
        )
    }

    // MARK: Configuration

    /// `EnableSSHKeysign` of the system's file, which alone counts, and what is wrong with the file.
    private func readConfiguration() -> (isEnabled: Bool, mistakes: [ConfigError]) {
        guard let user = User.numbered(Daemon.realUser) else { return (false, []) }
        var reader = ClientConfigReader(
            ClientOptions(),
            for: ClientConfigSubject(originalHost: "", localUser: user.name, home: user.home),
            from: SystemFiles()
        )
        _ = reader.read(file: Self.configuration, isUserFile: false)
        return (reader.options.enableSSHKeysign == true, reader.errors)
    }

    private func fail(_ text: String) -> Bool {
        log.fatal(text)
        return false
    }

    private static let configuration = "/etc/ssh/ssh_config"
    private static let keyFiles = ["ecdsa", "ed25519", "rsa", "mldsa44_ed25519", "dsa"].map {
        "/etc/ssh/ssh_host_\($0)_key"
    }
}

/// Files for the configuration; no command is run for it.
private struct SystemFiles: ConfigSource {
    func contents(of path: String) -> [UInt8]? { try? Files.read(path) }
    func paths(matching pattern: String) -> [String] {
        Files.matches(pattern, expandingTilde: true)
    }
    func succeeds(_ command: String) -> Bool { false }
}
