// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserProtocol
package import HawserSystem
internal import HawserTool
package import HawserWire

/// The configuration as it was when the listener started: what the command line said and the files
/// that were read, so that every monitor reads the same although the files may have changed.
package final class CapturedConfiguration {
    private let path: String
    private let options: [String]
    /// Where relative paths begin.
    private let directory: String
    private let source: CapturingSource
    private let configuration: ServerConfiguration

    /// Every mistake, in order; with one the configuration must not be used.
    package var errors: [String] { configuration.errors.map(\.description) }
    /// What deserves a line in the log.
    package var notes: [String] { configuration.notes }

    /// Reads a file and what the command line adds before it. Throws when there is no such file.
    /// With `ports` (`-p`), the file's own do not count.
    package convenience init(
        path: String,
        options: [String],
        ports: [Int]
    ) throws(SystemError) {
        let source = CapturingSource()
        var contents = try Files.read(path)
        if !ports.isEmpty { contents = Self.withoutPorts(contents) }
        source.files[path] = contents
        self.init(
            path: path,
            options: ports.map { "Port \($0)" } + options,
            directory: Daemon.workingDirectory ?? "/",
            source
        )
    }

    private static func withoutPorts(_ contents: [UInt8]) -> [UInt8] {
        let lines = contents.split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        )
        // The lines stay, so that mistakes keep their numbers.
        let kept = lines.map { line in
            let text = String(decoding: line, as: UTF8.self).lowercased()
            let word = text.split { $0 == " " || $0 == "\t" || $0 == "=" }.first
            return word == "port" ? [] : Array(line)
        }
        return Array(kept.joined(separator: [UInt8(ascii: "\n")]))
    }

    private init(
        path: String,
        options: [String],
        directory: String,
        _ source: CapturingSource
    ) {
        self.path = path
        self.directory = directory
        self.options = options
        self.source = source
        var configuration = ServerConfiguration(
            context: .server(directory: directory, resolves: !source.isClosed),
            source: source
        )
        for option in options { configuration.read(option: option) }
        configuration.read(source.files[path] ?? [], file: path)
        self.configuration = configuration
    }

    // MARK: Asking

    /// What holds before anyone has said a name, or whoever connects (`sshd -T`).
    package var globalSettings: ServerSettings { ServerSettings(text: text(for: nil)) }

    /// What holds for a connection.
    package func settings(for criteria: ConnectionCriteria) -> ServerSettings {
        ServerSettings(text: text(for: criteria))
    }

    /// What the keywords say against each other: what forbids to start, and what to log.
    package var contradictions: (errors: [String], notes: [String]) {
        let found = configuration.listing().contradictions
        return (found.errors, found.notes)
    }

    /// The same as `sshd -T` shows it.
    ///
    /// `hostKeys` are shown where none is configured.
    package func text(
        for criteria: ConnectionCriteria?,
        _ hostKeys: [String] = []
    ) -> String {
        listing(for: criteria, hostKeys).text
    }

    /// `sshd -T --origin`: where each value comes from, and what it hides.
    package func explanation(for criteria: ConnectionCriteria?, _ hostKeys: [String]) -> String {
        Explanation(listing(for: criteria, hostKeys)).text
    }

    /// The same in JSON (RFC 8259).
    package func json(for criteria: ConnectionCriteria?, _ hostKeys: [String]) -> String {
        Explanation(listing(for: criteria, hostKeys)).json
    }

    /// What holds, and where it is said.
    func listing(
        for criteria: ConnectionCriteria?,
        _ hostKeys: [String]
    ) -> ServerListing {
        var listing = configuration.listing(
            for: criteria.map { criteria in
                ServerMatchSubject(
                    user: criteria.user,
                    groups: criteria.groups,
                    host: criteria.host,
                    address: criteria.address,
                    localAddress: criteria.localAddress,
                    localPort: criteria.localPort,
                    rdomain: criteria.routingDomain,
                    isInvalidUser: criteria.isInvalidUser,
                    version: Version.compatible
                )
            }
        )
        listing.defaultHostKeys = hostKeys
        return listing
    }

    /// Whether a `Match` block says which of users' keys are accepted.
    package var algorithmsVary: Bool { configuration.varies(.pubkeyAcceptedAlgorithms) }

    // MARK: From one process to the next

    package var encoding: [UInt8] {
        var writer = WireWriter(reserving: 8192)
        writer.write(text: path)
        writer.write(text: directory)
        writer.write(uint32: UInt32(clamping: options.count))
        for option in options { writer.write(text: option) }
        writer.write(uint32: UInt32(clamping: source.files.count))
        for (path, contents) in source.files {
            writer.write(text: path)
            writer.write(string: contents)
        }
        writer.write(uint32: UInt32(clamping: source.patterns.count))
        for (pattern, paths) in source.patterns {
            writer.write(text: pattern)
            writer.write(uint32: UInt32(clamping: paths.count))
            for path in paths { writer.write(text: path) }
        }
        return writer.take()
    }

    package convenience init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes.rawBytes)
        let path = try reader.readText()
        let directory = try reader.readText()
        let source = CapturingSource()
        source.isClosed = true
        var options: [String] = []
        for _ in 0..<(try reader.readUInt32()) { options.append(try reader.readText()) }
        for _ in 0..<(try reader.readUInt32()) {
            let path = try reader.readText()
            source.files[path] = try reader.readBytes()
        }
        for _ in 0..<(try reader.readUInt32()) {
            let pattern = try reader.readText()
            var paths: [String] = []
            for _ in 0..<(try reader.readUInt32()) { paths.append(try reader.readText()) }
            source.patterns[pattern] = paths
        }
        try reader.expectEnd()
        self.init(path: path, options: options, directory: directory, source)
    }
}

/// Files as they are, and remembered; or only what is remembered.
private final class CapturingSource: ConfigSource {
    var files: [String: [UInt8]] = [:]
    var patterns: [String: [String]] = [:]
    /// Nothing is read any more.
    var isClosed = false

    func contents(of path: String) -> [UInt8]? {
        if let known = files[path] { return known }
        guard !isClosed, let contents = try? Files.read(path) else { return nil }
        files[path] = contents
        return contents
    }

    func paths(matching pattern: String) -> [String] {
        if let known = patterns[pattern] { return known }
        guard !isClosed else { return [] }
        let paths = Files.matches(pattern)
        patterns[pattern] = paths
        return paths
    }

    /// sshd_config(5) knows no `Match exec`.
    func succeeds(_ command: String) -> Bool { false }
}

extension ValueContext {
    /// What the server knows: its algorithms, and the machine's services and names.
    ///
    /// `directory` is where relative paths begin; names of hosts are looked up only with `resolves`.
    fileprivate static func server(directory: String, resolves: Bool) -> ValueContext {
        ValueContext(
            isServer: true,
            algorithms: { family in
                let known: Algorithms.Family
                switch family {
                case .ciphers: known = Algorithms.ciphers
                case .macs: known = Algorithms.macs
                case .keyExchange: known = Algorithms.serverKeyExchange
                case .certificateAuthority: known = Algorithms.certificateSignatures
                case .publicKey:
                    return AlgorithmNames(
                        offered: Algorithms.publicKey.offered,
                        all: AlgorithmDefaults.allPublicKey
                    )
                }
                return AlgorithmNames(offered: known.offered, all: known.all)
            },
            service: { Services.port(of: $0) },
            addresses: { name in
                guard resolves else { return [name] }
                return try? Resolver.addresses(of: name, port: "0", isPassive: true).map(\.host)
            },
            directory: { directory }
        )
    }
}
