// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// Two sockets and what is under way between them.
final class RelayedConnection {
    /// One end: what is read here goes into `out`, and comes out at the other end.
    private struct End: ~Copyable {
        var socket: Int32
        var out = DelayLine()
        /// The end has sent everything.
        var hasEnded = false
        /// The other end knows.
        var hasPassedEnd = false
    }

    private var near: End
    private var far: End
    private(set) var isOver = false
    /// Nothing moves here any more, and no one is told.
    var isStranded = false
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(near: Int32, far: Int32) {
        self.near = End(socket: near)
        self.far = End(socket: far)
    }

    var sockets: [Int32] { [near.socket, far.socket] }

    func wantsRead(_ socket: Int32) -> Bool {
        socket == near.socket
            ? !near.hasEnded && near.out.hasRoom : !far.hasEnded && far.out.hasRoom
    }

    /// Whether bytes have arrived for that end and it has not taken them.
    func wantsWrite(_ socket: Int32, at now: UInt64) -> Bool {
        let due = socket == near.socket ? far.out.due : near.out.due
        return due.map { $0 <= now } ?? false
    }

    /// When the next bytes arrive somewhere.
    var due: UInt64? {
        [near.out.due, far.out.due].compactMap { $0 }.min()
    }

    func read(_ socket: Int32, at now: UInt64, _ path: PathConditions) {
        let transfer: Transfer
        do {
            var bytes = buffer.mutableRawBytes
            transfer = Descriptor.read(socket, into: &bytes)
        }
        switch transfer {
        case .bytes(let count):
            let bytes = buffer
            if socket == near.socket {
                near.out.put(bytes.rawBytes.extracting(first: count), at: now, path)
            } else {
                far.out.put(bytes.rawBytes.extracting(first: count), at: now, path)
            }
        case .wouldBlock: break
        case .ended, .failed:
            if socket == near.socket { near.hasEnded = true } else { far.hasEnded = true }
        }
    }

    /// Lets arrive what is due.
    func deliver(at now: UInt64) {
        var isBroken = false
        func write(_ bytes: RawSpan, _ socket: Int32) -> Int {
            switch Descriptor.write(socket, bytes) {
            case .bytes(let count): return count
            case .wouldBlock: return 0
            case .ended, .failed:
                isBroken = true
                return bytes.byteCount
            }
        }
        let (nearSocket, farSocket) = (near.socket, far.socket)
        near.out.take(at: now) { write($0, farSocket) }
        far.out.take(at: now) { write($0, nearSocket) }
        if near.hasEnded, near.out.isEmpty, !near.hasPassedEnd {
            near.hasPassedEnd = true
            Socket.finishWriting(farSocket)
        }
        if far.hasEnded, far.out.isEmpty, !far.hasPassedEnd {
            far.hasPassedEnd = true
            Socket.finishWriting(nearSocket)
        }
        isOver = isBroken || (near.hasPassedEnd && far.hasPassedEnd)
    }

    func close() {
        sockets.forEach(Descriptor.close)
        isOver = true
    }
}
