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

    private struct Source {
        var descriptor: Int32
        let isExtended: Bool
        var place: Int?
        var pending: [UInt8] = []
    }

    private var writerPlace: Int?

    init(channel: ChannelID, writer: Int32, reader: Int32, errors: Int32 = -1, isSocket: Bool) {
        self.channel = channel
        self.writer = writer
        self.isSocket = isSocket
        sources = [Source(descriptor: reader, isExtended: false)]
        if errors >= 0 { sources.append(Source(descriptor: errors, isExtended: true)) }
        for descriptor in [writer, reader, errors] where descriptor >= 0 {
            Descriptor.setNonblocking(descriptor)
        }
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
    }

    /// Takes data that came before there was anyone to read it.
    func takeEarly(_ bytes: [UInt8], _ connection: inout ServerConnection) {
        guard !bytes.isEmpty else { return }
        toWrite.append(bytes)
        write(&connection)
    }

    /// The peer sends no more; what it sent is still written.
    func takeEnd(_ connection: inout ServerConnection) {
        endsWhenWritten = true
        write(&connection)
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
        } else if !sources.contains(where: { $0.descriptor == writer }) {
            Descriptor.close(writer)
        } else {
            // A terminal has one descriptor for both; it stays for reading.
            return
        }
        writer = -1
    }

    // MARK: Waiting

    func addInterests(to set: inout PollSet, _ connection: borrowing ServerConnection) {
        let room = connection.sendableBytes(on: channel)
        for index in sources.indices {
            sources[index].place = nil
            guard sources[index].descriptor >= 0, sources[index].pending.isEmpty, room > 0 else {
                continue
            }
            sources[index].place = set.add(sources[index].descriptor, read: true)
        }
        writerPlace = writer >= 0 && !toWrite.isEmpty ? set.add(writer, write: true) : nil
    }

    /// Moves what can be moved after a wait.
    func move(
        _ set: borrowing PollSet,
        _ scratch: inout [UInt8],
        _ connection: inout ServerConnection
    ) {
        if let writerPlace, set.isWritable(writerPlace) { write(&connection) }
        for index in sources.indices {
            guard let place = sources[index].place, set.isReadable(place) else { continue }
            read(index, &scratch, &connection)
        }
    }

    /// Sends what could not be sent before.
    func sendPending(_ connection: inout ServerConnection) {
        for index in sources.indices where !sources[index].pending.isEmpty {
            let bytes = sources[index].pending
            let sent = send(bytes.rawBytes, sources[index].isExtended, &connection)
            sources[index].pending.removeFirst(sent)
        }
        sendEndIfDone(&connection)
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
                else { return false }
                if read(index, &scratch, &connection) == .wouldBlock { break }
            }
        }
        return !hasPending
    }

    private func closeSource(_ index: Int) {
        let descriptor = sources[index].descriptor
        sources[index].descriptor = -1
        if descriptor != writer { Descriptor.close(descriptor) }
    }

    private func sendEndIfDone(_ connection: inout ServerConnection) {
        guard isDrained, !hasSentEnd else { return }
        hasSentEnd = true
        connection.sendEOF(on: channel)
    }

    /// Closes everything.
    func close() {
        for index in sources.indices where sources[index].descriptor >= 0 { closeSource(index) }
        if writer >= 0 {
            Descriptor.close(writer)
            writer = -1
        }
        toWrite.removeAll()
    }
}
