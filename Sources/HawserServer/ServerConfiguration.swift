// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem

/// The configuration as this server's processes see it: parsed once by the listener, given to each
/// monitor as it was then, and asked for what holds for one connection.
package struct ServerConfiguration {
    private let lines: [String]

    /// Reads a file and what the command line adds before it.
    package init(path: String, commandLine: [String]) throws(ServerConfigurationError) {
        var lines = commandLine
        do throws(SystemError) {
            let text = String(decoding: try Files.read(path), as: UTF8.self)
            lines += text.split(whereSeparator: \.isNewline).map(String.init)
        } catch {
            throw ServerConfigurationError(text: "\(path): \(error.reason)")
        }
        self.lines = lines
    }

    /// What a listener gave.
    package init(decoding bytes: [UInt8]) {
        lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    package var encoding: [UInt8] { Array(lines.joined(separator: "\n").utf8) }

    /// What holds for a connection.
    package func settings(for criteria: ConnectionCriteria?) -> ServerSettings {
        var seen: Set<String> = []
        var result = ""
        for line in lines {
            let line = line.prefix { $0 != "#" }
            let words = line.split(maxSplits: 1) { $0 == " " || $0 == "\t" || $0 == "=" }
            guard let first = words.first, words.count == 2 else { continue }
            let keyword = first.lowercased()
            let value = words[1].drop { $0 == " " || $0 == "\t" || $0 == "=" }
            if keyword == "match" { break }
            let adds = ["port", "listenaddress", "hostkey", "acceptenv", "subsystem", "setenv"]
            if !adds.contains(keyword), !seen.insert(keyword).inserted { continue }
            result += "\(keyword) \(value.split(separator: " ").joined(separator: " "))\n"
        }
        return ServerSettings(text: result)
    }
}

/// What is wrong with a configuration.
package struct ServerConfigurationError: Error, CustomStringConvertible {
    package var text: String
    package var description: String { text }
}
