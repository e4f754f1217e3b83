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
        guard let contents = read() else { return nil }
        let mark = contents.mark(of: host)
        return contents.lines.first { $0.mark == mark }?.guess
    }

    /// Keeps what the host would have agreed to at once.
    func keep(_ guess: KeyExchangeGuess) {
        var contents = read() ?? Contents()
        let line = Line(mark: contents.mark(of: host), guess: guess)
        if contents.lines.contains(line) { return }
        contents.lines.removeAll { $0.mark == line.mark }
        contents.lines.append(line)
        contents.lines.removeFirst(max(0, contents.lines.count - Self.maximumLines))
        write(contents)
    }

    /// The host is not any more what it was.
    func forget() {
        guard var contents = read() else { return }
        let mark = contents.mark(of: host)
        contents.lines.removeAll { $0.mark == mark }
        write(contents)
    }

    // MARK: The file

    /// More hosts than most people know; the oldest make room.
    private static let maximumLines = 500
    private static let maximumBytes = 128 << 10
    private static let firstWords = "hawser-key-exchanges 1 "

    /// `$XDG_CACHE_HOME/hawser` (XDG Base Directory Specification), by default in `~/.cache`.
    private static var folder: String? {
        if let cache = Environment.value("XDG_CACHE_HOME"), cache.hasPrefix("/") {
            return cache + "/hawser"
        }
        let home = Environment.value("HOME") ?? User.current?.home ?? ""
        return home.hasPrefix("/") ? home + "/.cache/hawser" : nil
    }

    private struct Line: Equatable {
        var mark: String
        var guess: KeyExchangeGuess
    }

    private struct Contents {
        var salt: String
        var lines: [Line] = []

        init() { salt = Base64.encode(SystemRandom().bytes(15)) }

        /// Nil for what was not written by `text`.
        init?(_ bytes: [UInt8]) {
            let rows = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            guard let first = rows.first, first.hasPrefix(firstWords) else { return nil }
            salt = String(first.dropFirst(firstWords.count))
            for row in rows.dropFirst().suffix(maximumLines) {
                let words = row.split(separator: " ").map(String.init)
                guard words.count == 3 else { continue }
                let guess = KeyExchangeGuess(keyExchange: words[1], hostKey: words[2])
                lines.append(Line(mark: words[0], guess: guess))
            }
        }

        /// What stands for a host: the file tells nobody where its owner logs in.
        func mark(of host: String) -> String {
            Base64.encode(Array(HashAlgorithm.sha256.hash(Array((salt + host).utf8)).prefix(18)))
        }

        var text: String {
            let rows = lines.map { "\($0.mark) \($0.guess.keyExchange) \($0.guess.hostKey)\n" }
            return firstWords + salt + "\n" + rows.joined()
        }
    }

    /// Nil where there is none, or somebody else could have written it.
    private func read() -> Contents? {
        guard let status = Files.status(path), status.isRegular,
            status.uid == Daemon.effectiveUser, status.mode & 0o022 == 0,
            let bytes = try? Files.read(path, limit: Self.maximumBytes)
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
            try Files.replace(path, with: Array(contents.text.utf8), mode: 0o600, isDurable: false)
        } catch {
            log.debug("\(path): \(error.reason)")
        }
    }
}
