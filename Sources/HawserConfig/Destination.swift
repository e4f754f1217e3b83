// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `[user@]host` or `ssh://[user@]host[:port]`.
package struct Destination: Equatable, Sendable {
    package var user: String?
    package var host: String
    package var port: UInt16?

    /// Nil for a malformed one: an empty host, a bad port, a path behind a URI; and, unless it comes
    /// from a file of the user's own (`isTrusted`), for one that could do harm in a command.
    package init?(_ text: String, isTrusted: Bool = false) {
        if text.lowercased().hasPrefix("ssh://") {
            var rest = text.dropFirst(6)
            if rest.hasSuffix("/") { rest.removeLast() }
            guard !rest.contains("/") else { return nil }
            (user, rest) = Self.splitUser(rest)
            user = user.flatMap { $0.removingPercentEncoding }
            if rest.hasPrefix("[") {
                guard let end = rest.firstIndex(of: "]") else { return nil }
                host = String(rest[rest.index(after: rest.startIndex)..<end])
                rest = rest[rest.index(after: end)...]
                guard rest.isEmpty || rest.first == ":" else { return nil }
                rest = rest.dropFirst()
            } else {
                let colon = rest.firstIndex(of: ":") ?? rest.endIndex
                host = String(rest[..<colon])
                rest = rest[colon...].dropFirst()
            }
            if !rest.isEmpty {
                guard let number = Syntax.port(String(rest)) else { return nil }
                port = number
            }
        } else {
            let (user, rest) = Self.splitUser(text[...])
            self.user = user
            host = String(rest)
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            }
        }
        guard !host.isEmpty else { return nil }
        guard isTrusted || (Self.isSafe(host: host) && user.map(Self.isSafe(user:)) ?? true)
        else { return nil }
    }

    private static func splitUser(_ text: Substring) -> (String?, Substring) {
        guard let at = text.lastIndex(of: "@") else { return (nil, text) }
        return (String(text[..<at]), text[text.index(after: at)...])
    }

    /// A host that can do no harm in a command or an option. Bytes are looked at, not characters: a
    /// shell does not know that an accent belongs to the sign before it.
    package static func isSafe(host: String) -> Bool {
        !host.isEmpty && host.utf8.first != UInt8(ascii: "-")
            && host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && !host.utf8.contains { "'`\"$\\;&<>|(){}".utf8.contains($0) }
    }

    /// A user name that can do no harm in a command or an option; as OpenSSH 10.6 sees it, with `$`
    /// and `\` (CVE-2026-106583).
    package static func isSafe(user: String) -> Bool {
        user.utf8.first != UInt8(ascii: "-")
            && user.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
            && !user.utf8.contains { "'`\"$\\;&<>|(){}".utf8.contains($0) }
    }
}

extension String {
    /// `%41` is `A`; nil for a malformed one.
    var removingPercentEncoding: String? {
        var bytes: [UInt8] = []
        var rest = octets[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(octets: rest.prefix(2)), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(octets: bytes)
    }
}
