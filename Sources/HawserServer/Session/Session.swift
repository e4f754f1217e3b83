// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// One session channel (RFC 4254 §6): what was asked for it, and the program that runs in it.
final class Session {
    let channel: ChannelID
    /// 0 and up, as logs and the monitor count them.
    let number: UInt32
    var terminal: TerminalState?
    var environment: [(name: String, value: String)] = []
    var pipe: ChannelPipe?
    /// The process of the program; nil before it runs and after its end.
    var child: Int32?
    /// Runs before the program: `~/.ssh/rc`.
    var startupFile: Int32?
    var waitingProgram: Program?
    /// The program's ends of pipes that `~/.ssh/rc` writes to already.
    var prepared: ProgramEnds?
    var hasStarted = false
    var ending: ChildEnd?
    var hasSentEnding = false
    /// The client has closed the channel; only the exit status is still to be told.
    var hasPeerClosed = false
    var isSubsystem = false
    /// What `ChannelTimeout` calls it.
    var typeName = "session"
    var isForced = false
    /// `ForceCommand` forces it, not the key.
    var isForcedByConfiguration = false
    /// Where the session's X clients find the client's display.
    var display: X11Display?
    /// How long nothing may move before it is closed, in nanoseconds.
    var idleLimit: UInt64?
    /// The monitor is making the terminal; what else is asked meanwhile waits.
    var awaitsTerminal = false
    var waitingRequests: [(request: ChannelRequest, wantReply: Bool)] = []
    /// Input that came before the program runs, bounded by the channel's window.
    var earlyInput: [UInt8] = []
    var hasEarlyEnd = false
    /// What the client asked for, when something else is run.
    var originalCommand: String?

    struct TerminalState {
        var master: Int32
        /// Keeps the terminal alive until the program has opened it; -1 afterwards.
        var slave: Int32
        var path: String
        var term: String
    }

    /// The ends of three pipes that a program gets, closed with this.
    final class ProgramEnds {
        let input: Int32
        let output: Int32
        let errors: Int32

        init(input: Int32, output: Int32, errors: Int32) {
            self.input = input
            self.output = output
            self.errors = errors
        }

        deinit { for end in [input, output, errors] { Descriptor.close(end) } }
    }

    /// What a session runs.
    enum Program: Equatable {
        case shell
        case command([UInt8])
    }

    init(channel: ChannelID, number: UInt32) {
        self.channel = channel
        self.number = number
    }

    /// Keeps what the connection has just received until the program runs.
    func takeEarly(_ connection: inout ServerConnection) {
        earlyInput.append(copying: connection.received)
    }
}
