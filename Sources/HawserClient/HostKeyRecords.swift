// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserSystem
internal import HawserWire

/// Lines written to a known_hosts file.
enum HostKeyRecords {
    /// Appends a key under these names: one line, or hashed one line for each. Makes the file and its
    /// folder where there is none; `/dev/null` takes it too.
    static func append(
        _ key: PublicKey,
        names: [String],
        isHashed: Bool,
        to path: String
    ) throws(SystemError) {
        guard path != "/dev/null" else { return }
        let folder = Files.parent(of: path)
        if !Files.exists(folder) { try Files.makeDirectory(folder, mode: 0o700) }
        let text = lines(key, names: names, isHashed: isHashed)
            .map { $0 + "\n" }.joined()
        try Files.append(path, text.octets, mode: 0o600)
    }

    static func lines(_ key: PublicKey, names: [String], isHashed: Bool) -> [String] {
        guard isHashed else { return [KnownHostsFile.line(names: names, key: key)] }
        let random = SystemRandom()
        return names.map {
            KnownHostsFile.line(
                names: [HashedHostName($0, salt: random.bytes(20)).text],
                key: key
            )
        }
    }
}
