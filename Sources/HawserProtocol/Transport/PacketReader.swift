// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// Bytes to payloads (RFC 4253 §6): length, decryption, code, padding; all in the input's own buffer.
struct PacketReader: ~Copyable {
    /// What the socket gave and no one has read yet, the current packet first.
    var input = ByteQueue(capacityBytes: 32 << 10)
    var opener: any PacketOpener = plainOpener()
    var decompression: (any PacketCompression)?
    private(set) var counter = PacketCounter()

    /// packet_length of the packet at the front, once its head has been opened.
    private var length: Int?
    /// The whole packet at the front, opened already; it goes when the next one is asked for.
    private var currentBytes = 0
    private var payloadRange = 0..<0
    private var decompressed = ByteQueue(capacityBytes: 64)
    private var isDecompressed = false
    /// Packets have no padding and no key (PROTOCOL.mux §9).
    var isBare = false
    /// Bytes still to be thrown away before a bad packet is reported. With CBC a forger could have
    /// chosen the length, and would learn some plain text from how soon we hang up.
    private var discard: (left: Int, error: ProtocolError)?

    /// Gives back what a burst needed, where nothing waits in it.
    mutating func shrinkBuffers() {
        input.shrink(to: 1024)
        decompressed.shrink(to: 64)
    }

    /// The payload of the current packet, its first byte the message number.
    var payload: RawSpan {
        @_lifetime(borrow self) get {
            isDecompressed ? decompressed.bytes : input.bytes.extracting(payloadRange)
        }
    }

    /// The number of the current packet, for SSH_MSG_UNIMPLEMENTED.
    var currentSequenceNumber: UInt32 { counter.sequenceNumber &- 1 }

    /// Opens the next packet; false when more bytes are needed.
    mutating func next() throws(ProtocolError) -> Bool {
        dropCurrent()
        if discard != nil { return try discardMore() }
        guard let length = try openLength() else { return false }
        let total = 4 + length + opener.tagBytes
        guard input.count >= total else {
            input.reserve(total - input.count)
            return false
        }
        do throws(ProtocolError) { try open(total) } catch {
            try reject(error)
            return false
        }
        self.length = nil
        currentBytes = total
        counter.count(total)
        try findPayload(length)
        return true
    }

    /// Switches to another key; with strict key exchange the numbers start anew.
    mutating func setKey(_ opener: any PacketOpener, resetsSequenceNumber: Bool) {
        self.opener = opener
        counter.changeKey(resetsSequenceNumber: resetsSequenceNumber)
    }

    /// Forgets the current packet, so that what is left is what has not been read.
    mutating func dropCurrent() {
        guard currentBytes > 0 else { return }
        input.removeFirst(currentBytes)
        currentBytes = 0
        payloadRange = 0..<0
        if isDecompressed {
            decompressed.removeAll()
            isDecompressed = false
        }
    }

    private mutating func openLength() throws(ProtocolError) -> Int? {
        if let length { return length }
        let opener = opener
        let number = counter.sequenceNumber
        guard input.count >= opener.headBytes else { return nil }
        var head = input.mutableBytes
        let announced = opener.openLength(&head, sequenceNumber: number)
        let minimum = isBare ? 2 : max(5, opener.lengthIsPadded ? opener.blockBytes - 4 : 5)
        guard announced >= UInt32(minimum), announced <= UInt32(Limits.packetBytes) else {
            try reject(ProtocolError(.badPacket, "Bad packet length \(announced)."))
            return nil
        }
        let length = Int(announced)
        let padded = (opener.lengthIsPadded ? 4 : 0) + length
        guard isBare || padded % opener.blockBytes == 0 else {
            try reject(
                ProtocolError(
                    .badPacket,
                    "padding error: need \(length) block \(opener.blockBytes) mod "
                        + "\(padded % opener.blockBytes)"
                )
            )
            return nil
        }
        self.length = length
        return length
    }

    private mutating func open(_ total: Int) throws(ProtocolError) {
        let opener = opener
        let number = counter.sequenceNumber
        do throws(CryptoError) {
            var packet = input.mutableBytes
            var exact = packet.prefix(total)
            try opener.open(&exact, sequenceNumber: number)
        } catch {
            throw ProtocolError(
                .badMAC,
                opener.isAEAD
                    ? "ssh_dispatch_run_fatal: message authentication code incorrect"
                    : "Corrupted MAC on input."
            )
        }
    }

    private mutating func findPayload(_ length: Int) throws(ProtocolError) {
        let paddingBytes = Int(input.bytes[byteAt: 4])
        guard isBare || paddingBytes >= 4, paddingBytes + 1 < length else {
            throw ProtocolError(.badPacket, "Corrupted padlen \(paddingBytes) on input.")
        }
        payloadRange = 5..<4 + length - paddingBytes
        guard let decompression else { return }
        isDecompressed = true
        var output = ByteQueue(capacityBytes: 64)
        swap(&output, &decompressed)
        let isValid = decompression.decompress(
            input.bytes.extracting(payloadRange),
            into: &output,
            limitBytes: Limits.decompressedBytes
        )
        swap(&output, &decompressed)
        guard isValid, !decompressed.isEmpty else {
            throw ProtocolError(.badPacket, "decompression of a packet failed")
        }
    }

    /// Throws `error`, at once or, where the length was hidden by CBC, after as many bytes as the
    /// longest packet has.
    private mutating func reject(_ error: ProtocolError) throws(ProtocolError) {
        guard opener.hidesLengthByCBC else { throw error }
        discard = (Limits.packetBytes, error)
        _ = try discardMore()
    }

    private mutating func discardMore() throws(ProtocolError) -> Bool {
        guard let (left, error) = discard else { return false }
        let taken = min(left, input.count)
        input.removeFirst(taken)
        guard left > taken else { throw error }
        discard = (left - taken, error)
        return false
    }

    // MARK: Handover

    /// What a process must know to go on reading.
    func write(to writer: inout WireWriter) {
        opener.state.write(to: &writer)
        counter.write(to: &writer)
        writer.write(string: input.bytes.extracting(droppingFirst: currentBytes))
    }

    init() {}

    init(from reader: inout WireReader) throws(WireError) {
        let state = try PacketCipherState(from: &reader)
        guard let opener = try? PacketProtection.opener(from: state) else { throw .badName }
        self.opener = opener
        counter = try PacketCounter(from: &reader)
        input.append(try reader.readString())
    }
}

/// No protection, as every connection starts.
private func plainOpener() -> any PacketOpener {
    // `plain` has nothing that could be refused.
    guard let opener = try? PacketProtection.opener(from: .plain) else { preconditionFailure() }
    return opener
}

extension PacketOpener {
    var isAEAD: Bool { state.cipher?.isAEAD == true }

    var hidesLengthByCBC: Bool {
        let state = state
        return state.cipher?.isCBC == true && state.mac?.isEncryptThenMAC != true
    }
}
