// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserProtocol
internal import HawserSystem
package import HawserWire

/// The configuration as this server's processes see it: read once by the listener, given to each
/// monitor as it was then, and asked for what holds for one connection.
package struct ServerConfiguration {
    private let commandLine: [String]
    private let path: String
    /// Every file that was read, so that a later change on disk changes nothing.
    private let files: [String: [UInt8]]
    private let parsed: HawserConfig.ServerConfiguration

    /// Reads a file and what the command line adds before it.
    package init(path: String, commandLine: [String]) throws(ServerConfigurationError) {
        let contents: [UInt8]
        do throws(SystemError) { contents = try Files.read(path) } catch {
            throw ServerConfigurationError(text: "\(path): \(error.reason)", status: 1)
        }
        let source = RecordingSource()
        source.files[path] = contents
        parsed = Self.parse(path, contents, commandLine, source)
        self.commandLine = commandLine
        self.path = path
        files = source.files
        guard parsed.errors.isEmpty else {
            throw ServerConfigurationError(
                text: parsed.errors.map(\.description).joined(separator: "\r\n"),
                status: 255
            )
        }
    }

    /// What a listener gave. Throws when the bytes are not whole.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes.rawBytes)
        path = try reader.readText()
        var commandLine: [String] = []
        for _ in 0..<(try reader.readUInt32()) { commandLine.append(try reader.readText()) }
        var files: [String: [UInt8]] = [:]
        for _ in 0..<(try reader.readUInt32()) {
            let name = try reader.readText()
            files[name] = try reader.readBytes()
        }
        self.commandLine = commandLine
        self.files = files
        let source = RecordingSource(onlyRecorded: files)
        parsed = Self.parse(path, files[path] ?? [], commandLine, source)
    }

    package var encoding: [UInt8] {
        var writer = WireWriter()
        writer.write(text: path)
        writer.write(uint32: UInt32(commandLine.count))
        for line in commandLine { writer.write(text: line) }
        writer.write(uint32: UInt32(files.count))
        for (name, contents) in files {
            writer.write(text: name)
            writer.write(string: contents)
        }
        return writer.take()
    }

    /// Lines for the log that reading gave: deprecated keywords.
    package var notes: [String] { parsed.notes }

    /// What `sshd -T` prints.
    package func text(for criteria: ConnectionCriteria?) -> String {
        parsed.effective(for: criteria.map(Self.subject))
    }

    /// What holds for a connection.
    package func settings(for criteria: ConnectionCriteria?) -> ServerSettings {
        ServerSettings(text: text(for: criteria))
    }

    private static func subject(_ criteria: ConnectionCriteria) -> ServerMatchSubject {
        ServerMatchSubject(
            user: criteria.user,
            groups: criteria.groups,
            host: criteria.host,
            address: criteria.address,
            localAddress: criteria.localAddress,
            localPort: criteria.localPort,
            isInvalidUser: criteria.isInvalidUser
        )
    }

    private static func parse(
        _ path: String,
        _ contents: [UInt8],
        _ commandLine: [String],
        _ source: RecordingSource
    ) -> HawserConfig.ServerConfiguration {
        var configuration = HawserConfig.ServerConfiguration(
            algorithms: algorithms,
            source: source
        )
        for line in commandLine { configuration.read(option: line) }
        configuration.read(contents, file: path)
        return configuration
    }

    private static var algorithms: ServerAlgorithms {
        func list(_ family: Algorithms.Family) -> ServerAlgorithms.List {
            ServerAlgorithms.List(offered: family.offered, all: family.all)
        }
        return ServerAlgorithms(
            ciphers: list(Algorithms.ciphers),
            macs: list(Algorithms.macs),
            keyExchange: list(Algorithms.keyExchange),
            publicKey: list(Algorithms.publicKey)
        )
    }
}

/// Files that `Include` names, remembered as they were.
private final class RecordingSource: ConfigSource, @unchecked Sendable {
    var files: [String: [UInt8]]
    private let onlyRecorded: Bool

    init() {
        files = [:]
        onlyRecorded = false
    }

    init(onlyRecorded files: [String: [UInt8]]) {
        self.files = files
        onlyRecorded = true
    }

    func contents(of path: String) -> [UInt8]? {
        if let known = files[path] { return known }
        guard !onlyRecorded, let contents = try? Files.read(path) else { return nil }
        files[path] = contents
        return contents
    }

    func paths(matching pattern: String) -> [String] {
        guard onlyRecorded else { return Files.matches(pattern) }
        return files.keys.filter { Patterns.matches(pattern, $0) }.sorted()
    }

    func succeeds(_ command: String) -> Bool { false }
}

/// What is wrong with a configuration, and what a program exits with then.
package struct ServerConfigurationError: Error, CustomStringConvertible {
    package var text: String
    package var status: Int32
    package var description: String { text }
}
