// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// A file that lists principals, one a line, each with key options before it if need be
/// (`AuthorizedPrincipalsFile`, and what `AuthorizedPrincipalsCommand` prints).
struct AuthorizedPrincipals {
    /// A line that a certificate's principal is on.
    struct Match {
        let options: AuthorizedKeyOptions
        /// As written, for the user's process.
        let optionsText: String
        let line: Int
    }

    /// The first line that names one of these principals and whose options are understood: what they
    /// say counts, whatever later lines say.
    static func match(
        _ contents: [UInt8],
        principals: [String],
        path: String,
        log: Log
    ) -> Match? {
        let lines = contents.split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        )
        for (index, bytes) in lines.enumerated() {
            // A comment begins anywhere, within a word and within quotes.
            let line = bytes.prefix { $0 != UInt8(ascii: "#") }
            let text = trimmed(String(octets: line))
            guard !text.isEmpty else { continue }
            // What stands before the last blank are options.
            var name = text
            var options: Substring = ""
            if let blank = text.lastIndex(where: { $0 == " " || $0 == "\t" }) {
                name = text[text.index(after: blank)...]
                options = trimmed(text[..<blank])
            }
            guard principals.contains(where: { $0.hasSameOctets(as: name) }) else { continue }
            let place = "\(path):\(index + 1)"
            let parsed: AuthorizedKeyOptions
            do throws(KeyError) {
                parsed = try AuthorizedKeyOptions(parsing: options)
            } catch {
                var reason = "\(error)"
                if case .invalidFormat(let text) = error { reason = text }
                log.debug("\(place): bad principals options: \(reason)")
                continue
            }
            return Match(options: parsed, optionsText: String(options), line: index + 1)
        }
        return nil
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        var text = Substring(text)
        while let last = text.last, last == " " || last == "\t" || last == "\r" {
            text.removeLast()
        }
        return text.drop { $0 == " " || $0 == "\t" }
    }
}
