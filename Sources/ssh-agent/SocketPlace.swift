// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserSystem
internal import HawserWire

/// Where the agent listens, and what it leaves behind.
struct SocketPlace {
    let path: String
    /// A directory made for this socket alone.
    var ownDirectory: String?

    /// Removes the socket, and its directory if it was made for it.
    func remove() {
        Files.remove(path)
        if let ownDirectory { Files.removeDirectory(ownDirectory) }
    }

    /// `$TMPDIR/ssh-XXXXXXXXXX/agent.<pid>`: where agents were before OpenSSH 10.1.
    static func temporary() throws(SystemError) -> SocketPlace {
        let base = Environment.value("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        do throws(SystemError) {
            let directory = try Files.makeTemporaryDirectory(base + "/ssh-" + letters(6))
            return SocketPlace(
                path: "\(directory)/agent.\(Daemon.processID)",
                ownDirectory: directory
            )
        } catch {
            guard base != "/tmp" else { throw error }
            let directory = try Files.makeTemporaryDirectory("/tmp/ssh-" + letters(6))
            return SocketPlace(
                path: "\(directory)/agent.\(Daemon.processID)",
                ownDirectory: directory
            )
        }
    }

    /// `~/.ssh/agent/s.<host>.agent.<random>`; nil when there is no such directory to be had.
    static func home() -> SocketPlace? {
        guard let directory = homeDirectory else { return nil }
        let parent = Files.parent(of: directory)
        for path in [parent, directory] {
            do {
                try Files.makeDirectory(path, mode: 0o700)
            } catch {
                return nil
            }
        }
        guard let status = Files.status(directory), status.isDirectory,
            status.uid == Daemon.effectiveUser, status.mode & 0o022 == 0
        else { return nil }
        let path = "\(directory)/s.\(hostMark).agent.\(letters(10))"
        // sun_path of unix(7), with its end.
        return path.octets.count < 108 ? SocketPlace(path: path) : nil
    }

    /// Removes sockets in the home directory behind which nobody listens any more.
    static func removeStale(ofAnyHost: Bool) {
        guard let directory = homeDirectory else { return }
        for name in Files.names(in: directory) where name.hasPrefix("s.") {
            guard ofAnyHost || name.hasPrefix("s.\(hostMark).") else { continue }
            let path = "\(directory)/\(name)"
            guard let status = Files.status(path, followingLinks: false), status.isSocket,
                status.uid == Daemon.effectiveUser
            else { continue }
            do throws(SystemError) {
                Descriptor.close(try UnixSocket.connect(path))
            } catch {
                if error.number == Self.connectionRefused { Files.remove(path) }
            }
        }
    }

    private static let connectionRefused: Int32 = 111  // ECONNREFUSED

    private static var homeDirectory: String? {
        let home = User.homeDirectory ?? ""
        return home.hasPrefix("/") ? home + "/.ssh/agent" : nil
    }

    /// Tells the hosts that share a home directory apart.
    private static var hostMark: String {
        let digest = HashAlgorithm.sha256.hash(Resolver.ownHostName.octets)
        let text = Base64.encode(digest).filter { $0.isLetter || $0.isNumber }
        return String(text.prefix(10))
    }

    private static func letters(_ count: Int) -> String {
        let random = SystemRandom()
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        return String(
            (0..<count).map { _ in alphabet[Int(random.uniform(below: UInt32(alphabet.count)))] }
        )
    }
}
