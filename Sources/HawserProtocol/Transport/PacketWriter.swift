// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// Payloads to bytes (RFC 4253 §6): padding, length, code, encryption; all in the output's own buffer.
struct PacketWriter: ~Copyable {
    /// What the socket is to be given.
    var output = ByteQueue(capacityBytes: 32 << 10)
    var sealer: any PacketSealer = plainSealer()
    var compression: (any PacketCompression)?
    private(set) var counter = PacketCounter()

    /// Where in the output the packet that is being written begins.
    private var start = 0
    /// It may hold a password: its size must not tell how long that is.
    private var hidesLength = false
    private var uncompressed = ByteQueue(capacityBytes: 64)
    private var padding: PaddingSource
    /// No padding and no key: a length, a zero and the payload (PROTOCOL.mux §9).
    var isBare = false

    init(random: any RandomSource) {
        padding = PaddingSource(random)
    }

    /// Gives back what a burst needed, where nothing waits in it.
    mutating func shrinkBuffers() {
        output.shrink(to: 1024)
        uncompressed.shrink(to: 64)
    }

    /// Begins a packet; what follows is its payload, `byteCount` bytes of it if that is known.
    mutating func begin(_ number: MessageNumber, byteCount: Int = 0) {
        hidesLength = number == .userauthRequest || number == .userauthMethod61
        if compression != nil {
            uncompressed.append(byte: number.rawValue)
            return
        }
        output.reserve(byteCount + 4 + 1 + 255 + 64)
        start = output.count
        output.appendUninitialized(5)
        output.append(byte: number.rawValue)
    }

    mutating func write(_ value: RawSpan) {
        if compression != nil { uncompressed.append(value) } else { output.append(value) }
    }

    mutating func write(uint32 value: UInt32) {
        if compression != nil {
            uncompressed.append(uint32: value)
        } else {
            output.append(uint32: value)
        }
    }

    /// Ends the packet: it is padded and sealed.
    mutating func end() {
        if let compression {
            start = output.count
            output.appendUninitialized(5)
            var plain = ByteQueue(capacityBytes: 64)
            swap(&plain, &uncompressed)
            compression.compress(plain.bytes, into: &output)
            plain.removeAll()
            swap(&plain, &uncompressed)
        }
        let payloadBytes = output.count - start - 5
        let counted = (sealer.lengthIsPadded ? 5 : 1) + payloadBytes
        let block = max(hidesLength ? Limits.secretBlockBytes : 8, sealer.blockBytes)
        var paddingBytes = block - counted % block
        if paddingBytes < 4 { paddingBytes += block }
        if isBare {
            paddingBytes = 0
        } else if 5 + payloadBytes + paddingBytes < Limits.minimumPacketBytes {
            paddingBytes += block
        }
        if paddingBytes > 0 { padding.append(paddingBytes, to: &output) }
        output.appendUninitialized(sealer.tagBytes)

        let sealer = sealer
        let number = counter.sequenceNumber
        let start = start
        var queued = output.mutableBytes
        var packet = queued.suffix(from: start)
        let length = UInt32(1 + payloadBytes + paddingBytes)
        packet.storeBytes(of: length.bigEndian, toByteOffset: 0, as: UInt32.self)
        packet[byteAt: 4] = UInt8(paddingBytes)
        let total = packet.byteCount
        sealer.seal(&packet, sequenceNumber: number)
        counter.count(total)
    }

    /// Switches to another key; with strict key exchange the numbers start anew.
    mutating func setKey(_ sealer: any PacketSealer, resetsSequenceNumber: Bool) {
        self.sealer = sealer
        counter.changeKey(resetsSequenceNumber: resetsSequenceNumber)
    }

    // MARK: Handover

    /// What a process must know to go on writing; what is in the output must have been sent.
    func write(to writer: inout WireWriter) {
        sealer.state.write(to: &writer)
        counter.write(to: &writer)
        writer.write(string: output.bytes)
    }

    init(from reader: inout WireReader, random: any RandomSource) throws(WireError) {
        padding = PaddingSource(random)
        let state = try PacketCipherState(from: &reader)
        guard let sealer = try? PacketProtection.sealer(from: state) else { throw .badName }
        self.sealer = sealer
        counter = try PacketCounter(from: &reader)
        output.append(try reader.readString())
    }
}

/// Random padding, drawn many packets at a time. Bytes are used once each.
private struct PaddingSource {
    private let random: any RandomSource
    private var pool = [UInt8](repeating: 0, count: 4096)
    private var next = 4096

    init(_ random: any RandomSource) {
        self.random = random
    }

    mutating func append(_ count: Int, to output: inout ByteQueue) {
        if next + count > pool.count {
            let random = random
            var span = pool.mutableRawBytes
            random.fill(&span)
            next = 0
        }
        let range = next..<next + count
        let pool = pool
        output.append(pool.rawBytes.extracting(range))
        next += count
    }
}

/// No protection, as every connection starts.
private func plainSealer() -> any PacketSealer {
    // `plain` has nothing that could be refused.
    guard let sealer = try? PacketProtection.sealer(from: .plain) else { preconditionFailure() }
    return sealer
}
