// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserLog
internal import HawserSFTP
internal import HawserSystem
internal import HawserWire

/// `internal-sftp` of sshd_config(5): the SFTP server inside the session's process, so that a bare
/// `ChrootDirectory` needs no program, no library and no log device.
enum InternalSFTP {
    static let name = "internal-sftp"

    /// The words of a command that names it, its own name aside; nil for any other command.
    static func options(of command: [UInt8]) -> [String]? {
        let words = String(octets: command).split(separator: " ").map(String.init)
        guard words.first == name else { return nil }
        return Array(words.dropFirst())
    }
}

extension SessionProcess {
    /// Whether a session runs the server inside: only what the configuration or the key names does.
    func internalSFTP(_ program: Session.Program, _ session: Session) -> [String]? {
        guard case .command(let command) = program, session.isForced || session.isSubsystem else {
            return nil
        }
        return InternalSFTP.options(of: command)
    }

    /// Starts it in a child of this process, with pipes in place of the program's.
    func startInternalSFTP(_ words: [String], _ session: Session) throws(SystemError) {
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        let errors = try Descriptor.pipe()
        let child = try Daemon.forkChild()
        if child == 0 {
            serveSFTP(words, session, input.read, output.write, errors.write)
        }
        for end in [input.read, output.write, errors.write] { Descriptor.close(end) }
        session.child = child
        session.pipe = ChannelPipe(
            channel: session.channel,
            writer: input.write,
            reader: output.read,
            errors: errors.read,
            isSocket: false,
            watch: watch
        )
    }

    /// The child: nothing of the connection stays open, what is logged goes to the monitor.
    private func serveSFTP(
        _ words: [String],
        _ session: Session,
        _ input: Int32,
        _ output: Int32,
        _ errors: Int32
    )
        -> Never
    {
        // HUP INT QUIT USR1 USR2 ALRM TERM CHLD: their handlers belong to the parent's loop.
        Signals.useDefault([1, 2, 3, 10, 12, 14, 15, 17])
        Signals.ignore([13])
        Daemon.startSession()
        guard let logSocket = try? Descriptor.duplicate(monitor.descriptor, atLeast: 10),
            (try? Descriptor.replace(0, with: input)) != nil,
            (try? Descriptor.replace(1, with: output)) != nil,
            (try? Descriptor.replace(2, with: errors)) != nil,
            (try? Descriptor.replace(3, with: logSocket)) != nil
        else { Daemon.exit(1) }
        Descriptor.closeAll(from: 4)
        _ = Daemon.changeDirectory(workingDirectory)
        switch ServerCommandLine.parse(words, user: user) {
        case .end(let text, let isError, let status):
            Descriptor.writeAll(isError ? 2 : 1, text.octets)
            Daemon.exit(status)
        case .serve(let line):
            let sink: any LogSink =
                line.logsToStandardError
                ? ServerLogSink(.descriptor(2))
                : InternalLogSink(MonitorLogSink(MessageSocket(3, limitBytes: 4096)))
            let log = Log(level: line.level, sink: sink)
            let witness = keepsAccount ? MonitorFileWitness(session.number) : nil
            Daemon.exit(
                line.serve(user: user, log: log, peer: start.peer.address, witness: witness)
            )
        }
    }
}

/// Tells the monitor, which writes the event log.
private final class MonitorFileWitness: FileWitness {
    private let session: UInt32
    private let socket = MessageSocket(3, limitBytes: 4096)

    init(_ session: UInt32) { self.session = session }

    func note(_ event: FileEvent) {
        socket.send(MonitorRequest.report(.file(id: session, event)).encoding)
    }
}

/// The monitor's log for a client's file names: no line is longer than the monitor takes.
private final class InternalLogSink: LogSink {
    private let sink: MonitorLogSink

    init(_ sink: MonitorLogSink) { self.sink = sink }

    func write(_ level: LogLevel, _ text: String) {
        sink.write(level, String(text.prefix(2048)))
    }
}
