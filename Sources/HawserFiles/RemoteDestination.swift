// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// `[user@]host[:path]` or `scheme://[user@]host[:port][/path]`.
package struct RemoteDestination {
    package var user: String?
    package var host: String
    package var port: String?
    /// As it was written; nil when there was none.
    package var path: [UInt8]?

    package init(host: String) { self.host = host }

    /// The host, with the user where there is one, for messages.
    package var text: String { user.map { "\($0)@\(host)" } ?? host }

    /// Reads a URI; nil when it is none of that scheme. Throws nothing: a malformed one has an
    /// empty host.
    package static func uri(_ word: [UInt8], scheme: String) -> RemoteDestination? {
        let prefix = (scheme + "://").octets
        guard word.count >= prefix.count,
            String(octets: word.prefix(prefix.count)).lowercased()
                == scheme + "://"
        else { return nil }
        let rest = word.dropFirst(prefix.count)
        let slash = rest.firstIndex(of: slash)
        let authority = Array(rest[..<(slash ?? rest.endIndex)])
        var result = RemoteDestination(host: "")
        if let slash {
            guard let decoded = percentDecoded(Array(rest[(slash + 1)...])) else { return result }
            result.path = decoded
        }
        var place = authority[...]
        if let at = place.lastIndex(of: UInt8(ascii: "@")) {
            // What follows a semicolon are parameters of the connection.
            let name = place[..<at].split(separator: UInt8(ascii: ";")).first.map(Array.init) ?? []
            guard let user = percentDecoded(name) else { return result }
            result.user = String(octets: user)
            place = place[(at + 1)...]
        }
        if place.first == UInt8(ascii: "["), let end = place.firstIndex(of: UInt8(ascii: "]")) {
            result.host = String(octets: place[(place.startIndex + 1)..<end])
            let tail = place[(end + 1)...]
            if tail.first == colon {
                result.port = String(octets: tail.dropFirst())
            } else if !tail.isEmpty {
                result.host = ""
            }
        } else {
            let end = place.firstIndex(of: colon)
            result.host = String(octets: place[..<(end ?? place.endIndex)])
            if let end { result.port = String(octets: place[(end + 1)...]) }
        }
        if let port = result.port {
            guard let number = UInt16(port), number > 0 else {
                result.host = ""
                return result
            }
        }
        return result
    }

    /// Reads `[user@]host:path`; nil when there is no colon that could end a host, as in a local
    /// name: none at all, one behind a slash, or one at the very start.
    package static func hostAndPath(_ word: [UInt8]) -> RemoteDestination? {
        var isBracketed = false
        for (index, byte) in word.enumerated() {
            if byte == UInt8(ascii: "["), index == 0 || word[index - 1] == UInt8(ascii: "@") {
                isBracketed = true
            }
            if byte == slash { return nil }
            // Behind an opening bracket only `]:` ends the host.
            if byte == colon, !isBracketed || word[index - 1] == UInt8(ascii: "]") {
                guard index > 0 else { return nil }
                var result = host(Array(word[..<index]))
                result.path = Array(word[(index + 1)...])
                return result
            }
        }
        return nil
    }

    /// Reads `[user@]host`.
    package static func host(_ word: [UInt8]) -> RemoteDestination {
        var result = RemoteDestination(host: "")
        var rest = word[...]
        if let at = rest.lastIndex(of: UInt8(ascii: "@")) {
            // A name of no letters is none.
            if at > rest.startIndex { result.user = String(octets: rest[..<at]) }
            rest = rest[(at + 1)...]
        }
        if rest.first == UInt8(ascii: "["), rest.last == UInt8(ascii: "]") {
            rest = rest.dropFirst().dropLast()
        }
        result.host = String(octets: rest)
        return result
    }

    private static func percentDecoded(_ text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "%") else {
                result.append(text[index])
                index += 1
                continue
            }
            guard index + 2 < text.count,
                let byte = UInt8(
                    String(octets: text[(index + 1)...(index + 2)]),
                    radix: 16
                ),
                byte != 0
            else { return nil }
            result.append(byte)
            index += 3
        }
        return result
    }

    private static let slash = UInt8(ascii: "/")
    private static let colon = UInt8(ascii: ":")
}
