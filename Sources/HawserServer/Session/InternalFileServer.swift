// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserFiles
internal import HawserLog
internal import HawserSystem
internal import HawserWire

/// `internal-sftp` (sshd_config(5), `Subsystem` and `ForceCommand`): the server of files as a copy
/// of the session's process, since where the root has been changed there may be no program.
struct InternalFileServer {
    let user: User
    let environment: LoginEnvironment
    let directory: String
    let monitor: MessageSocket

    /// The words after the name, when a command is this one.
    static func words(_ command: [UInt8]) -> [String]? {
        let text = String(decoding: command, as: UTF8.self)
        guard text == "internal-sftp" || text.hasPrefix("internal-sftp ") else { return nil }
        return (try? ConfigLine.split(text[...])).map { Array($0.dropFirst()) }
    }

    /// Starts it on these three descriptors and returns its process number.
    func start(_ words: [String], descriptors: [Int32]) throws(SystemError) -> Int32 {
        let pid = try Daemon.forkChild()
        if pid == 0 { serve(words, descriptors) }
        return pid
    }

    private func serve(_ words: [String], _ descriptors: [Int32]) -> Never {
        Signals.useDefault([1, 13, 15, 17])
        Signals.ignore([13])
        // The monitor's socket first: no standard descriptor may hide it.
        let logging = (try? Descriptor.duplicate(monitor.descriptor, atLeast: 100)) ?? -1
        for (place, descriptor) in descriptors.enumerated() {
            guard (try? Descriptor.replace(Int32(clamping: place), with: descriptor)) != nil else {
                Daemon.exit(1)
            }
        }
        if (try? Descriptor.replace(3, with: logging)) == nil { Daemon.exit(1) }
        Descriptor.closeAll(from: 4)
        for variable in environment.variables { Environment.set(variable.name, variable.value) }
        _ = Daemon.changeDirectory(directory)
        switch ServerCommandLine.parse(words, user: user) {
        case .end(let text, let isError, let status):
            Descriptor.writeAll(isError ? 2 : 1, Array(text.utf8))
            Daemon.exit(status)
        case .serve(let line):
            let sink = MonitorLogSink(MessageSocket(3, limitBytes: MonitorLimits.requestBytes))
            Daemon.exit(line.serve(user: user, log: Log(level: line.level, sink: sink)))
        }
    }
}
