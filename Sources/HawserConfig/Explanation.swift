// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// Where each value of a configuration comes from, and what it hides (`--origin`, `--json`).
package struct Explanation {
    struct Entry {
        var name: String
        var value: String
        /// Nil for a default.
        var origin: ConfigOrigin?
        /// Lines that came too late.
        var hidden: [ConfigOrigin]
    }

    private var entries: [Entry]
    /// What the listing begins with: a name and a value.
    private var head: (name: String, value: String)?

    package init(_ listing: ServerListing) {
        entries = listing.entries.map {
            Entry(name: $0.name, value: $0.value, origin: $0.origin, hidden: $0.hidden)
        }
    }

    package init(_ listing: ClientListing) {
        head = ("host", listing.host)
        var place = 0
        var previous: ClientKeyword?
        entries = listing.entries.map { entry in
            place = entry.keyword == previous ? place + 1 : 0
            previous = entry.keyword
            let setting = listing.options[entry.keyword]
            let origin = setting.map { $0.origins[place] ?? $0.origin }
            return Entry(
                name: entry.name,
                value: entry.value,
                origin: origin == .initial ? nil : origin,
                hidden: setting?.hidden ?? []
            )
        }
    }

    /// A line for each value, with its origin behind a `#`, so that it still can be read as a
    /// configuration; hidden lines follow as comments.
    package var text: String {
        var text = head.map { "\($0.name) \($0.value)\n" } ?? ""
        for (index, entry) in entries.enumerated() {
            text += "# \(Self.described(entry.origin))\n\(entry.name) \(entry.value)\n"
            let isLast = index + 1 == entries.count || entries[index + 1].name != entry.name
            guard isLast else { continue }
            for origin in entry.hidden { text += "#   hides \(Self.described(origin))\n" }
        }
        return text
    }

    private static func described(_ origin: ConfigOrigin?) -> String {
        guard let origin else { return "default" }
        if origin == .commandLine { return "command line" }
        if origin.line == 0 { return "command line, -o" }
        let place = "\(origin.file):\(origin.line)"
        return origin.block.isEmpty ? place : "\(place), \(origin.block)"
    }

    /// An object of keywords; each has `values`, of which each has `value` and `origin`, and `hides`.
    package var json: String {
        var text = "{"
        if let head {
            text +=
                "\n  \(JSONObject.quoted(head.name)): {\"values\": "
                + "[{\"value\": \(JSONObject.quoted(head.value)), \"origin\": {\"kind\": \"command line\"}}]}"
        }
        var index = 0
        while index < entries.count {
            let name = entries[index].name
            var values: [String] = []
            var hidden: [ConfigOrigin] = []
            while index < entries.count, entries[index].name == name {
                let entry = entries[index]
                values.append(
                    "{\"value\": \(JSONObject.quoted(entry.value)), "
                        + "\"origin\": \(Self.object(entry.origin))}"
                )
                hidden = entry.hidden
                index += 1
            }
            if text.utf8.count > 1 { text += "," }
            text +=
                "\n  \(JSONObject.quoted(name)): {\"values\": [\(values.joined(separator: ", "))]"
            if !hidden.isEmpty {
                text += ", \"hides\": [\(hidden.map(Self.object).joined(separator: ", "))]"
            }
            text += "}"
        }
        return text + "\n}\n"
    }

    private static func object(_ origin: ConfigOrigin?) -> String {
        guard let origin else { return "{\"kind\": \"default\"}" }
        guard origin.line > 0 else { return "{\"kind\": \"command line\"}" }
        var text =
            "{\"kind\": \"file\", \"file\": \(JSONObject.quoted(origin.file)), \"line\": \(origin.line)"
        if !origin.block.isEmpty { text += ", \"block\": \(JSONObject.quoted(origin.block))" }
        return text + "}"
    }
}
