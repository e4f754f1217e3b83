// SPDX-License-Identifier: Apache-2.0

/// What `sshd -T` shows: the value of every keyword for a subject.
package struct ServerListing {
    package struct Entry: Equatable, Sendable {
        package var keyword: ServerKeyword
        package var name: String
        package var value: String
        /// Nil for a default.
        package var origin: ConfigOrigin?
        /// Lines that said something else and did not count.
        package var hidden: [ConfigOrigin] = []
    }

    /// What was said about a keyword.
    private struct Setting {
        var values: [(value: String, line: Int)] = []
        /// Said under a `Match`, so that what the file says outside does not count.
        var isFromMatch = false
        var hidden: [Int] = []
        var isSet: Bool { !values.isEmpty }
    }

    /// The host keys that are used where none is configured.
    package var defaultHostKeys: [String] = []
    private var settings = [Setting](repeating: Setting(), count: ServerKeyword.rows.count)
    private let configuration: ServerConfiguration

    init(_ configuration: ServerConfiguration, _ subject: ServerMatchSubject?) {
        self.configuration = configuration
        let active = configuration.active(for: subject)
        // Lines under Match count before global ones; among equals the first counts.
        for (index, line) in configuration.lines.enumerated()
        where line.block > 0 && active[line.block] {
            merge(line, index, isFromMatch: true)
        }
        for (index, line) in configuration.lines.enumerated() where line.block == 0 {
            merge(line, index, isFromMatch: false)
        }
    }

    private mutating func merge(
        _ line: ServerConfiguration.Line,
        _ index: Int,
        isFromMatch: Bool
    ) {
        let place = Int(line.keyword.rawValue)
        let isOverruled = settings[place].isFromMatch && !isFromMatch
        let isSet = settings[place].isSet
        switch line.keyword.row.merge {
        case .append where !isOverruled:
            settings[place].values += line.values.map { ($0, index) }
        case .named:
            let name = line.values.first?.prefix { $0 != " " }
            if settings[place].values.contains(where: { $0.value.prefix { $0 != " " } == name }) {
                settings[place].hidden.append(index)
            } else {
                settings[place].values += line.values.map { ($0, index) }
            }
        case .last where !isOverruled:
            settings[place].hidden += settings[place].values.map(\.line)
            settings[place].values = line.values.map { ($0, index) }
        default:
            if isSet || isOverruled {
                settings[place].hidden.append(index)
            } else {
                settings[place].values = line.values.map { ($0, index) }
            }
        }
        if isFromMatch { settings[place].isFromMatch = true }
    }

    /// What was said about a keyword; nil when nobody said anything.
    func values(of keyword: ServerKeyword) -> [String]? {
        let setting = settings[Int(keyword.rawValue)]
        return setting.isSet ? setting.values.map(\.value) : nil
    }

    private func origin(_ index: Int) -> ConfigOrigin {
        let line = configuration.lines[index]
        return ConfigOrigin(
            file: configuration.files[line.file],
            line: line.number,
            block: configuration.blocks[line.block].text
        )
    }

    /// Every line in its order.
    package var entries: [Entry] {
        ServerKeyword.allCases.flatMap { keyword -> [Entry] in
            let name = keyword.row.name.lowercased()
            let setting = settings[Int(keyword.rawValue)]
            let hidden = setting.hidden.map(origin)
            return shown(keyword, setting).map { value, line in
                Entry(
                    keyword: keyword,
                    name: name,
                    value: value,
                    origin: line.map(origin),
                    hidden: hidden
                )
            }
        }
    }

    package var text: String {
        var text = ""
        text.reserveCapacity(8192)
        for keyword in ServerKeyword.allCases {
            let name = keyword.row.name.lowercased()
            for (value, _) in shown(keyword, settings[Int(keyword.rawValue)]) {
                text += name
                text += " "
                text += value
                text += "\n"
            }
        }
        return text
    }

    private func shown(
        _ keyword: ServerKeyword,
        _ setting: Setting
    ) -> [(value: String, line: Int?)] {
        if keyword == .listenAddress { return listenAddresses(setting) }
        if case .algorithms(let family) = keyword.row.form {
            let names = configuration.context.names(family)
            let said = setting.values.first
            return [(names.resolved(said?.value ?? "").joined(separator: ","), said?.line)]
        }
        if case .channelTimeout = keyword.row.form, setting.isSet {
            let words = setting.values.map(\.value).joined(separator: " ")
            return [(words, setting.values.first?.line)]
        }
        if setting.isSet { return setting.values.map { ($0.value, $0.line) } }
        if keyword == .hostKey { return defaultHostKeys.map { ($0, nil) } }
        // Not for everyone: OpenSSH refuses the keyword where it is built without it.
        if keyword == .rDomain { return [] }
        let initial = keyword.row.initial
        return initial.isEmpty ? [] : [(initial, nil)]
    }

    /// Each address with each port, unless it has one of its own.
    private func listenAddresses(_ setting: Setting) -> [(value: String, line: Int?)] {
        let said = settings[Int(ServerKeyword.port.rawValue)].values.map(\.value)
        let ports = said.isEmpty ? [ServerKeyword.port.row.initial] : said
        let family = settings[Int(ServerKeyword.addressFamily.rawValue)].values.first?.value
        if !setting.isSet {
            let every = (family == "inet" ? [] : ["[::]"]) + (family == "inet6" ? [] : ["0.0.0.0"])
            return ports.flatMap { port in every.map { ("\($0):\(port)", nil) } }
        }
        return setting.values.flatMap { address, line -> [(value: String, line: Int?)] in
            let parts = address.split(separator: " ", maxSplits: 1).map(String.init)
            let end = parts.count > 1 ? " " + parts[1] : ""
            let hasPort =
                parts[0].hasPrefix("[") ? !parts[0].hasSuffix("]") : parts[0].contains(":")
            if hasPort { return [(address, line)] }
            return ports.map { ("\(parts[0]):\($0)\(end)", line) }
        }
    }
}
