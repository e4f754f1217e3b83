// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// What went one way.
package struct Traffic: Equatable, Sendable {
    package var packets: UInt64 = 0
    /// As on the wire, whole packets.
    package var bytes: UInt64 = 0
}

/// Counts the packets of one direction: their numbers (RFC 4253 §6.4), and what a key has protected.
struct PacketCounter {
    /// Of the next packet.
    private(set) var sequenceNumber: UInt32 = 0
    /// Under the current key.
    private(set) var underKey = Traffic()
    /// Under those before it.
    private var earlier = Traffic()

    init() {}

    /// Under all keys.
    var all: Traffic {
        Traffic(
            packets: earlier.packets &+ underKey.packets,
            bytes: earlier.bytes &+ underKey.bytes
        )
    }

    /// One more packet of `bytes` bytes.
    mutating func count(_ bytes: Int) {
        sequenceNumber &+= 1
        underKey.packets &+= 1
        underKey.bytes &+= UInt64(bytes)
    }

    /// Begins with another key; with strict key exchange the numbers start anew.
    mutating func changeKey(resetsSequenceNumber: Bool) {
        earlier = all
        underKey = Traffic()
        if resetsSequenceNumber { sequenceNumber = 0 }
    }

    // MARK: Handover

    func write(to writer: inout WireWriter) {
        writer.write(uint32: sequenceNumber)
        writer.write(uint64: underKey.packets)
        writer.write(uint64: underKey.bytes)
    }

    init(from reader: inout WireReader) throws(WireError) {
        sequenceNumber = try reader.readUInt32()
        underKey.packets = try reader.readUInt64()
        underKey.bytes = try reader.readUInt64()
    }
}
