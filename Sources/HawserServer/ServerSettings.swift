// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserLog
internal import HawserProtocol

/// The effective configuration as the server's processes use it, and as one gives it to the next:
/// the lines of `sshd -T`, a lower-case keyword and its value each.
package struct ServerSettings: Equatable, Sendable {
    private var values: [String: [String]] = [:]

    /// Reads `sshd -T`'s form; a keyword may come more than once.
    package init(text: String) {
        // Bytes, not characters: three processes of every login read it.
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let blank = line.firstIndex(of: UInt8(ascii: " ")) else { continue }
            values[String(Substring(line[..<blank])), default: []].append(
                String(Substring(line[line.index(after: blank)...]))
            )
        }
    }

    /// The same form again.
    package var text: String {
        var lines = ""
        for keyword in values.keys.sorted() {
            for value in values[keyword] ?? [] { lines += "\(keyword) \(value)\n" }
        }
        return lines
    }

    /// Every value of a keyword that adds up.
    func all(_ keyword: String) -> [String] { values[keyword] ?? [] }

    func first(_ keyword: String) -> String? { values[keyword]?.first }

    /// A value that is not `none`.
    func given(_ keyword: String) -> String? {
        first(keyword).flatMap { $0.isEmpty || $0.lowercased() == "none" ? nil : $0 }
    }

    func isYes(_ keyword: String, default value: Bool) -> Bool {
        first(keyword).map { $0 == "yes" } ?? value
    }

    func number(_ keyword: String, default value: Int) -> Int {
        first(keyword).flatMap { Int($0) } ?? value
    }

    /// A comma-separated list of algorithms.
    func names(_ keyword: String) -> [String]? {
        given(keyword).map { $0.split(separator: ",").map(String.init) }
    }

    /// Blank-separated words of every line of a keyword.
    func words(_ keyword: String) -> [String] {
        all(keyword).flatMap { $0.split(separator: " ").map(String.init) }.filter {
            $0.lowercased() != "none"
        }
    }
}

extension ServerSettings {
    var logLevel: LogLevel { first("loglevel").flatMap(LogLevel.init(keyword:)) ?? .info }
    var usesPAM: Bool { isYes("usepam", default: false) }
    var loginGraceSeconds: Int { number("logingracetime", default: 120) }
    var maximumAuthenticationTries: Int { number("maxauthtries", default: 6) }
    var maximumSessions: Int { number("maxsessions", default: 10) }
    var isStrict: Bool { isYes("strictmodes", default: true) }
    var forceCommand: String? { given("forcecommand") }
    var pidFile: String? { given("pidfile") }
    var banner: String? { given("banner") }
    var fingerprintHash: Fingerprint.Hash {
        first("fingerprinthash").flatMap { Fingerprint.Hash(word: $0.lowercased()) } ?? .sha256
    }
    var minimumRSABits: Int { number("requiredrsasize", default: 1024) }
    var clientAliveSeconds: Int { number("clientaliveinterval", default: 0) }
    var clientAliveCount: Int { number("clientalivecountmax", default: 3) }
    var chrootDirectory: String? { given("chrootdirectory") }

    /// `PermitRootLogin`.
    enum RootLogin { case yes, withoutPassword, forcedCommandsOnly, no }

    var rootLogin: RootLogin {
        switch first("permitrootlogin") {
        case "yes": .yes
        case "no": .no
        case "forced-commands-only": .forcedCommandsOnly
        default: .withoutPassword
        }
    }

    var rekeyLimit: RekeyLimit {
        let parts = (first("rekeylimit") ?? "0 0").split(separator: " ")
        let bytes = parts.first.flatMap { UInt64($0) } ?? 0
        let seconds = parts.dropFirst().first.flatMap { Int64($0) } ?? 0
        return RekeyLimit(
            bytes: bytes == 0 ? nil : bytes,
            interval: seconds == 0 ? nil : .seconds(seconds)
        )
    }

    var startupLimits: StartupLimits {
        let parts = (first("maxstartups") ?? "10:30:100").split(separator: ":").map { Int($0) ?? 0 }
        if parts.count == 3 {
            return StartupLimits(start: parts[0], rate: parts[1], full: parts[2])
        }
        let limit = parts.first ?? 10
        return StartupLimits(start: limit, rate: 100, full: limit)
    }

    /// Lists of methods, one of which must be completed; empty when any method is enough.
    var authenticationMethods: [[String]] {
        // `none` is a method here.
        let lists = all("authenticationmethods").flatMap { $0.split(separator: " ") }
        return lists.filter { $0 != "any" }.map { $0.split(separator: ",").map(String.init) }
    }

    /// The command of a subsystem.
    func subsystem(_ name: String) -> String? {
        for line in all("subsystem") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.first.map(String.init) == name, parts.count == 2 { return String(parts[1]) }
        }
        return nil
    }

    /// `NAME=value` of `SetEnv`.
    var setEnvironment: [(name: String, value: String)] {
        all("setenv").flatMap { LoginEnvironment.parse(fileContents: $0) }
    }
}
