// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A session channel and the three descriptors at our end: ssh's own, or those of a passenger.
final class ClientSession {
    var channel: ChannelID
    let input: Int32
    let output: Int32
    let error: Int32
    /// The passenger of a control socket; nil for ssh's own session.
    let passenger: ControlPassenger?

    var pendingOutput = ByteQueue(capacityBytes: 64)
    var pendingError = ByteQueue(capacityBytes: 64)
    var isOpen = false
    var isRunning = false
    var inputHasEnded = false
    var outputIsBroken = false
    var errorIsBroken = false
    var peerHasEnded = false
    var isClosed = false
    var exitStatus: UInt32?
    var exitSignal: ExitSignal?
    var escapes: EscapeSequences?
    var escapeCharacter: UInt8 = 0
    var hasTerminal = false
    /// Requests sent before the one that starts the program, in order; true for the terminal's.
    var awaitedAnswers: [Awaited] = []

    enum Awaited { case terminal, start, other }

    private let wasNonblocking: (Bool, Bool, Bool)
    private let ownsDescriptors: Bool

    init(
        _ channel: ChannelID,
        input: Int32,
        output: Int32,
        error: Int32,
        passenger: ControlPassenger? = nil
    ) {
        self.channel = channel
        self.input = input
        self.output = output
        self.error = error
        self.passenger = passenger
        ownsDescriptors = passenger != nil
        wasNonblocking = (
            Descriptor.isNonblocking(input), Descriptor.isNonblocking(output),
            Descriptor.isNonblocking(error)
        )
        for fd in [input, output, error] where fd >= 0 && !Descriptor.isTerminal(fd) {
            Descriptor.setNonblocking(fd)
        }
    }

    /// Everything has been said and written.
    var isFinished: Bool {
        isClosed && (pendingOutput.isEmpty || outputIsBroken)
            && (pendingError.isEmpty || errorIsBroken)
    }

    /// Gives the descriptors back as they were.
    func release() {
        for (fd, was) in [
            (input, wasNonblocking.0), (output, wasNonblocking.1), (error, wasNonblocking.2),
        ] where fd >= 0 {
            if !was { Descriptor.setNonblocking(fd, false) }
            if ownsDescriptors { Descriptor.close(fd) }
        }
    }

    /// What the program that waits for this session exits with.
    var status: Int32 {
        if let exitStatus { return Int32(truncatingIfNeeded: exitStatus & 0xff) }
        return 255
    }
}
