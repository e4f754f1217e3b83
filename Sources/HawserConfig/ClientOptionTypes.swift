// SPDX-License-Identifier: Apache-2.0

/// The types of values; raw values are the words of `ssh -G`.
extension ClientOptions {
    package enum AddressFamily: String, Sendable { case any, inet, inet6 }
    package enum StrictHostKeyChecking: String, Sendable {
        case no = "false"
        case yes = "true"
        case ask
        case acceptNew = "accept-new"
    }
    package enum ControlMaster: String, Sendable {
        case no = "false"
        case yes = "true"
        case ask, auto, autoask
    }
    package enum RequestTTY: String, Sendable {
        case auto, no = "false", yes = "true", force
    }
    package enum SessionType: String, Sendable { case `default`, none, subsystem }
    package enum CanonicalizeHostname: String, Sendable {
        case no = "false"
        case yes = "true"
        case always
    }
    package enum Tunnel: String, Sendable {
        case no = "false"
        case pointToPoint = "point-to-point"
        case ethernet
    }
    package enum WarnWeakCrypto: String, Sendable {
        case no, yes
        case noPostQuantum = "no-pq-kex"
    }
    /// `no`, `yes`, or a question first.
    package enum Ask: String, Sendable {
        case no = "false"
        case yes = "true"
        case ask
    }
    package enum PubkeyAuthentication: String, Sendable {
        case no = "false"
        case yes = "true"
        case unbound
        case hostBound = "host-bound"
    }
    /// What becomes of a key that was loaded from a file.
    package struct AddKeysToAgent: Equatable, Sendable {
        package enum Mode: String, Sendable {
            case no = "false"
            case yes = "true"
            case ask, confirm
        }

        package var mode: Mode
        /// How long the agent keeps it; nil for as long as it lives.
        package var seconds: Int?

        package init(_ mode: Mode, seconds: Int? = nil) {
            self.mode = mode
            self.seconds = seconds
        }
    }
    /// Keystrokes on a clock, in milliseconds; 0 for none of it.
    package struct KeystrokeInterval: Equatable, Sendable {
        package var milliseconds: Int

        package init(milliseconds: Int) {
            self.milliseconds = milliseconds
        }
    }
    /// What becomes of a session that a master's server refuses.
    package enum ControlOverflow: String, Sendable { case pool, queue, direct }
    /// Whom a master carries.
    package enum ControlReuse: String, Sendable {
        case sameIdentity = "same-identity"
        case any
    }
    /// How long a master without sessions stays.
    package enum ControlPersist: Equatable, Sendable {
        case no
        case forever
        case seconds(Int)
    }
}

extension ClientOptions {
    package var port: UInt16? {
        get { self[.port]?.values.first.flatMap { UInt16($0) } }
        set { set(.port, newValue.map { Int($0) }) }
    }

    /// A character, `^` and a letter, or `none`.
    package var escapeChar: String? {
        get {
            text(.escapeChar).map { text in
                text.utf8.count > 1 && text.hasPrefix("\\") ? String(text.dropFirst()) : text
            }
        }
        set { set(.escapeChar, newValue.flatMap(Syntax.escapeCharacter)) }
    }

    /// Seconds; zero for as long as the system tries.
    package var connectTimeout: Int? {
        get { self[.connectTimeout]?.values.first.map { Int($0) ?? 0 } }
        set { set(.connectTimeout, newValue) }
    }

    package var controlPersist: ControlPersist? {
        get {
            switch self[.controlPersist]?.values.first {
            case nil: nil
            case "no": .no
            case "yes": .forever
            case let text?: Int(text).map { .seconds($0) }
            }
        }
        set {
            let text: String? =
                switch newValue {
                case nil: nil
                case .no: "no"
                case .forever: "yes"
                case .seconds(let seconds): "\(seconds)"
                }
            set(.controlPersist, text)
        }
    }

    /// Bytes and seconds, zero for the default.
    package var rekeyLimit: (bytes: UInt64, seconds: Int)? {
        guard let parts = self[.rekeyLimit]?.values.first?.split(separator: " "), parts.count == 2,
            let bytes = UInt64(parts[0]), let seconds = Int(parts[1])
        else { return nil }
        return (bytes, seconds)
    }

    package var addKeysToAgent: AddKeysToAgent? {
        guard let parts = self[.addKeysToAgent]?.values.first?.split(separator: " "),
            let first = parts.first
        else { return nil }
        if let seconds = Int(first) { return AddKeysToAgent(.yes, seconds: seconds) }
        return AddKeysToAgent.Mode(rawValue: String(first)).map { mode in
            AddKeysToAgent(mode, seconds: parts.count > 1 ? Int(parts[1]) : nil)
        }
    }

    package var obscureKeystrokeTiming: KeystrokeInterval? {
        switch self[.obscureKeystrokeTiming]?.values.first {
        case nil: nil
        case "yes": KeystrokeInterval(milliseconds: 20)
        case let text?:
            KeystrokeInterval(milliseconds: Int(text.dropFirst("interval:".count)) ?? 0)
        }
    }

    /// The umask of sockets of forwardings.
    package var streamLocalBindMask: UInt16? {
        self[.streamLocalBindMask]?.values.first.flatMap { UInt16($0, radix: 8) }
    }

    /// Every forwarding, in the order of its kind. Tokens in paths are as written.
    package var forwards: [Forward] {
        func read(_ keyword: ClientKeyword, _ kind: Forward.Kind) -> [Forward] {
            (self[keyword]?.values ?? []).compactMap { text in
                let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
                let target = parts.count > 1 && parts[1] != "[socks]:0" ? parts[1] : nil
                return Forward(kind, listen: parts.first ?? "", target: target)
            }
        }
        return read(.dynamicForward, .dynamic) + read(.localForward, .local)
            + read(.remoteForward, .remote)
    }

    /// Adds what `-L`, `-R` or `-D` says.
    package mutating func add(_ forward: Forward) {
        let keyword: ClientKeyword =
            switch forward.kind {
            case .dynamic: .dynamicForward
            case .local: .localForward
            case .remote: .remoteForward
            }
        merge(keyword, [forward.description], from: .commandLine)
    }

    /// Keywords that were given and do nothing in this version.
    package var withoutEffect: [ClientKeyword] {
        ClientKeyword.allCases.filter { keyword in
            guard case .none = keyword.row.effect, let setting = self[keyword] else { return false }
            return setting.values != [keyword.row.initial] && setting.values != ["none"]
        }
    }
}

// MARK: Access

extension ClientOptions {
    func flag(_ keyword: ClientKeyword) -> Bool? {
        self[keyword]?.values.first.map { $0 == "yes" }
    }

    func number(_ keyword: ClientKeyword) -> Int? {
        self[keyword]?.values.first.flatMap { Int($0) }
    }

    /// Nil also for `none` where that means nothing.
    func text(_ keyword: ClientKeyword) -> String? {
        guard let text = self[keyword]?.values.first else { return nil }
        return keyword.row.form.isNothing(text) ? nil : text
    }

    func list(_ keyword: ClientKeyword) -> [String]? { self[keyword]?.values }

    func lines(_ keyword: ClientKeyword) -> [String] { self[keyword]?.values ?? [] }

    func word<Word: RawRepresentable<String>>(_ keyword: ClientKeyword) -> Word? {
        self[keyword]?.values.first.flatMap { Word(rawValue: $0) }
    }

    mutating func set(_ keyword: ClientKeyword, _ value: Bool?) {
        set(keyword, value.map { $0 ? "yes" : "no" })
    }

    mutating func set(_ keyword: ClientKeyword, _ value: Int?) {
        set(keyword, value.map { "\($0)" })
    }

    mutating func set(_ keyword: ClientKeyword, _ value: String?) {
        set(keyword, value.map { [$0] })
    }

    mutating func set(_ keyword: ClientKeyword, _ values: [String]?) {
        let origin = self[keyword]?.origin ?? .commandLine
        self[keyword] = values.map { Setting(values: $0, origin: origin) }
    }

    mutating func set<Word: RawRepresentable<String>>(_ keyword: ClientKeyword, _ value: Word?) {
        set(keyword, value.map(\.rawValue))
    }
}

extension ValueForm {
    /// Whether a value stands for nothing at all.
    func isNothing(_ text: String) -> Bool {
        switch self {
        case .text(noneIsNothing: true), .command, .proxyJump: text.lowercased() == "none"
        default: false
        }
    }
}
