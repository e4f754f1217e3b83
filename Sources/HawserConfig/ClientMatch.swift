// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The criteria of a `Match` line of ssh_config(5).
struct ClientMatch {
    private let reader: ClientConfigReader
    /// `final` was asked for, or `canonical`.
    private(set) var wantsFinalPass = false

    init(_ reader: ClientConfigReader) {
        self.reader = reader
    }

    /// Whether every criterion of a line holds. Throws what is wrong with it.
    mutating func holds(
        _ words: [String],
        _ place: ClientConfigReader.Place
    ) throws(ValueMistake) -> Bool {
        var words = words[...]
        var result = true
        var count = 0
        while let word = words.popFirst() {
            count += 1
            let isNegated = word.hasPrefix("!")
            var name = isNegated ? word.dropFirst() : word[...]
            var attached: String?
            if let equals = name.firstIndex(of: "=") {
                attached = String(name[name.index(after: equals)...])
                name = name[..<equals]
            }
            switch name.lowercased() {
            case "all":
                // The manual allows `canonical` and `final` before it, OpenSSH any one criterion.
                guard words.isEmpty, attached == nil, count <= 2 else {
                    throw ValueMistake(
                        "\(place.file) line \(place.line): "
                            + "'all' cannot be combined with other Match attributes"
                    )
                }
                result = result && !isNegated
            case "canonical", "final":
                if name.lowercased() == "final" { wantsFinalPass = true }
                let holds = reader.subject.isFinal != isNegated
                reader.tell(3, place, "\(holds ? "" : "not ")matched '\(word)'")
                result = result && holds
            case let criterion:
                guard let argument = attached ?? words.popFirst(), !argument.isEmpty else {
                    throw ValueMistake("Missing Match criteria for \(name)")
                }
                let found = try finding(of: criterion, argument, original: name, isNeeded: result)
                reader.tell(3, place, found.outcome(criterion, isNegated: isNegated))
                result = result && found.holds != isNegated
            }
        }
        guard count > 0 else { throw ValueMistake("") }
        return result
    }

    /// Whether a criterion holds, and what it was held against.
    private struct Finding {
        var holds: Bool
        var value: String
        /// Nobody has looked, because the line does not apply anyway.
        var isSkipped = false

        /// In words.
        func outcome(_ criterion: String, isNegated: Bool) -> String {
            let what = "\(criterion) \"\(value)\""
            if isSkipped { return "skipped \(what)" }
            return "\(holds != isNegated ? "" : "not ")matched '\(isNegated ? "!" : "")\(what)' "
        }
    }

    private func finding(
        of criterion: String,
        _ argument: String,
        original: Substring,
        isNeeded: Bool
    ) throws(ValueMistake) -> Finding {
        func matches(_ text: String) -> Finding {
            Finding(holds: Patterns.verdict(list: argument, text) == true, value: text)
        }
        // Unlike those of `Host`, whatever the case of letters.
        func matches(host: String) -> Finding {
            let verdict = Patterns.verdict(list: argument.lowercased(), host.lowercased())
            return Finding(holds: verdict == true, value: host)
        }
        // What was not given is matched by the one pattern that says so.
        func matches(optional text: String?) -> Finding {
            text.map { matches($0) } ?? Finding(holds: argument == "!*", value: "")
        }
        let options = reader.options
        switch criterion {
        case "host": return matches(host: reader.host)
        case "originalhost": return matches(host: reader.subject.originalHost)
        case "user": return matches(options.user ?? reader.subject.localUser)
        case "localuser": return matches(reader.subject.localUser)
        case "tagged": return matches(optional: options.tag)
        case "command": return matches(optional: reader.subject.command ?? options.remoteCommand)
        case "version": return matches(reader.subject.version)
        case "sessiontype": return matches(sessionType)
        case "localnetwork":
            let networks = argument.split(separator: ",").map(String.init)
            if let bad = networks.first(where: { NumericAddress.bytes(ofNetwork: $0) == nil }) {
                throw ValueMistake("Invalid network \"\(bad)\"")
            }
            return Finding(
                holds: isNeeded && reader.source.hasAddress(within: networks),
                value: argument,
                isSkipped: !isNeeded
            )
        case "exec":
            guard isNeeded else { return Finding(holds: false, value: argument, isSkipped: true) }
            guard let command = reader.tokens.expand(argument) else {
                throw ValueMistake("Invalid Match exec \"\(argument)\"")
            }
            reader.trace?(1, "Executing command: '\(command)'")
            return Finding(holds: reader.source.succeeds(command), value: command)
        default: throw ValueMistake("Unsupported Match attribute \(original)")
        }
    }

    private var sessionType: String {
        switch reader.options.sessionType ?? .default {
        case .subsystem: "subsystem"
        case .none: "none"
        case .default:
            (reader.subject.command ?? reader.options.remoteCommand) == nil ? "shell" : "exec"
        }
    }
}
