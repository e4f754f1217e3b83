// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserKeys
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// What is known about hosts: the user's files, the system's, and what `KnownHostsCommand` prints.
struct HostKeySources {
    /// Expanded paths; the first one is written to.
    let userFiles: [String]
    let globalFiles: [String]
    private let settings: ClientSettings
    private let log: Log

    init(_ settings: ClientSettings, log: Log) throws(ConfigError) {
        self.settings = settings
        self.log = log
        userFiles = try settings.userKnownHostsFiles
        globalFiles = try settings.globalKnownHostsFiles
    }

    /// What `KnownHostsCommand` is asked for, `%I`.
    enum Reason: String {
        case order = "ORDER"
        case hostName = "HOSTNAME"
        case address = "ADDRESS"
    }

    /// Everything that may be about `name`; nil when the command fails.
    func knownHosts(for key: PublicKey, name: String, reason: Reason) -> KnownHosts? {
        knownHosts(
            [
                "I": reason.rawValue, "H": name, "t": key.type.name, "f": key.fingerprint(),
                "K": Base64.encode(key.blob),
            ],
            reason
        )
    }

    /// The same before the server has shown a key.
    func knownHosts(ordering name: String, host: String) -> KnownHosts? {
        knownHosts(["I": "ORDER", "H": host, "t": "NONE", "f": "NONE", "K": "NONE"], .order)
    }

    private func knownHosts(
        _ tokens: KeyValuePairs<Unicode.Scalar, String>,
        _ reason: Reason
    ) -> KnownHosts? {
        var files = (userFiles + globalFiles).compactMap(file)
        if let command = settings.options.knownHostsCommand, command.lowercased() != "none" {
            switch output(of: command, tokens, reason) {
            case .failed: return nil
            case .none: break
            case .lines(let bytes):
                files.append(
                    KnownHostsFile(
                        path: "KnownHostsCommand-\(reason.rawValue)",
                        contents: bytes
                    )
                )
            }
        }
        return KnownHosts(files: files)
    }

    private func file(_ path: String) -> KnownHostsFile? {
        do throws(SystemError) {
            return KnownHostsFile(path: path, contents: try Files.read(path))
        } catch {
            log.debug("load_hostkeys: fopen \(path): \(error.reason)")
            return nil
        }
    }

    // MARK: KnownHostsCommand

    private enum Output {
        case none
        case failed
        case lines([UInt8])
    }

    private func output(
        of command: String,
        _ own: KeyValuePairs<Unicode.Scalar, String>,
        _ reason: Reason
    ) -> Output {
        let tag = "KnownHostsCommand-\(reason.rawValue)"
        var tokens = settings.tokens
        for (letter, value) in own { tokens[letter] = value }
        guard let words = try? ConfigLine.parse("KnownHostsCommand \(command)")?.arguments,
            !words.isEmpty
        else {
            log.error("KnownHostsCommand \"\(command)\" contains invalid quotes")
            return .failed
        }
        var arguments: [String] = []
        for word in words {
            guard let withVariables = Tokens.expandVariables(word, Environment.value),
                let expanded = tokens.expand(withVariables)
            else {
                log.error("unknown token or variable in KnownHostsCommand \"\(command)\"")
                return .failed
            }
            arguments.append(expanded)
        }
        guard let program = arguments.first, program.hasPrefix("/") else {
            log.error("\(tag) path is not absolute")
            return .none
        }
        if let reason = Files.reasonForAbsence(of: program) {
            log.error("Could not stat \(tag) \"\(program)\": \(reason)")
            return .none
        }
        return run(arguments, tag)
    }

    private func run(_ arguments: [String], _ tag: String) -> Output {
        guard let program = arguments.first, let pipe = try? Descriptor.pipe(),
            let null = try? Descriptor.open("/dev/null", 2)
        else { return .failed }
        defer {
            Descriptor.close(pipe.read)
            Descriptor.close(null)
        }
        var spawn = Spawn(program, arguments)
        spawn.descriptors = [(0, null), (1, pipe.write), (2, 2)]
        let started = try? spawn.start()
        Descriptor.close(pipe.write)
        guard let started else {
            log.error("\(tag) \(program): cannot be started")
            return .failed
        }
        let bytes = Descriptor.readAll(pipe.read, limit: Self.maximumOutputBytes)
        let end = Child.wait(started)
        guard end == .exited(0), let bytes else {
            var what = "failed"
            if case .exited(let status)? = end { what = "failed, status \(status)" }
            log.error("\(tag) \(arguments.joined(separator: " ")) \(what)")
            // Before the server has shown its key, the caller says this.
            if !tag.hasSuffix("ORDER") { log.error("KnownHostsCommand failed") }
            return .failed
        }
        return .lines(bytes)
    }

    /// More than any list of hosts that a program prints for one of them.
    private static let maximumOutputBytes = 16 << 20
}
