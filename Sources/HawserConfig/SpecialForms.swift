// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The forms that one keyword has for itself, in alphabetical order.
extension ValueForm {
    /// `yes`, `no`, `ask`, `confirm [time]`, or a time.
    static func addKeysToAgent(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else { throw ValueMistake("missing argument.") }
        let time = line.take()
        if time == nil, let seconds = TimeSpan.seconds(word) { return "\(seconds)" }
        switch (word.lowercased(), time) {
        case ("yes", nil), ("true", nil): return "true"
        case ("no", nil), ("false", nil): return "false"
        case ("ask", nil): return "ask"
        case ("confirm", nil): return "confirm"
        case ("confirm", let time?):
            guard let seconds = TimeSpan.seconds(time) else {
                throw ValueMistake("invalid time value.")
            }
            return "confirm \(seconds)"
        default: throw ValueMistake("unsupported option")
        }
    }

    static func canonicalDomains(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> [String] {
        let words = line.takeAll()
        guard !words.isEmpty else { throw ValueMistake("Missing argument.") }
        var domains: [String] = []
        for word in words {
            guard !word.isEmpty else {
                throw ValueMistake("keyword \(row.name.lowercased()) empty argument")
            }
            if word.lowercased() == "none" {
                guard words.count == 1 else {
                    throw ValueMistake(
                        "keyword \(row.name.lowercased()) \"none\" argument must appear alone."
                    )
                }
                return ["none"]
            }
            domains.append(try domain(word))
        }
        guard domains.count <= 32 else { throw ValueMistake("too many hostname suffixes.") }
        return domains
    }

    /// A name that may be a domain, in small letters and without a dot at its end.
    private static func domain(_ text: String) throws(ValueMistake) -> String {
        var bytes = text.lowercased().octets
        func isWordByte(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (97...122).contains(byte) || byte >= 128
        }
        guard let first = bytes.first, isWordByte(first) else {
            throw ValueMistake("domain name \"\(text)\" starts with invalid character")
        }
        var last: UInt8 = 0
        for byte in bytes {
            guard
                isWordByte(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: ".")
            else { throw ValueMistake("domain name \"\(text)\" contains invalid characters") }
            if byte == UInt8(ascii: "."), last == byte {
                throw ValueMistake("domain name \"\(text)\" contains consecutive separators")
            }
            last = byte
        }
        if last == UInt8(ascii: ".") { bytes.removeLast() }
        return String(octets: bytes)
    }

    /// `source-list:target-list …`, `*` for all, or `none`.
    static func permittedCNAMEs(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> [String] {
        let words = line.takeAll()
        guard !words.isEmpty else { throw ValueMistake("Missing argument.") }
        var rules: [String] = []
        for word in words {
            if word.lowercased() == "none" || word == "*" {
                guard words.count == 1 else {
                    throw ValueMistake(
                        "keyword \(row.name.lowercased()) \"\(word)\" argument must appear alone."
                    )
                }
                return [word == "*" ? "*:*" : "none"]
            }
            let sides = word.utf8.split(
                separator: UInt8(ascii: ":"),
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard sides.count == 2, !sides[0].isEmpty, !sides[1].isEmpty else {
                throw ValueMistake("Invalid permitted CNAME \"\(word)\"")
            }
            rules.append(word.lowercased())
        }
        guard rules.count <= 32 else { throw ValueMistake("too many permitted CNAMEs.") }
        return rules
    }

    /// `type=interval …` or `none`.
    static func channelTimeout(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> [String] {
        let words = line.takeAll()
        guard !words.isEmpty else { throw ValueMistake("Missing argument.") }
        for word in words {
            if word.lowercased() == "none" {
                guard words.count == 1 else {
                    throw ValueMistake("keyword \(row.name) \"none\" argument must appear alone.")
                }
                return ["none"]
            }
            let parts = word.utf8.split(
                separator: UInt8(ascii: "="),
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard parts.count == 2, !parts[0].isEmpty,
                TimeSpan.seconds(String(Substring(parts[1]))) != nil
            else { throw ValueMistake("invalid channel timeout \(word)") }
        }
        return words
    }

    /// `yes`, `no`, or a time; 0 is for ever.
    static func controlPersist(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("Missing ControlPersist argument.")
        }
        if let flag = Syntax.flag(word) { return flag ? "yes" : "no" }
        guard let seconds = TimeSpan.seconds(word) else {
            throw ValueMistake("Bad ControlPersist argument.")
        }
        return seconds == 0 ? "yes" : "\(seconds)"
    }

    /// A character, `^` and a letter, or `none`; a control character is shown as `\^X`.
    static func escapeCharacter(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        let word = try text(&line)
        guard let shown = Syntax.escapeCharacter(word) else {
            throw ValueMistake("Bad escape character.")
        }
        return shown
    }

    static func forward(
        _ line: inout ConfigLine.Arguments,
        _ kind: Forward.Kind,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        let listen = try text(&line)
        var target: String?
        if kind != .dynamic {
            target = line.take()
            if target?.isEmpty ?? true {
                guard kind == .remote else { throw ValueMistake("Missing target argument.") }
                target = nil
            }
        }
        let variable = context.variable
        guard
            let forward = Forward(kind, listen: listen, target: target, variable: variable)
        else {
            let unset = Tokens.firstVariable(listen + (target ?? "")) { variable($0) == nil }
            throw ValueMistake(
                "Bad forwarding specification.",
                preface: unset.map { "vdollar_percent_expand: env var ${\($0)} has no value" }
            )
        }
        return forward.description
    }

    /// One or two classes of service, shown by name.
    static func ipQoS(_ line: inout ConfigLine.Arguments) throws(ValueMistake) -> String {
        let first = line.take() ?? ""
        guard let interactive = IPQoS.canonical(first) else {
            throw ValueMistake("Bad IPQoS value: \(first)")
        }
        guard let second = line.take() else { return "\(interactive) \(interactive)" }
        guard let bulk = IPQoS.canonical(second) else {
            throw ValueMistake("Bad IPQoS value: \(second)")
        }
        return "\(interactive) \(bulk)"
    }

    /// `yes`, `no`, or `interval:` and milliseconds.
    static func keystrokeTiming(
        _ line: inout ConfigLine.Arguments
    ) throws(ValueMistake) -> String {
        guard let word = line.take(), !word.isEmpty else {
            throw ValueMistake("Missing ObscureKeystrokeTiming argument.")
        }
        if let flag = Syntax.flag(word) { return flag ? "yes" : "no" }
        guard word.lowercased().hasPrefix("interval:"),
            let milliseconds = Int(word.dropFirst("interval:".count)),
            (1...1000).contains(milliseconds)
        else { throw ValueMistake("bad ObscureKeystrokeTiming argument.") }
        return milliseconds == 20 ? "yes" : "interval:\(milliseconds)"
    }

    /// `host:port …`, where `*` stands for every host or port; or `any`, or `none`.
    static func permitRemoteOpen(
        _ line: inout ConfigLine.Arguments,
        _ row: KeywordRow
    ) throws(ValueMistake) -> [String] {
        let words = line.takeAll()
        guard let first = words.first, !first.isEmpty else {
            throw ValueMistake("bad port number in \(row.name.lowercased())")
        }
        if first.lowercased() == "any" || first.lowercased() == "none" {
            guard words.count == 1 else {
                throw ValueMistake(
                    "keyword \(row.name.lowercased()) \"\(first)\" argument must appear alone."
                )
            }
            return [first.lowercased()]
        }
        for word in words {
            guard Forward.permits(word) else {
                throw ValueMistake("bad port number in \(row.name.lowercased())")
            }
        }
        return words
    }

    /// `[user@]host[:port]`, several with commas, `ssh://` in front of any; or `none`.
    static func proxyJump(_ line: inout ConfigLine.Arguments) throws(ValueMistake) -> String {
        let word = try text(&line)
        if word.lowercased() == "none" { return "none" }
        let hops = word.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        var shown = ""
        for hop in hops {
            let isURI = hop.lowercased().hasPrefix("ssh://")
            let uri = isURI ? hop : "ssh://" + hop
            // Only a URI may end with a slash.
            guard let destination = Destination(uri, isTrusted: true), destination.user != "",
                isURI || !hop.contains("/")
            else { throw ValueMistake("Invalid ProxyJump \"\(word)\"") }
            let bare = uri.dropFirst("ssh://".count)
            shown += (shown.isEmpty ? "" : ",") + (bare.hasSuffix("/") ? bare.dropLast() : bare)
        }
        return shown
    }

    /// Bytes, and seconds if there is a second argument; zero for what the cipher wants.
    static func rekeyLimit(
        _ line: inout ConfigLine.Arguments,
        _ context: ValueContext
    ) throws(ValueMistake) -> String {
        let word = try text(&line)
        var bytes: UInt64 = 0
        if word != "default" {
            guard let number = Syntax.bytes(word) else {
                let what = context.isServer ? "RekeyLimit number" : "number"
                throw ValueMistake("Bad \(what) '\(word)': Invalid argument")
            }
            guard number == 0 || number >= 16 else { throw ValueMistake("RekeyLimit too small") }
            bytes = number
        }
        guard let time = line.take(), time != "none" else { return "\(bytes) 0" }
        guard let seconds = TimeSpan.seconds(time) else {
            throw ValueMistake("invalid time value.")
        }
        return "\(bytes) \(seconds)"
    }

    /// `NAME=value …`; among several of a name the first counts.
    static func setEnvironment(
        _ line: inout ConfigLine.Arguments,
        _ context: ValueContext
    ) throws(ValueMistake) -> [String] {
        let mistake = context.isServer ? "Invalid environment." : "Invalid SetEnv."
        var result: [String] = []
        var names: [Substring] = []
        for word in line.takeAll() {
            guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")) else {
                throw ValueMistake(mistake)
            }
            let name = word[..<equals]
            guard !names.contains(name) else { continue }
            names.append(name)
            result.append(word)
        }
        guard !result.isEmpty else { throw ValueMistake(mistake) }
        return result
    }

    /// `local[:remote]`, a number or `any` each.
    static func tunnelDevice(_ line: inout ConfigLine.Arguments) throws(ValueMistake) -> String {
        let word = try text(&line)
        guard let device = Syntax.tunnelDevice(word) else { throw ValueMistake("Bad tun device.") }
        return device
    }
}
