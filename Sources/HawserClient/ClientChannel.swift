// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig
internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// Someone who waits for descriptors of a loop.
protocol Watcher: AnyObject {
    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop)
}

/// A channel at our end: up to three descriptors, and the data between them and the connection.
///
/// Nothing is kept while both ends keep up. What a slow reader has not taken is bounded by the
/// channel's window, which is given back only for bytes that have gone on; what a slow connection has
/// not taken is at most one read.
///
///     input ──read──▶ connection      ended: EOF is sent
///     output, error ◀──write── connection      EOF came and all is written: `outputIsOver`
class ClientChannel: Watcher {
    let id: ChannelID
    /// What the peer asked or was asked to open, as `~#` names it.
    let kind: String
    private(set) var input: Int32 = -1
    private(set) var output: Int32 = -1
    private(set) var error: Int32 = -1
    /// One descriptor with two directions; each can end by itself.
    private var isSocket = false

    private var pendingOutput = ByteQueue(capacityBytes: 64)
    private var pendingError = ByteQueue(capacityBytes: 64)
    /// Read, and not taken by the connection yet.
    private var unsent: [UInt8] = []

    private(set) var isOpen = false
    private(set) var inputHasEnded = false
    private(set) var outputIsBroken = false
    private var errorIsBroken = false
    private var peerHasEnded = false
    private(set) var outputIsOver = false
    private(set) var isClosed = false
    /// The connection takes nothing now; it says when it does.
    private var isStalled = false
    /// What `ChannelTimeout` calls it, the more exact name second.
    var timeoutTypes: [String] { [kind] }
    /// How long nothing may move on it, nanoseconds; nil: for ever.
    var idleLimit: UInt64?
    /// When something moved last, by `Clock`; zero before it is open. Kept only where it matters.
    private(set) var lastActive: UInt64 = 0

    init(_ id: ChannelID, kind: String) {
        self.id = id
        self.kind = kind
    }

    /// As `~#` and `-O channels` show it.
    var description: String {
        // The type and the states as OpenSSH counts them: 3 opening, 4 open; 0 open, 3 closed.
        "#\(id) \(kind) (t\(isOpen ? 4 : 3) [\(typeName)] r\(id) "
            + "i\(inputHasEnded ? 3 : 0)/\(unsent.count) "
            + "o\(outputIsOver ? 3 : 0)/\(pendingOutput.count) e[write]/\(pendingError.count) "
            + "fd \(input)/\(output)/\(error) sock \(input == output ? input : -1) cc -1 "
            + "io 0x0\(inputHasEnded ? 0 : 1)/0x0\(pendingOutput.isEmpty ? 0 : 1))"
    }

    /// What the protocol calls it (RFC 4254).
    var typeName: String { kind }

    // MARK: What subclasses do

    /// The peer has confirmed the channel.
    func opened(_ loop: ClientLoop) {}

    /// The peer has refused the channel.
    func openFailed(_ reason: ChannelOpenFailureReason, _ text: String, _ loop: ClientLoop) {}

    func requested(_ request: ChannelRequest, wantReply: Bool, _ loop: ClientLoop) {
        if wantReply { loop.connection.answerRequest(on: id, success: false) }
    }

    /// The answer to the oldest unanswered request of ours.
    func answered(success: Bool, _ loop: ClientLoop) {}

    /// So many bytes were read from the input; they are at the front of the loop's buffer.
    func tookInput(_ count: Int, _ loop: ClientLoop) {
        let buffer = loop.buffer
        send(buffer.rawBytes.extracting(first: count), loop)
    }

    /// Data that came before there was an output to write it to.
    func receivedEarly(_ loop: ClientLoop) {
        loop.keepReceived(from: 0, in: &pendingOutput)
    }

    /// A direction is over. A socket's channel is closed when both are.
    func directionEnded(_ loop: ClientLoop) {
        guard isSocket, inputHasEnded, outputIsOver || outputIsBroken else { return }
        loop.connection.closeChannel(id, isUrgent: false)
    }

    /// Nobody reads the output any more.
    func outputBroke(_ loop: ClientLoop) { directionEnded(loop) }

    /// The channel is closed and everything is written.
    func finished(_ loop: ClientLoop) {}

    /// The connection is over: what is someone else's is given back as it was.
    func release() {}

    // MARK: Descriptors

    /// Whether the connection holds data for an output that is to come.
    private var hasOutput: Bool { output >= 0 || error >= 0 }

    /// Lets data flow from here on. Terminals stay as they are: others use them too, and they wait but
    /// where they have been opened anew. What has probably come already is read without asking whether
    /// it has.
    func attach(
        input: Int32,
        output: Int32,
        error: Int32 = -1,
        isSocket: Bool = false,
        mayHaveInput: Bool = false,
        _ loop: ClientLoop
    ) {
        self.input = input
        self.output = output
        self.error = error
        self.isSocket = isSocket
        // Sockets never wait from the start.
        if !isSocket {
            for fd in [input, output, error] where fd >= 0 && !Descriptor.isTerminal(fd) {
                Descriptor.setNonblocking(fd)
            }
        }
        if !pendingOutput.isEmpty { writePending(isError: false, loop) }
        if peerHasEnded { finishOutput(loop) }
        if mayHaveInput { read(loop) }
        watch(loop)
    }

    /// Data flows only when the channel is open.
    func markOpen() {
        isOpen = true
        lastActive = Clock.nanoseconds
    }

    /// Something has moved.
    func noteActivity(_ loop: ClientLoop) {
        if loop.idleLimits.nextCheck != nil { lastActive = Clock.nanoseconds }
    }

    /// There is nothing more to be read: the peer is told when the channel is open.
    func endInput(_ loop: ClientLoop) {
        guard !inputHasEnded else { return }
        inputHasEnded = true
        loop.sendHeldKeys()
        loop.connection.sendEOF(on: id)
        watch(loop)
        directionEnded(loop)
    }

    /// Nothing more is read, and the peer knows.
    func stopInput(_ loop: ClientLoop) {
        inputHasEnded = true
        unsent = []
        watch(loop)
    }

    /// What the peer still sends goes nowhere, and nothing more is read.
    func abandonData(_ loop: ClientLoop) {
        inputHasEnded = true
        outputIsBroken = true
        errorIsBroken = true
        watch(loop)
        finishIfDone(loop)
    }

    /// Says what to wait for.
    func watch(_ loop: ClientLoop) {
        let reads = isOpen && !inputHasEnded && !isStalled && !isClosed && unsent.isEmpty
        let writes = !pendingOutput.isEmpty && !outputIsBroken
        if input == output {
            loop.watch(input, read: reads, write: writes, self)
        } else {
            loop.watch(input, read: reads, write: false, self)
            loop.watch(output, read: false, write: writes, self)
        }
        loop.watch(error, read: false, write: !pendingError.isEmpty && !errorIsBroken, self)
    }

    /// Takes the descriptors out of the loop and lets go of them; the caller closes them, a socket at
    /// once.
    func detach(_ loop: ClientLoop) {
        if isSocket {
            loop.release(input)
        } else {
            for fd in [input, output, error] where fd >= 0 { loop.unwatch(fd) }
        }
        input = -1
        output = -1
        error = -1
    }

    func fire(_ ready: DescriptorWatch.Ready, _ loop: ClientLoop) {
        let fd = ready.descriptor
        if ready.isWritable, fd == output { writePending(isError: false, loop) }
        if ready.isWritable, fd == error { writePending(isError: true, loop) }
        if ready.isReadable, fd == input { read(loop) }
        watch(loop)
    }

    // MARK: To the peer

    private func read(_ loop: ClientLoop) {
        guard isOpen, !inputHasEnded, !isStalled else { return }
        let room = min(loop.connection.sendableBytes(on: id), ClientLoop.bufferBytes)
        guard room > 0 else {
            isStalled = true
            loop.connection.awaitRoom(on: id)
            return
        }
        loop.fillBuffer()
        let transfer: Transfer
        do {
            var whole = loop.buffer.mutableRawBytes
            var part = whole.prefix(room)
            transfer = Descriptor.read(input, into: &part)
        }
        switch transfer {
        case .bytes(let count):
            noteActivity(loop)
            tookInput(count, loop)
        case .wouldBlock: break
        case .ended, .failed: endInput(loop)
        }
    }

    /// Sends, and keeps what the connection does not take.
    func send(_ bytes: RawSpan, _ loop: ClientLoop) {
        guard unsent.isEmpty else {
            unsent += [UInt8](copying: bytes)
            return
        }
        let sent = loop.connection.send(bytes, on: id)
        guard sent < bytes.byteCount else { return }
        unsent = [UInt8](copying: bytes.extracting(droppingFirst: sent))
        isStalled = true
    }

    /// The connection takes data again.
    func writable(_ loop: ClientLoop) {
        isStalled = false
        if !unsent.isEmpty {
            let rest = unsent
            unsent = []
            send(rest.rawBytes, loop)
        }
        watch(loop)
    }

    // MARK: From the peer

    /// Takes the data that the connection has just received.
    func receive(_ count: Int, isError: Bool, _ loop: ClientLoop) {
        if isError ? errorIsBroken || error < 0 && hasOutput : outputIsBroken {
            loop.connection.consumed(count, on: id)
            return
        }
        let fd = isError ? error : output
        guard fd >= 0 else { return receivedEarly(loop) }
        var written = 0
        if isError ? pendingError.isEmpty : pendingOutput.isEmpty {
            switch loop.writeReceived(to: fd) {
            case .bytes(let count): written = count
            case .wouldBlock: break
            case .ended, .failed:
                loop.connection.consumed(count, on: id)
                return breakOutput(isError: isError, loop)
            }
        }
        if written > 0 { loop.connection.consumed(written, on: id) }
        guard written < count else { return }
        if isError {
            loop.keepReceived(from: written, in: &pendingError)
        } else {
            loop.keepReceived(from: written, in: &pendingOutput)
        }
        watch(loop)
    }

    /// Puts words of ours after what is to be written.
    func show(_ text: String, isError: Bool, _ loop: ClientLoop) {
        let bytes = text.octets
        if isError {
            guard error >= 0, !errorIsBroken, pendingError.count < 65536 else { return }
            pendingError.append(bytes)
        } else {
            guard !outputIsBroken, pendingOutput.count < 65536 else { return }
            pendingOutput.append(bytes)
        }
        ownBytes += bytes.count
        if isError ? error >= 0 : output >= 0 { writePending(isError: isError, loop) }
        watch(loop)
    }

    /// The same for bytes, to the output.
    func showBytes(_ bytes: [UInt8], _ loop: ClientLoop) {
        guard !outputIsBroken else { return }
        pendingOutput.append(bytes)
        ownBytes += bytes.count
        if output >= 0 { writePending(isError: false, loop) }
        watch(loop)
    }

    /// Bytes in the queues that were not the peer's: no window is given back for them.
    private var ownBytes = 0

    /// Gives back the window of the peer's bytes among `count` that have gone on.
    private func consume(_ count: Int, _ loop: ClientLoop) {
        let own = min(ownBytes, count)
        ownBytes -= own
        if count > own { loop.connection.consumed(count - own, on: id) }
    }

    private func writePending(isError: Bool, _ loop: ClientLoop) {
        let fd = isError ? error : output
        let result =
            isError
            ? Descriptor.write(fd, pendingError.bytes)
            : Descriptor.write(fd, pendingOutput.bytes)
        switch result {
        case .bytes(let count):
            noteActivity(loop)
            if isError {
                pendingError.removeFirst(count)
                pendingError.shrink(to: 64)
            } else {
                pendingOutput.removeFirst(count)
                pendingOutput.shrink(to: 64)
            }
            consume(count, loop)
            if !isError, pendingOutput.isEmpty, peerHasEnded { finishOutput(loop) }
            finishIfDone(loop)
        case .wouldBlock: break
        case .ended, .failed: breakOutput(isError: isError, loop)
        }
    }

    private func breakOutput(isError: Bool, _ loop: ClientLoop) {
        if isError {
            errorIsBroken = true
            consume(pendingError.count, loop)
            pendingError.removeAll()
        } else if !outputIsBroken {
            outputIsBroken = true
            consume(pendingOutput.count, loop)
            pendingOutput.removeAll()
            outputBroke(loop)
        }
        watch(loop)
        finishIfDone(loop)
    }

    /// The peer sends no more data.
    func peerEnded(_ loop: ClientLoop) {
        peerHasEnded = true
        if hasOutput, pendingOutput.isEmpty { finishOutput(loop) }
    }

    private func finishOutput(_ loop: ClientLoop) {
        guard !outputIsOver, pendingOutput.isEmpty else { return }
        outputIsOver = true
        if isSocket, output >= 0 { loop.endedOutputs.append(self) }
        directionEnded(loop)
    }

    /// Tells the reader of a socket that there is no more, unless the socket has been closed since.
    func finishWriting() {
        if isSocket, output >= 0 { Socket.finishWriting(output) }
    }

    /// Both sides have closed the channel.
    func closed(_ loop: ClientLoop) {
        isClosed = true
        inputHasEnded = true
        watch(loop)
        finishIfDone(loop)
    }

    private func finishIfDone(_ loop: ClientLoop) {
        guard isClosed, pendingOutput.isEmpty || outputIsBroken || output < 0,
            pendingError.isEmpty || errorIsBroken || error < 0, loop.remove(self)
        else { return }
        finished(loop)
    }
}
