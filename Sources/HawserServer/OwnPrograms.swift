// SPDX-License-Identifier: Apache-2.0

package import HawserLog
internal import HawserSystem
internal import HawserTool
internal import HawserWire

/// The files that the processes of a connection are started from anew: this program's own, unless
/// `SshdAuthPath` and `SshdSessionPath` name others (sshd_config(5)).
package struct OwnPrograms: Sendable {
    /// Of the process that speaks with strangers.
    private(set) var network = Self.running
    /// Of the user's process; nil where that may be a copy of its monitor.
    private(set) var session: String?

    /// The file of a session process that must not be a copy.
    var sessionStartedAnew: String { session ?? Self.running }

    /// The file of this process, whatever has become of its name.
    static let running = "/proc/self/exe"

    package init() {}

    /// What the configuration names; nil, after saying why, when it names what cannot be started.
    /// The file of another version or another server is told of, and not used: processes of a
    /// connection speak a language that is their version's own.
    package init?(_ settings: ServerSettings, _ log: Log) {
        for (keyword, name) in [
            ("sshdsessionpath", "SshdSessionPath"), ("sshdauthpath", "SshdAuthPath"),
        ] {
            guard let path = settings.given(keyword) else { continue }
            guard path.hasPrefix("/"), let status = Files.status(path), status.isRegular,
                Files.mayExecute(path)
            else {
                log.fatal("\(path) does not exist or is not executable")
                return nil
            }
            guard Self.version(of: path) == Version.text else {
                log.error("\(name) \(path) is not \(Version.text); it has no effect")
                continue
            }
            if keyword == "sshdauthpath" { network = path } else { session = path }
        }
    }

    /// What a program says to `-V`, at most a line of it.
    private static func version(of path: String) -> String? {
        guard let pipe = try? Descriptor.pipe(), let null = try? Descriptor.open("/dev/null", 2)
        else { return nil }
        defer {
            Descriptor.close(null)
            Descriptor.close(pipe.read)
        }
        var spawn = Spawn(path, [path, "-V"])
        spawn.descriptors = [
            (child: 0, ours: null), (child: 1, ours: null), (child: 2, ours: pipe.write),
        ]
        let pid = try? spawn.start()
        Descriptor.close(pipe.write)
        guard let pid else { return nil }
        let said = Descriptor.readAll(pipe.read, limit: 4096)
        guard Child.wait(pid) == .exited(0), let said else { return nil }
        let line = said.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return String(octets: line)
    }
}
