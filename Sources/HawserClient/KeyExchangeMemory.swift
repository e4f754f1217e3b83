// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserProtocol
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// What servers agreed to the last time, so that the next login can begin with it
/// (`GuessKeyExchange`).
///
/// A file of the user's cache: nothing is lost with it, and nothing in it is trusted. A line for each
/// host, the newest last: its name, hashed with the salt of the first line, and the two algorithms.
struct KeyExchangeMemory {
    private let path: String
    private let host: String
    private let log: Log

    /// Nil where there is no place for it.
    init?(host: String, log: Log) {
        guard let folder = Self.folder else { return nil }
        path = folder + "/key-exchanges"
        self.host = host
        self.log = log
    }

    /// What the host is expected to agree to.
    var guess: KeyExchangeGuess? {
        guard let contents = read(), let place = contents.place(of: host) else { return nil }
        let words = String(octets: contents.lines[place]).split(separator: " ").map(String.init)
        guard words.count == 3 else { return nil }
        return KeyExchangeGuess(keyExchange: words[1], hostKey: words[2])
    }

    /// Keeps what the host would have agreed to at once.
    func keep(_ guess: KeyExchangeGuess) {
        var contents = read() ?? Contents()
        let line = contents.mark(of: host) + "\(guess.keyExchange) \(guess.hostKey)".octets
        if let place = contents.place(of: host) {
            if contents.lines[place].elementsEqual(line) { return }
            contents.lines.remove(at: place)
        }
        contents.lines.append(line[...])
        contents.lines.removeFirst(max(0, contents.lines.count - Self.maximumLines))
        write(contents)
    }

    /// The host is not any more what it was.
    func forget() {
        guard var contents = read(), let place = contents.place(of: host) else { return }
        contents.lines.remove(at: place)
        write(contents)
    }

    // MARK: The file

    /// More hosts than most people know; the oldest make room.
    private static let maximumLines = 500
    private static let maximumBytes = 128 << 10
    private static let firstWords = "hawser-key-exchanges 1 ".octets

    /// `$XDG_CACHE_HOME/hawser` (XDG Base Directory Specification), by default in `~/.cache`.
    private static var folder: String? {
        if let cache = Environment.value("XDG_CACHE_HOME"), cache.hasPrefix("/") {
            return cache + "/hawser"
        }
        let home = User.homeDirectory ?? ""
        return home.hasPrefix("/") ? home + "/.cache/hawser" : nil
    }

    private struct Contents {
        var salt: [UInt8]
        /// Not taken apart: of hundreds of hosts one is asked for.
        var lines: [ArraySlice<UInt8>] = []

        init() { salt = Base64.encode(SystemRandom().bytes(15)).octets }

        /// Nil for what was not written from `bytes`.
        init?(_ bytes: [UInt8]) {
            let rows = bytes.split(separator: UInt8(ascii: "\n"))
            guard let first = rows.first, first.starts(with: firstWords) else { return nil }
            salt = Array(first.dropFirst(firstWords.count))
            lines = Array(rows.dropFirst().suffix(maximumLines))
        }

        /// What a host's line begins with: the file tells nobody where its owner logs in.
        func mark(of host: String) -> [UInt8] {
            let digest = HashAlgorithm.sha256.hash(salt + host.octets)
            return (Base64.encode(Array(digest.prefix(18))) + " ").octets
        }

        func place(of host: String) -> Int? {
            let mark = mark(of: host)
            return lines.firstIndex { $0.starts(with: mark) }
        }

        var bytes: [UInt8] {
            ([(firstWords + salt)[...]] + lines).flatMap { $0 + [UInt8(ascii: "\n")] }
        }
    }

    /// Nil where there is none, or somebody else could have written it.
    private func read() -> Contents? {
        // RDONLY NONBLOCK NOCTTY: what is no file is not waited for.
        guard let fd = try? Descriptor.open(path, 0o4000 | 0o400) else { return nil }
        defer { Descriptor.close(fd) }
        guard let status = Files.status(of: fd), status.isRegular,
            status.uid == Daemon.effectiveUser, status.mode & 0o022 == 0,
            let bytes = Descriptor.readAll(fd, limit: Self.maximumBytes)
        else { return nil }
        return Contents(bytes)
    }

    private func write(_ contents: Contents) {
        do throws(SystemError) {
            let folder = Files.parent(of: path)
            if !Files.exists(folder) {
                let cache = Files.parent(of: folder)
                if !Files.exists(cache) { try Files.makeDirectory(cache, mode: 0o700) }
                try Files.makeDirectory(folder, mode: 0o700)
            }
            try Files.replace(path, with: contents.bytes, mode: 0o600, isDurable: false)
        } catch {
            log.debug("\(path): \(error.reason)")
        }
    }
}
