// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserProtocol
package import HawserSystem
internal import HawserTool
internal import HawserWire

/// The configuration as it was when the listener read it: what the command line and the files said
/// then, whatever the files say later.
package final class CapturedConfiguration {
    private let path: String
    private let options: [String]
    /// Where relative paths begin.
    private let directory: String
    private let source: CapturingSource
    private let configuration: ServerConfiguration

    package var beganWithUnreadableOption: Bool { configuration.beganWithUnreadableOption }

    /// How long a host's name may be in the records of logins (`-u`); nil for any length.
    package var hostWidth: Int?

    /// Every mistake, in order; with one the configuration must not be used.
    package var errors: [String] { configuration.errors.map(\.description) }
    /// What each line sets, for the log.
    package var settingLines: [String] { configuration.settingLines }
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
        // No file at all, as ssh -F says it.
        source.files[path] = path.lowercased() == "none" ? [] : try Files.read(path)
        self.init(
            path: path,
            options: options,
            ports: ports,
            directory: Daemon.workingDirectory ?? "/",
            source
        )
        source.close()
    }

    private init(
        path: String,
        options: [String],
        ports: [Int],
        directory: String,
        _ source: CapturingSource
    ) {
        self.path = path
        self.directory = directory
        self.options = options
        self.source = source
        var configuration = ServerConfiguration(
            context: .server(directory: directory),
            source: source
        )
        for port in ports { configuration.read(option: "Port \(port)") }
        configuration.ignoresPorts = !ports.isEmpty
        for option in options { configuration.read(option: option) }
        configuration.read(source.files[path] ?? [], file: path)
        self.configuration = configuration
    }

    // MARK: Asking

    /// What holds before anyone has said a name, or whoever connects (`sshd -T`).
    package var globalSettings: ServerSettings { settings(forSubject: nil) }

    /// What holds for a connection.
    package func settings(for criteria: ConnectionCriteria) -> ServerSettings {
        settings(forSubject: criteria.subject)
    }

    /// What is in force, by the `Match` blocks that hold: what was asked before the processes of a
    /// connection part is the same memory in all of them.
    private var known: [[Bool]: ServerSettings] = [:]

    private func settings(forSubject subject: ServerMatchSubject?) -> ServerSettings {
        let blocks = configuration.active(for: subject)
        if let known = known[blocks] { return known }
        let settings = ServerSettings(text: configuration.listing(for: subject).text)
        known[blocks] = settings
        return settings
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
        var listing = configuration.listing(for: criteria?.subject)
        listing.defaultHostKeys = hostKeys
        return listing
    }

    /// Whether a `Match` block says which of users' keys are accepted.
    package var algorithmsVary: Bool { configuration.varies(.pubkeyAcceptedAlgorithms) }
}

extension ConnectionCriteria {
    fileprivate var subject: ServerMatchSubject {
        ServerMatchSubject(
            user: user,
            groups: groups,
            host: host,
            address: address,
            localAddress: localAddress,
            localPort: localPort,
            rdomain: routingDomain,
            isInvalidUser: isInvalidUser,
            version: Version.compatible
        )
    }
}

/// Files as they are, each read once, until everything has been read.
private final class CapturingSource: ConfigSource {
    var files: [String: [UInt8]] = [:]
    /// Nothing is read any more.
    private var isClosed = false

    func close() {
        isClosed = true
        files = [:]
    }

    func contents(of path: String) -> [UInt8]? {
        if let known = files[path] { return known }
        guard !isClosed, let contents = try? Files.read(path) else { return nil }
        files[path] = contents
        return contents
    }

    func paths(matching pattern: String) -> [String] {
        isClosed ? [] : Files.matches(pattern)
    }

    func obstacle(to path: String) -> String? { isClosed ? nil : Files.obstacle(to: path) }

    /// sshd_config(5) knows no `Match exec`.
    func succeeds(_ command: String) -> Bool { false }
}

extension ValueContext {
    /// What the server knows: its algorithms, and the machine's services and names.
    ///
    /// `directory` is where relative paths begin.
    fileprivate static func server(directory: String) -> ValueContext {
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
                try? Resolver.addresses(of: name, port: "0").map(\.host)
            },
            isRoutingDomain: { Interfaces.number(of: $0) != nil },
            directory: { directory },
            home: { name in
                (name.isEmpty ? User.numbered(Daemon.realUser) : User.named(name))?.home
            }
        )
    }
}
