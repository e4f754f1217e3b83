// SPDX-License-Identifier: Apache-2.0

internal import HawserProtocol
internal import HawserSystem
internal import HawserWire

/// zlib@openssh.com through the system's library.
final class ZlibCompression: PacketCompression {
    private let zlib = Zlib()

    func compress(_ payload: RawSpan, into output: inout ByteQueue) {
        zlib.compress(payload, into: &output)
    }

    func decompress(_ payload: RawSpan, into output: inout ByteQueue, limitBytes: Int) -> Bool {
        zlib.decompress(payload, into: &output, limitBytes: limitBytes)
    }
}
