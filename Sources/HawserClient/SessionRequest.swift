// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserProtocol
internal import HawserSystem

/// What a session is to be: ssh's own or a passenger's.
struct SessionRequest {
    var wantsTerminal = false
    var wantsAgent = false
    var wantsX11 = false
    var terminalType: String
    var isSubsystem: Bool
    var command: String?
    var environment: [(name: String, value: String)]

    /// ssh's own.
    init(_ settings: ClientSettings) {
        wantsTerminal = settings.wantsTerminal
        terminalType = settings.terminalType
        isSubsystem = settings.options.sessionType == .subsystem
        command = settings.command ?? settings.remoteCommand
        environment = Self.environment(settings)
    }

    /// What the server may send before we answer. In front of a terminal little, so that an
    /// interrupt is seen soon.
    var windowBytes: Int {
        wantsTerminal ? ConnectionLimits.initialWindowBytes : ConnectionLimits.bulkWindowBytes
    }

    init(
        wantsTerminal: Bool,
        terminalType: String,
        isSubsystem: Bool,
        command: String?,
        environment: [(name: String, value: String)]
    ) {
        self.wantsTerminal = wantsTerminal
        self.terminalType = terminalType
        self.isSubsystem = isSubsystem
        self.command = command
        self.environment = environment
    }

    /// What `SendEnv` and `SetEnv` choose.
    static func environment(_ settings: ClientSettings) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        let wanted = settings.options.sendEnv
        for entry in wanted.isEmpty ? [] : Environment.all {
            guard let (name, value) = split(entry) else { continue }
            if wanted.contains(where: { Patterns.matches($0, name) }) {
                result.append((name, value))
            }
        }
        var assigned: Set<String> = []
        for entry in (try? settings.setEnvironment) ?? [] {
            guard let (name, value) = split(entry), assigned.insert(name).inserted else { continue }
            result.append((name, value))
        }
        return result
    }

    /// A `NAME=value`.
    static func split(_ entry: String) -> (name: String, value: String)? {
        guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        return (String(entry[..<equals]), String(entry[entry.index(after: equals)...]))
    }
}

extension TerminalSize {
    init(_ size: WindowSize) {
        self.init(
            columns: size.columns,
            rows: size.rows,
            widthPixels: size.widthPixels,
            heightPixels: size.heightPixels
        )
    }
}
