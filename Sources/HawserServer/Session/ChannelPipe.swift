// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// A channel's data between the connection and descriptors: one to write what the peer sends, one
/// or two to read what the peer gets.
///
/// What is not written yet is bounded by the channel's window: it is given back only when the
/// bytes have gone on. What was read and not sent is at most one read.
final class ChannelPipe {
    let channel: ChannelID
    /// Where the peer's data goes; -1 once that is closed.
    private(set) var writer: Int32
    /// Where data for the peer comes from.
    private var sources: [Source]
    private var toWrite = ByteQueue(capacityBytes: 256)
    private var endsWhenWritten = false
    /// The writer and the reader are one descriptor with two directions, such as a socket.
    let isSocket: Bool
    /// EOF has been sent.
    private(set) var hasSentEnd = false

    /// When bytes last went either way; nanoseconds of `Clock`.
    private(set) var lastActive = Clock.nanoseconds

    /// How much is read at once, at first and once there is much to read.
    static let smallReadBytes = 4096
    static let largeReadBytes = 65536

    private struct Source {
        var descriptor: Int32
        let isExtended: Bool
        var pending: [UInt8] = []
    }

    /// Is told which of the descriptors are worth waiting for.
    private let watch: DescriptorWatch

    init(
        channel: ChannelID,
        writer: Int32,
        reader: Int32,
        errors: Int32 = -1,
        isSocket: Bool,
        watch: DescriptorWatch
    ) {
        self.channel = channel
        self.writer = writer
        self.isSocket = isSocket
        self.watch = watch
        sources = [Source(descriptor: reader, isExtended: false)]
        if errors >= 0 { sources.append(Source(descriptor: errors, isExtended: true)) }
        // Sockets never wait from the start.
        if !isSocket {
            for descriptor in [writer, reader, errors] where descriptor >= 0 {
                Descriptor.setNonblocking(descriptor)
            }
        }
    }

    /// What is open.
    var descriptors: [Int32] {
        ([writer] + sources.map(\.descriptor)).filter { $0 >= 0 }
    }

    /// Nothing more will come for the peer, and all of it has been sent.
    var isDrained: Bool { sources.allSatisfy { $0.descriptor < 0 && $0.pending.isEmpty } }

    /// Something that was read could not be sent yet.
    var hasPending: Bool { sources.contains { !$0.pending.isEmpty } }

    /// Nothing of the peer's is left to be written.
    var isWritten: Bool { toWrite.isEmpty }

    // MARK: From the peer

    /// Takes the data that the connection has just received: straight to the descriptor as far as
    /// that takes it.
    func takeReceived(_ connection: inout ServerConnection) {
        let count = connection.received.byteCount
        lastActive = Clock.nanoseconds
        guard writer >= 0 else {
            // Nobody reads it: it is gone, and its room is free again.
            connection.consumed(count, on: channel)
            return
        }
        var written = 0
        if toWrite.isEmpty {
            switch Descriptor.write(writer, connection.received) {
            case .bytes(let count): written = count
            case .wouldBlock: break
            case .ended, .failed:
                closeWriter()
                connection.consumed(count, on: channel)
                return
            }
        }
        if written < count {
            toWrite.append(connection.received.extracting(droppingFirst: written))
        }
        if written > 0 { connection.consumed(written, on: channel) }
        refresh(&connection)
    }

    /// Takes data that came before there was anyone to read it.
    func takeEarly(_ bytes: [UInt8], _ connection: inout ServerConnection) {
        guard !bytes.isEmpty else { return }
        toWrite.append(bytes)
        write(&connection)
        refresh(&connection)
    }

    /// The peer sends no more; what it sent is still written.
    func takeEnd(_ connection: inout ServerConnection) {
        endsWhenWritten = true
        write(&connection)
        refresh(&connection)
    }

    private func write(_ connection: inout ServerConnection) {
        while writer >= 0, !toWrite.isEmpty {
            switch Descriptor.write(writer, toWrite.bytes) {
            case .bytes(let count):
                toWrite.removeFirst(count)
                connection.consumed(count, on: channel)
            case .wouldBlock:
                return
            case .ended, .failed:
                connection.consumed(toWrite.count, on: channel)
                toWrite.removeAll()
                closeWriter()
            }
        }
        if endsWhenWritten, toWrite.isEmpty { closeWriter() }
    }

    private func closeWriter() {
        guard writer >= 0 else { return }
        if isSocket {
            Socket.finishWriting(writer)
            // The other direction may have ended before.
            if !sources.contains(where: { $0.descriptor == writer }) { close(writer) }
        } else if !sources.contains(where: { $0.descriptor == writer }) {
            close(writer)
        } else {
            // A terminal has one descriptor for both; it stays for reading.
            return
        }
        writer = -1
    }

    // MARK: Waiting

    /// Says which descriptors are worth waiting for now; to be called after anything has changed.
    /// What cannot be sent now is not read: `channelWritable` tells when it can.
    func refresh(_ connection: inout ServerConnection) {
        let isWaitedFor = sources.contains { $0.descriptor >= 0 && $0.pending.isEmpty }
        let hasRoom = isWaitedFor && connection.sendableBytes(on: channel) > 0
        if isWaitedFor, !hasRoom { connection.awaitRoom(on: channel) }
        let wantsWrite = writer >= 0 && !toWrite.isEmpty
        var writerIsSource = false
        for source in sources where source.descriptor >= 0 {
            let isBoth = source.descriptor == writer
            if isBoth { writerIsSource = true }
            watch.set(
                source.descriptor,
                read: hasRoom && source.pending.isEmpty,
                write: isBoth && wantsWrite
            )
        }
        if writer >= 0, !writerIsSource { watch.set(writer, read: false, write: wantsWrite) }
    }

    /// Moves what can be moved after a wait.
    func move(
        _ ready: DescriptorWatch.Ready,
        _ scratch: inout [UInt8],
        _ connection: inout ServerConnection
    ) {
        lastActive = Clock.nanoseconds
        if ready.isWritable, ready.descriptor == writer { write(&connection) }
        if ready.isReadable {
            for index in sources.indices where sources[index].descriptor == ready.descriptor {
                read(index, &scratch, &connection)
            }
        }
        refresh(&connection)
    }

    /// Sends what could not be sent before.
    func sendPending(_ connection: inout ServerConnection) {
        for index in sources.indices where !sources[index].pending.isEmpty {
            let bytes = sources[index].pending
            let sent = send(bytes.rawBytes, sources[index].isExtended, &connection)
            sources[index].pending.removeFirst(sent)
        }
        sendEndIfDone(&connection)
        refresh(&connection)
    }

    private func send(
        _ bytes: RawSpan,
        _ isExtended: Bool,
        _ connection: inout ServerConnection
    ) -> Int {
        isExtended
            ? connection.sendExtended(bytes, on: channel) : connection.send(bytes, on: channel)
    }

    @discardableResult
    private func read(
        _ index: Int,
        _ scratch: inout [UInt8],
        _ connection: inout ServerConnection
    ) -> Transfer {
        let count = min(scratch.count, connection.sendableBytes(on: channel))
        guard count > 0, sources[index].pending.isEmpty else { return .wouldBlock }
        var transfer = Transfer.wouldBlock
        do {
            var span = scratch.mutableRawBytes
            var part = span._mutatingExtracting(first: count)
            transfer = Descriptor.read(sources[index].descriptor, into: &part)
        }
        switch transfer {
        case .bytes(let count):
            defer {
                // There is more than a terminal says at once.
                if count == Self.smallReadBytes, scratch.count == count {
                    scratch = [UInt8](repeating: 0, count: Self.largeReadBytes)
                }
            }
            let bytes = scratch.rawBytes.extracting(first: count)
            let sent = send(bytes, sources[index].isExtended, &connection)
            if sent < count {
                sources[index].pending = [UInt8](copying: bytes.extracting(droppingFirst: sent))
            }
        case .wouldBlock:
            break
        case .ended, .failed:
            closeSource(index)
            sendEndIfDone(&connection)
        }
        return transfer
    }

    /// Reads what a terminal whose program has ended still holds; true when that was all and it is
    /// on its way. False: there is no room for it yet.
    func drain(_ scratch: inout [UInt8], _ connection: inout ServerConnection) -> Bool {
        for index in sources.indices {
            while sources[index].descriptor >= 0 {
                guard sources[index].pending.isEmpty, connection.sendableBytes(on: channel) > 0
                else {
                    connection.awaitRoom(on: channel)
                    return false
                }
                if read(index, &scratch, &connection) == .wouldBlock { break }
            }
        }
        return !hasPending
    }

    private func closeSource(_ index: Int) {
        let descriptor = sources[index].descriptor
        sources[index].descriptor = -1
        if descriptor != writer { close(descriptor) }
    }

    private func close(_ descriptor: Int32) {
        if isSocket { watch.release(descriptor) } else { watch.forget(descriptor) }
        Descriptor.close(descriptor)
    }

    private func sendEndIfDone(_ connection: inout ServerConnection) {
        guard isDrained, !hasSentEnd else { return }
        hasSentEnd = true
        connection.sendEOF(on: channel)
    }

    /// The peer takes no more of what it gets (`eow@openssh.com`): a program that writes on is told so
    /// by the system. A terminal has other things to say and stays.
    func stopReading(_ connection: inout ServerConnection) {
        for index in sources.indices
        where !sources[index].isExtended && sources[index].descriptor >= 0
            && sources[index].descriptor != writer
        {
            sources[index].pending = []
            closeSource(index)
        }
        sendEndIfDone(&connection)
        refresh(&connection)
    }

    /// The channel is gone: what came over it is written, and nothing is read any more.
    func onlyWrite(_ connection: inout ServerConnection) {
        for index in sources.indices where sources[index].descriptor >= 0 {
            sources[index].pending = []
            closeSource(index)
        }
        takeEnd(&connection)
    }

    /// Closes everything.
    func close() {
        for index in sources.indices where sources[index].descriptor >= 0 { closeSource(index) }
        if writer >= 0 {
            close(writer)
            writer = -1
        }
        toWrite.removeAll()
    }
}
