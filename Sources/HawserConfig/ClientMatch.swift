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
            case "canonical":
                result = result && reader.subject.isFinal != isNegated
            case "final":
                wantsFinalPass = true
                result = result && reader.subject.isFinal != isNegated
            case let criterion:
                guard let argument = attached ?? words.popFirst(), !argument.isEmpty else {
                    throw ValueMistake("Missing Match criteria for \(name)")
                }
                let holds = try holds(criterion, argument, original: name, isNeeded: result)
                result = result && holds != isNegated
            }
        }
        guard count > 0 else { throw ValueMistake("") }
        return result
    }

    private func holds(
        _ criterion: String,
        _ argument: String,
        original: Substring,
        isNeeded: Bool
    ) throws(ValueMistake) -> Bool {
        func matches(_ text: String) -> Bool { Patterns.verdict(list: argument, text) == true }
        // Unlike those of `Host`, whatever the case of letters.
        func matches(host: String) -> Bool {
            Patterns.verdict(list: argument.lowercased(), host.lowercased()) == true
        }
        let options = reader.options
        switch criterion {
        case "host": return matches(host: reader.host)
        case "originalhost": return matches(host: reader.subject.originalHost)
        case "user": return matches(options.user ?? reader.subject.localUser)
        case "localuser": return matches(reader.subject.localUser)
        case "tagged":
            guard let tag = options.tag else { return argument == "!*" }
            return matches(tag)
        case "command":
            let command = reader.subject.command ?? options.remoteCommand
            guard let command else { return argument == "!*" }
            return matches(command)
        case "version": return matches(reader.subject.version)
        case "sessiontype": return matches(sessionType)
        case "localnetwork":
            let networks = argument.split(separator: ",").map(String.init)
            if let bad = networks.first(where: { NumericAddress.bytes(ofNetwork: $0) == nil }) {
                throw ValueMistake("Invalid network \"\(bad)\"")
            }
            return isNeeded && reader.source.hasAddress(within: networks)
        case "exec":
            guard isNeeded else { return false }
            guard let command = reader.tokens.expand(argument) else {
                throw ValueMistake("Invalid Match exec \"\(argument)\"")
            }
            return reader.source.succeeds(command)
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
