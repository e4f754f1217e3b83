// SPDX-License-Identifier: Apache-2.0

import HawserProtocol
import HawserWire

/// What a program at one end does in tests: sends what it is told to, takes what arrives, and keeps
/// a history of events.
final class TestProgram {
    /// Every event in words; data events that follow one another on a channel count as one.
    private(set) var history: [String] = []
    /// What arrived, by channel number.
    private(set) var received: [UInt32: [UInt8]] = [:]
    private(set) var receivedExtended: [UInt32: [UInt8]] = [:]
    private(set) var channels: [ChannelID] = []
    private(set) var answers: [Bool] = []
    private(set) var closed = 0
    /// Whether received bytes go on at once, so that the peer gets its window back.
    var drains = true
    /// Received and not given back.
    private(set) var held = 0
    /// What is still to be sent, by channel.
    private var outgoing: [ChannelID: Outgoing] = [:]
    private var mergeable: (ChannelID, UInt32?, Int)?

    struct Outgoing {
        var bytes: [UInt8]
        var offset = 0
        var extended = false
        var then: End = .eof
    }

    enum End { case nothing, eof, close, exitAndClose(UInt32) }

    /// Sends `bytes` as the window allows, then ends as `then` says.
    func send<C: Connection & ~Copyable>(
        _ bytes: [UInt8],
        on id: ChannelID,
        extended: Bool = false,
        then: End = .eof,
        over connection: inout C
    ) {
        outgoing[id] = Outgoing(bytes: bytes, extended: extended, then: then)
        pump(id, over: &connection)
    }

    /// How much of what was to be sent on a channel has gone.
    func sentBytes(on id: ChannelID) -> Int? { outgoing[id]?.offset }

    func handle<C: Connection & ~Copyable>(
        _ event: ConnectionEvent,
        data: [UInt8],
        over connection: inout C
    ) {
        switch event {
        case .channelData(let id, let count):
            note(id, nil, count)
            received[id.number, default: []] += data
            take(count, id, &connection)
        case .channelExtendedData(let id, let type, let count):
            note(id, type, count)
            receivedExtended[id.number, default: []] += data
            take(count, id, &connection)
        case .channelWritable(let id):
            pump(id, over: &connection)
        default:
            flushNote()
            history.append(describe(event))
            follow(event, &connection)
        }
    }

    /// The history, with what is still being merged.
    var events: [String] {
        flushNote()
        return history
    }

    private func follow<C: Connection & ~Copyable>(
        _ event: ConnectionEvent,
        _ connection: inout C
    ) {
        switch event {
        case .channelOpened(let id), .channelOpenRequested(let id, _): channels.append(id)
        case .channelRequestAnswered(_, let success): answers.append(success)
        case .globalRequestAnswered(_, let success, _): answers.append(success)
        case .channelClosed: closed += 1
        default: break
        }
    }

    private func take<C: Connection & ~Copyable>(
        _ count: Int,
        _ id: ChannelID,
        _ connection: inout C
    ) {
        if drains { connection.consumed(count, on: id) } else { held += count }
    }

    private func pump<C: Connection & ~Copyable>(_ id: ChannelID, over connection: inout C) {
        guard var current = outgoing[id] else { return }
        let bytes = current.bytes
        let rest = bytes.rawBytes.extracting(droppingFirst: current.offset)
        let sent =
            current.extended
            ? connection.sendExtended(rest, on: id) : connection.send(rest, on: id)
        current.offset += sent
        outgoing[id] = current
        guard current.offset == current.bytes.count else { return }
        outgoing[id] = nil
        switch current.then {
        case .nothing: break
        case .eof: connection.sendEOF(on: id)
        case .close: connection.closeChannel(id)
        case .exitAndClose(let status):
            connection.request(.exitStatus(status), on: id, wantReply: false)
            connection.sendEOF(on: id)
            connection.closeChannel(id)
        }
    }

    private func note(_ id: ChannelID, _ type: UInt32?, _ count: Int) {
        if let last = mergeable, last.0 == id, last.1 == type {
            mergeable = (id, type, last.2 + count)
        } else {
            flushNote()
            mergeable = (id, type, count)
        }
    }

    private func flushNote() {
        guard let (id, type, count) = mergeable else { return }
        mergeable = nil
        history.append(type == nil ? "data \(id) \(count)" : "extended \(id) \(count)")
    }

    private func describe(_ event: ConnectionEvent) -> String {
        switch event {
        case .authenticationRequested(let request): "authenticationRequested \(request.method.name)"
        case .signatureNeeded(let request): "signatureNeeded \(request.algorithm)"
        default: "\(event)"
        }
    }
}
