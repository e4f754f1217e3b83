// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// Reads host keys, in a process that ends when it has told their public halves.
final class HostKeyReader {
    /// A socket of an agent, for keys whose file has no private half.
    private let agent: String?
    private let log: Log
    private var entries: [HostKeys.Entry] = []
    /// The private keys, one behind the other, as their files have them.
    private(set) var contents: [UInt8] = []

    init(agent: String?, _ log: Log) {
        self.agent = agent
        self.log = log
    }

    func load(_ paths: [String]) {
        for path in paths where !load(path) {
            log.error("Unable to load host key: \(path)")
        }
    }

    private func load(_ path: String) -> Bool {
        if agent != nil, let key = publicHalf(path) {
            // A file without the private half: the agent has that.
            if let contents = try? Files.read(path, limit: PrivateKeyFile.maximumBytes),
                PrivateKeyFile.isPrivateKey(contents)
            {
                if add(path: path, contents: contents, .none) { return true }
            }
            log.debug("will rely on agent for hostkey \(path)")
            entries.append(HostKeys.Entry(path: path, place: nil, publicKey: key))
            return true
        }
        guard let contents = read(path) else { return false }
        return add(path: path, contents: contents, log)
    }

    /// The public key of a file, or of the file with `.pub` behind its name.
    private func publicHalf(_ path: String) -> PublicKey? {
        for name in [path, path + ".pub"] {
            guard let contents = try? Files.read(name, limit: PrivateKeyFile.maximumBytes) else {
                continue
            }
            if let key = try? PublicKeyLine.parse(String(octets: contents)).key {
                return key
            }
        }
        return nil
    }

    private func read(_ path: String) -> [UInt8]? {
        guard let status = Files.status(path) else {
            log.debug("Could not open \(path)")
            return nil
        }
        if status.uid == Daemon.realUser, status.mode & 0o077 != 0 {
            log.error("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@")
            log.error("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
            log.error("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@")
            let mode = String(status.mode & 0o777, radix: 8)
            let padded = String(repeating: "0", count: max(0, 4 - mode.count)) + mode
            log.error("Permissions \(padded) for '\(path)' are too open.")
            log.error("It is required that your private key files are NOT accessible by others.")
            log.error("This private key will be ignored.")
            log.error("Unable to load host key \"\(path)\": bad permissions")
            return nil
        }
        do throws(SystemError) {
            return try Files.read(path, limit: PrivateKeyFile.maximumBytes)
        } catch {
            log.error("Unable to load host key \"\(path)\": \(error.reason)")
            return nil
        }
    }

    /// Adds a key whose file has been read; false when it is none.
    @discardableResult
    private func add(path: String, contents: [UInt8], _ log: Log) -> Bool {
        do throws(KeyError) {
            let key: PublicKey
            if let found = try PrivateKeyFile.publicKey(in: contents),
                try !PrivateKeyFile.isEncrypted(contents)
            {
                key = found
            } else {
                key = try PrivateKeyFile.parse(contents).publicKey
            }
            let start = self.contents.count
            self.contents += contents
            entries.append(
                HostKeys.Entry(path: path, place: start..<self.contents.count, publicKey: key)
            )
            return true
        } catch {
            log.error("Unable to load host key \"\(path)\": \(error)")
            return false
        }
    }

    /// Makes an Ed25519 key for as long as the server runs.
    func makeKey() {
        let random = SystemRandom()
        guard let key = try? PrivateKey.generate(.ed25519, random: random),
            let contents = try? PrivateKeyFile.serialize(key, random: random)
        else { return }
        add(path: HostKeys.newKey, contents: contents.exposed, log)
        log.info("New host key: \(key.publicKey.text)")
    }

    // MARK: From the child to its parent

    var encoding: [UInt8] {
        var writer = WireWriter(reserving: 4096)
        writer.write(uint32: UInt32(clamping: entries.count))
        for entry in entries {
            writer.write(text: entry.path)
            writer.write(string: entry.blob)
            writer.write(boolean: entry.place != nil)
            writer.write(uint32: UInt32(clamping: entry.place?.lowerBound ?? 0))
            writer.write(uint32: UInt32(clamping: entry.place?.upperBound ?? 0))
        }
        return writer.take()
    }

    static func entries(decoding bytes: [UInt8]) throws(WireError) -> [HostKeys.Entry] {
        var reader = WireReader(bytes.rawBytes)
        var entries: [HostKeys.Entry] = []
        for _ in 0..<(try reader.readUInt32()) {
            let path = try reader.readText()
            let blob = try reader.readBytes()
            let hasPlace = try reader.readBoolean()
            let start = Int(try reader.readUInt32())
            let end = Int(try reader.readUInt32())
            guard start <= end else { throw .tooLong }
            guard let key = try? PublicKey(blob: blob) else { continue }
            entries.append(
                HostKeys.Entry(path: path, place: hasPlace ? start..<end : nil, publicKey: key)
            )
        }
        return entries
    }
}
