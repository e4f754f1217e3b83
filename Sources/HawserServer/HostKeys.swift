// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
package import HawserLog
package import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// The host's keys: their public halves, and the files' contents from which a private one is read
/// only when it has to sign.
package final class HostKeys {
    /// One key file.
    package struct Entry {
        package var path: String
        package var contents: [UInt8]
        var publicKey: PublicKey
    }

    package private(set) var entries: [Entry] = []
    private var opened: [Int: PrivateKey] = [:]

    package init() {}

    /// Reads the files that can be used, and says of the others why not.
    package func load(_ paths: [String], _ log: Log) {
        for path in paths {
            guard let contents = read(path, log) else {
                log.error("Unable to load host key: \(path)")
                continue
            }
            if !add(path: path, contents: contents, log) {
                log.error("Unable to load host key: \(path)")
            }
        }
    }

    private func read(_ path: String, _ log: Log) -> [UInt8]? {
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
    package func add(path: String, contents: [UInt8], _ log: Log) -> Bool {
        do throws(KeyError) {
            let key: PublicKey
            if let found = try PrivateKeyFile.publicKey(in: contents),
                try !PrivateKeyFile.isEncrypted(contents)
            {
                key = found
            } else {
                let whole = try PrivateKeyFile.parse(contents)
                opened[entries.count] = whole
                key = whole.publicKey
            }
            entries.append(Entry(path: path, contents: contents, publicKey: key))
            return true
        } catch {
            log.error("Unable to load host key \"\(path)\": \(error)")
            return false
        }
    }

    /// What can be offered to a client, with the algorithms of `allowed` that each key serves.
    package func offers(allowed: [String]) -> [HostKeyOffer] {
        entries.compactMap { entry in
            let algorithms = allowed.filter { name in
                PublicKeyAlgorithm(name: name)?.keyType == entry.publicKey.type
            }
            return algorithms.isEmpty
                ? nil : HostKeyOffer(blob: entry.publicKey.blob, algorithms: algorithms)
        }
    }

    /// The signature blob of the key with this public half; nil when there is none or it cannot.
    package func sign(_ data: [UInt8], keyBlob: [UInt8], algorithm: String) -> [UInt8]? {
        guard let index = entries.firstIndex(where: { $0.publicKey.blob == keyBlob }) else {
            return nil
        }
        if opened[index] == nil {
            opened[index] = try? PrivateKeyFile.parse(entries[index].contents)
        }
        return try? opened[index]?.sign(data.rawBytes, algorithm: algorithm)
    }
}
