// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// One direction of a path: bytes go in now and come out after they were sent at the path's rate
/// and have travelled for its delay.
struct DelayLine: ~Copyable {
    /// When a piece has arrived, in nanoseconds, and how many bytes it has.
    private struct Piece {
        var due: UInt64
        var count: Int
    }

    /// What may be under way, in bytes: then nothing more is taken in.
    static let limitBytes = 64 << 20

    private var content = ByteQueue(capacityBytes: 256 << 10)
    private var pieces: [Piece] = []
    private var firstPiece = 0
    /// When everything that was taken in has been sent.
    private var sentAt: UInt64 = 0

    var isEmpty: Bool { content.isEmpty }
    var hasRoom: Bool { content.count < Self.limitBytes }

    /// When the next bytes come out; nil when there are none.
    var due: UInt64? { firstPiece < pieces.count ? pieces[firstPiece].due : nil }

    /// Takes bytes in at `now`.
    mutating func put(_ bytes: RawSpan, at now: UInt64, _ path: PathConditions) {
        let duration = path.bytesPerSecond.map { UInt64(bytes.byteCount) * 1_000_000_000 / $0 } ?? 0
        sentAt = max(sentAt, now) + duration
        let arrival = max(sentAt + path.delayNanoseconds, pieces.last?.due ?? 0)
        content.append(bytes)
        pieces.append(Piece(due: arrival, count: bytes.byteCount))
    }

    /// Gives what has arrived at `now` to `write`, which says how many bytes it took.
    mutating func take(at now: UInt64, _ write: (RawSpan) -> Int) {
        var ready = 0
        for piece in pieces[firstPiece...] {
            guard piece.due <= now else { break }
            ready += piece.count
        }
        guard ready > 0 else { return }
        var taken = write(content.bytes.extracting(first: ready))
        content.removeFirst(taken)
        while taken > 0 {
            let count = min(taken, pieces[firstPiece].count)
            pieces[firstPiece].count -= count
            taken -= count
            if pieces[firstPiece].count == 0 { firstPiece += 1 }
        }
        if firstPiece > 1024 {
            pieces.removeFirst(firstPiece)
            firstPiece = 0
        }
    }
}

/// What a path is like. Both directions are the same.
struct PathConditions {
    /// From one end to the other; half of the round trip.
    var delayNanoseconds: UInt64 = 0
    /// Nil: as fast as the machine is.
    var bytesPerSecond: UInt64?
    /// Nothing moves, nothing is accepted, nothing is closed: the network is gone.
    var isFrozen = false
}
