// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// zlib@openssh.com through the system's library.
final class ZlibCompression: PacketCompression {
    private let zlib = Zlib()

    /// Bytes on the wire and what they stand for, in either direction.
    var received: (wire: UInt64, plain: UInt64) { (zlib.decompressed.from, zlib.decompressed.to) }
    var sent: (wire: UInt64, plain: UInt64) { (zlib.compressed.to, zlib.compressed.from) }

    func compress(_ payload: RawSpan, into output: inout ByteQueue) {
        zlib.compress(payload, into: &output)
    }

    func decompress(_ payload: RawSpan, into output: inout ByteQueue, limitBytes: Int) -> Bool {
        zlib.decompress(payload, into: &output, limitBytes: limitBytes)
    }
}
