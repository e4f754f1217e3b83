// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserKeys
internal import HawserLog
internal import HawserSystem

/// `-h`: where a key may lead, with the host keys that are known for each name.
enum Destinations {
    static func constraints(
        _ texts: [String],
        hostKeyFiles: [String],
        log: Log
    ) -> [DestinationConstraint] {
        guard !texts.isEmpty else { return [] }
        let known = KnownHosts(
            files: (hostKeyFiles.isEmpty ? defaultFiles : hostKeyFiles).map { path in
                log.debug2("looking up host keys in \(path)")
                switch World.read(path) {
                case .success(let contents): return KnownHostsFile(path: path, contents: contents)
                case .failure(let error):
                    log.debug("\(path): \(error.reason)")
                    return KnownHostsFile(path: path, contents: [])
                }
            }
        )
        return texts.map { constraint($0, known) }
    }

    private static var defaultFiles: [String] {
        let own = World.home.map { [$0 + "/.ssh/known_hosts", $0 + "/.ssh/known_hosts2"] } ?? []
        return own + ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
    }

    /// `[user@]host`, or `host>[user@]host`.
    private static func constraint(_ text: String, _ known: KnownHosts) -> DestinationConstraint {
        var from = DestinationConstraint.End()
        var far = text[...]
        if let arrow = text.firstIndex(of: ">") {
            from = end(text[..<arrow], known)
            guard from.user.isEmpty else {
                fatal("Invalid key constraint \"\(text)\": no user name is allowed before '>'")
            }
            far = text[text.index(after: arrow)...]
        }
        return DestinationConstraint(from: from, to: end(far, known))
    }

    private static func end(_ text: Substring, _ known: KnownHosts) -> DestinationConstraint.End {
        var end = DestinationConstraint.End(host: String(text))
        if let at = text.firstIndex(of: "@") {
            end.user = String(text[..<at])
            end.host = String(text[text.index(after: at)...])
        }
        if end.host.isEmpty {
            fatal("Invalid key destination constraint \"\(text)\": does not specify user or host")
        }
        for match in known.entries(for: end.host.asciiLowercased) {
            guard match.entry.marker != .revoked else { continue }
            let key = DestinationConstraint.HostKey(
                key: match.entry.key,
                isAuthority: match.entry.marker == .certAuthority
            )
            if !end.keys.contains(key) { end.keys.append(key) }
        }
        if end.keys.isEmpty { fatal("No host keys found for destination \"\(end.host)\"") }
        return end
    }
}
