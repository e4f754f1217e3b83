// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// Files that say which users of which hosts may log in: hosts.equiv, shosts.equiv, `.rhosts` and
/// `.shosts` (sshd(8), FILES).
struct TrustedHosts {
    /// Who wants to get in, and from where.
    struct Client {
        /// The user's name there.
        var user: String
        var host: String
        var address: String
    }

    /// What a file says.
    enum Verdict: Equatable { case trusted, distrusted, silent }

    let user: User
    let isStrict: Bool
    /// `IgnoreRhosts`
    let ignored: IgnoredFiles
    let log: Log

    enum IgnoredFiles { case none, rhosts, all }

    private static let systemFiles = ["/etc/hosts.equiv", "/etc/ssh/shosts.equiv"]

    /// Whether a file lets the client's user in.
    func trust(_ client: Client) -> Bool {
        // Root is nobody's equal.
        if user.uid != 0 {
            for path in Self.systemFiles {
                switch verdict(ofFile: path, client) {
                case .trusted:
                    log.debug("Accepted for \(client.host) [\(client.address)] by \(path).")
                    return true
                case .distrusted: return false
                case .silent: continue
                }
            }
        }
        guard let home = Files.status(user.home) else {
            log.info(
                "Rhosts authentication refused for \(user.name): no home directory \(user.home)"
            )
            return false
        }
        if isStrict, !isSafe(home) {
            log.info(
                "Rhosts authentication refused for \(user.name): bad ownership or modes for home "
                    + "directory."
            )
            return false
        }
        return Identity.reading(as: user) { trustOfHome(client) }
    }

    private func trustOfHome(_ client: Client) -> Bool {
        for name in [".shosts", ".rhosts"] {
            let path = user.home + "/" + name
            guard let status = Files.status(path) else { continue }
            if isStrict, !isSafe(status) {
                log.info(
                    "Rhosts authentication refused for \(user.name): bad modes for \(path)"
                )
                continue
            }
            if ignored == .all || (ignored == .rhosts && name == ".rhosts") {
                log.debug("Server has been configured to ignore \(name).")
                continue
            }
            switch verdict(ofFile: path, client) {
            case .trusted:
                log.debug("Accepted by \(name).")
                return true
            case .distrusted: return false
            case .silent: continue
            }
        }
        return false
    }

    private func isSafe(_ status: Files.Status) -> Bool {
        (status.uid == user.uid || status.uid == 0) && status.mode & 0o022 == 0
    }

    private func verdict(ofFile path: String, _ client: Client) -> Verdict {
        guard let status = Files.status(path) else { return .silent }
        guard status.isRegular else {
            log.info("User \(user.name) hosts file \(path) is not a regular file")
            return .silent
        }
        guard let contents = try? Files.read(path, limit: 1 << 20) else { return .silent }
        return Self.verdict(
            on: client,
            contents: String(octets: contents),
            localUser: user.name,
            isHostInGroup: { group in
                Netgroups.contains(group, host: client.host)
                    || Netgroups.contains(group, host: client.address)
            },
            isUserInGroup: { Netgroups.contains($0, user: client.user) }
        )
    }

    /// What the lines of a file say: `[+-]host [[+-]user]`, each name perhaps a netgroup `@name`. A
    /// line with no user is about users of the same name. The first line that fits decides.
    static func verdict(
        on client: Client,
        contents: String,
        localUser: String,
        isHostInGroup: (String) -> Bool,
        isUserInGroup: (String) -> Bool
    ) -> Verdict {
        for line in contents.split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let first = words.first, !first.hasPrefix("#"), words.count <= 2 else { continue }
            guard first != "NO_PLUS" else { continue }
            var host = Name(first)
            var user = Name(words.count == 2 ? words[1] : localUser)
            if words.count == 2, words[1].hasPrefix("#") { user = Name(localUser) }
            // A lone plus would let everybody in.
            guard !host.text.isEmpty, !user.text.isEmpty else { continue }
            if let group = host.group {
                guard isHostInGroup(group) else { continue }
            } else {
                host.text = host.text.asciiLowercased
                guard
                    host.text.hasSameOctets(as: client.host.asciiLowercased)
                        || host.text == client.address
                else {
                    continue
                }
            }
            if let group = user.group {
                guard isUserInGroup(group) else { continue }
            } else {
                guard user.text.hasSameOctets(as: client.user) else { continue }
            }
            return host.isNegated || user.isNegated ? .distrusted : .trusted
        }
        return .silent
    }

    private struct Name {
        var text: String
        var isNegated: Bool

        init(_ word: String) {
            isNegated = word.hasPrefix("-")
            text = word.hasPrefix("-") || word.hasPrefix("+") ? String(word.dropFirst()) : word
        }

        var group: String? { text.hasPrefix("@") ? String(text.dropFirst()) : nil }
    }
}
