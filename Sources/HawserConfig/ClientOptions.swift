// SPDX-License-Identifier: Apache-2.0

/// What ssh(1) was told, by the command line and then by the files: the first value of a keyword
/// counts. Values are kept as `ssh -G` shows them; typed properties read and write them.
package struct ClientOptions: Sendable {
    /// A keyword's value.
    package struct Setting: Sendable {
        /// One entry for each line that `ssh -G` shows, or each word of a list.
        package var values: [String]
        package var origin: ConfigOrigin
        /// Where the further lines of a keyword come from whose lines add up, by the value's place.
        package var origins: [Int: ConfigOrigin] = [:]
        /// Lines that came too late; kept only with `keepsHidden`.
        package var hidden: [ConfigOrigin] = []

        package init(values: [String], origin: ConfigOrigin) {
            self.values = values
            self.origin = origin
        }
    }

    /// Whether lines that come too late are remembered, for an explanation.
    package var keepsHidden = false

    /// What was said, in the order in which it was.
    private var settings: [Setting] = []
    /// For each keyword's number where in `settings` it is, from 1 on; 0: nowhere. Not an array of
    /// optional settings: that type would be made at each start (docs/decisions/0009-start.md).
    private var places = [UInt8](repeating: 0, count: Int(UInt8.max) + 1)

    package init() {}

    /// What was said about a keyword; nil when nobody said anything.
    package subscript(keyword: ClientKeyword) -> Setting? {
        get {
            let place = Int(places[Int(keyword.rawValue)])
            return place == 0 ? nil : settings[place - 1]
        }
        set {
            let number = Int(keyword.rawValue)
            let place = places[number]
            switch (newValue, place) {
            case (let setting?, 0):
                settings.append(setting)
                // No more settings than keywords, of which a byte can number 256 at most.
                places[number] = UInt8(clamping: settings.count)
            case (let setting?, _):
                settings[Int(place) - 1] = setting
            case (nil, 0): break
            case (nil, _):
                settings.remove(at: Int(place) - 1)
                places[number] = 0
                for other in places.indices where places[other] > place { places[other] -= 1 }
            }
        }
    }

    /// The values of a keyword, also where only the default holds.
    package func values(_ keyword: ClientKeyword) -> [String] {
        if let setting = self[keyword] { return setting.values }
        let initial = keyword.row.initial
        return initial.isEmpty ? [] : [initial]
    }

    /// Takes what a line says, unless an earlier one said it.
    package mutating func merge(
        _ keyword: ClientKeyword,
        _ values: [String],
        from origin: ConfigOrigin
    ) {
        switch keyword {
        case .proxyCommand where text(.proxyJump) != nil: return
        case .proxyJump where self[.proxyCommand] != nil: return
        // As good as nothing: a later line may still say how long.
        case .connectTimeout where values == ["none"]: return
        case .sendEnv: return mergeSendEnv(values, from: origin)
        default:
            if keyword.row.merge == .append {
                guard var setting = self[keyword] else { break }
                for value in values where !setting.values.contains(value) {
                    if keepsHidden { setting.origins[setting.values.count] = origin }
                    setting.values.append(value)
                }
                self[keyword] = setting
                return
            }
            if let earlier = self[keyword]?.origin, keyword.row.merge != .last {
                if keepsHidden, earlier != origin { self[keyword]?.hidden.append(origin) }
                return
            }
        }
        self[keyword] = Setting(values: values, origin: origin)
    }

    /// What holds from the first reading of the files on: how a name became canonical can no longer
    /// be changed.
    package mutating func prepareForFinalReading() {
        for keyword in [
            ClientKeyword.canonicalizeHostname, .canonicalizeMaxDots, .canonicalizeFallbackLocal,
        ] where self[keyword] == nil {
            self[keyword] = Setting(values: [keyword.row.initial], origin: .initial)
        }
    }

    /// Names add up; `-pattern` takes out what was named before.
    private mutating func mergeSendEnv(_ patterns: [String], from origin: ConfigOrigin) {
        var values = self[.sendEnv]?.values ?? []
        for pattern in patterns {
            if pattern.hasPrefix("-") {
                let removed = pattern.dropFirst()
                values.removeAll { Patterns.matches(removed, $0) }
            } else {
                values.append(pattern)
            }
        }
        self[.sendEnv] = Setting(values: values, origin: self[.sendEnv]?.origin ?? origin)
    }
}

/// Where a value comes from.
package struct ConfigOrigin: Equatable, Sendable {
    /// The file, or `command-line`.
    package var file: String
    /// Zero for the command line.
    package var line: Int
    /// The `Host` or `Match` line it stands under, empty for none.
    package var block: String

    package init(file: String, line: Int, block: String = "") {
        self.file = file
        self.line = line
        self.block = block
    }

    /// Nobody said it.
    package static let initial = ConfigOrigin(file: "default", line: 0)
    package static let commandLine = ConfigOrigin(file: "command-line", line: 0)
}
