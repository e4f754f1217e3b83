// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserProtocol

/// One way for packets to be protected.
struct Protection: Sendable, CustomTestStringConvertible {
    let cipher: CipherAlgorithm
    let mac: MACAlgorithm?

    static let all: [Protection] = CipherAlgorithm.allCases.flatMap { cipher in
        cipher.isAEAD
            ? [Protection(cipher: cipher, mac: nil)]
            : MACAlgorithm.allCases.map { Protection(cipher: cipher, mac: $0) }
    }

    var testDescription: String { "\(cipher.name) \(mac?.name ?? "")" }

    var state: PacketCipherState {
        let random = SeededRandom(seed: 5)
        return PacketCipherState(
            cipher: cipher,
            mac: mac,
            key: SecretBytes(random.bytes(cipher.keyBytes)),
            iv: random.bytes(cipher.ivBytes),
            macKey: SecretBytes(random.bytes(mac?.keyBytes ?? 0))
        )
    }

    /// What a bad code is called.
    var badCode: String {
        cipher.isAEAD
            ? "ssh_dispatch_run_fatal: message authentication code incorrect"
            : "Corrupted MAC on input."
    }

    var hidesLength: Bool { cipher.isCBC && mac?.isEncryptThenMAC == false }
}

@Suite("Packets, RFC 4253 §6")
struct PacketReaderTests {
    private let payload = [UInt8(94)] + (0..<99).map { UInt8($0) }

    private func packets(_ protection: Protection, _ count: Int = 1) throws -> [UInt8] {
        var writer = PacketWriter(random: SeededRandom(seed: 6))
        writer.setKey(
            try PacketProtection.sealer(from: protection.state),
            resetsSequenceNumber: true
        )
        for _ in 0..<count {
            writer.begin(.channelData)
            writer.write(Array(payload.dropFirst()).rawBytes)
            writer.end()
        }
        return [UInt8](copying: writer.output.bytes)
    }

    private func reader(_ protection: Protection) throws -> PacketReader {
        var reader = PacketReader()
        reader.setKey(
            try PacketProtection.opener(from: protection.state),
            resetsSequenceNumber: true
        )
        return reader
    }

    @Test("Packets come out as they went in, cut anywhere", arguments: Protection.all)
    func roundTrip(protection: Protection) throws {
        let sealed = try packets(protection, 3)
        for chunk in [1, 7, 4096] {
            var reader = try reader(protection)
            var rest = sealed[...]
            var count = 0
            while !rest.isEmpty {
                reader.input.append(Array(rest.prefix(chunk)))
                rest = rest.dropFirst(chunk)
                while try reader.next() {
                    count += 1
                    let isSame = reader.payload.elementsEqual(payload.rawBytes)
                    #expect(isSame)
                }
            }
            #expect(count == 3)
        }
    }

    /// The longest packet, sent at once, ends every wait.
    private func read(_ bytes: [UInt8], _ protection: Protection) throws -> ProtocolError? {
        var reader = try reader(protection)
        reader.input.append(bytes)
        reader.input.append([UInt8](repeating: 0x55, count: Limits.packetBytes + 64))
        do throws(ProtocolError) {
            while try reader.next() {
                guard reader.payload.elementsEqual(payload.rawBytes) else {
                    Issue.record("a changed packet was taken")
                    return nil
                }
            }
        } catch { return error }
        return nil
    }

    @Test("No changed byte of a packet goes unnoticed", arguments: Protection.all)
    func changedByte(protection: Protection) throws {
        let sealed = try packets(protection)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 0x10
            let error = try #require(try read(changed, protection), "byte \(index)")
            let isKnown =
                error.text == protection.badCode
                || error.text.hasPrefix("Bad packet length ")
                || error.text.hasPrefix("padding error: need ")
            #expect(isKnown, "\(error.text)")
            // Beyond the length and the first block, it is the code that tells.
            if index >= 16 { #expect(error.text == protection.badCode) }
        }
    }

    @Test(
        "Where CBC hides the length, nothing is said before the longest packet has come",
        arguments: Protection.all.filter(\.cipher.isCBC)
    )
    func discarding(protection: Protection) throws {
        let sealed = try packets(protection)
        for index in [0, sealed.count - 1] {
            var changed = sealed
            changed[index] ^= 0x80
            var reader = try reader(protection)
            reader.input.append(changed)
            var given = changed.count
            let result = Result { try reader.next() }
            guard protection.hidesLength else {
                // The length can be read by anyone, or the code comes first.
                #expect(throws: ProtocolError.self) { try result.get() }
                continue
            }
            #expect(try result.get() == false)
            #expect(throws: ProtocolError.self) {
                while true {
                    reader.input.append([UInt8](repeating: 0, count: 1000))
                    given += 1000
                    _ = try reader.next()
                }
            }
            #expect(given >= Limits.packetBytes && given < Limits.packetBytes + 1000)
        }
    }

    @Test("A packet in another's place is refused", arguments: Protection.all)
    func replay(protection: Protection) throws {
        let sealed = try packets(protection)
        let error = try read(sealed + sealed, protection)
        #expect(error != nil)
    }

    /// A plain packet of these parts.
    private func plain(_ length: UInt32, padding: UInt8, total: Int) -> [UInt8] {
        var bytes = WireWriter()
        bytes.write(uint32: length)
        bytes.write(byte: padding)
        bytes.write(fixed: [UInt8](repeating: 0, count: total - 5))
        return bytes.bytes
    }

    @Test(
        "A malformed packet is named as OpenSSH names it",
        arguments: [
            (0, 4, "Bad packet length 0."),
            (4, 4, "Bad packet length 4."),
            (262_145, 4, "Bad packet length 262145."),
            (0x5353_482d, 0x32, "Bad packet length 1397966893."),
            (0xffff_ffff, 4, "Bad packet length 4294967295."),
            (13, 4, "padding error: need 13 block 8 mod 1"),
            (12, 3, "Corrupted padlen 3 on input."),
            (12, 11, "Corrupted padlen 11 on input."),
            (12, 255, "Corrupted padlen 255 on input."),
        ] as [(UInt32, UInt8, String)]
    )
    func malformed(length: UInt32, padding: UInt8, text: String) throws {
        var reader = PacketReader()
        reader.input.append(plain(length, padding: padding, total: 32))
        let error = try #require(throws: ProtocolError.self) { _ = try reader.next() }
        #expect(error.text == text)
        #expect(error.kind == .badPacket)
    }

    @Test("The longest packet that is allowed is taken")
    func longest() throws {
        var reader = PacketReader()
        let length = Limits.packetBytes - 4
        reader.input.append(plain(UInt32(length), padding: 4, total: length + 4))
        #expect(try reader.next() == true)
        #expect(reader.payload.byteCount == length - 5)
    }

    @Test("A sealed packet tells nothing of its payload but the blocks it takes")
    func lengths() throws {
        for protection in Protection.all where !protection.hidesLength {
            var writer = PacketWriter(random: SeededRandom(seed: 6))
            let sealer = try PacketProtection.sealer(from: protection.state)
            writer.setKey(sealer, resetsSequenceNumber: true)
            for count in 0..<40 {
                writer.output.removeAll()
                writer.begin(.ignore)
                writer.write([UInt8](repeating: 0, count: count).rawBytes)
                writer.end()
                let counted =
                    writer.output.count - sealer.tagBytes - (sealer.lengthIsPadded ? 0 : 4)
                #expect(counted % max(8, sealer.blockBytes) == 0)
                #expect(writer.output.count - sealer.tagBytes >= 16)
            }
        }
    }

    @Test("Numbers go around after 2^32 packets without a trap")
    func wrapping() throws {
        let protection = Protection(cipher: .aes128CTR, mac: .hmacSHA256)
        var state = WireWriter()
        protection.state.write(to: &state)
        state.write(uint32: .max)
        state.write(uint64: 7)
        state.write(uint64: 7)
        state.write(string: [])
        var ours = WireReader(state.bytes.rawBytes)
        var writer = try PacketWriter(from: &ours, random: SeededRandom(seed: 1))
        var theirs = WireReader(state.bytes.rawBytes)
        var reader = try PacketReader(from: &theirs)
        for _ in 0..<3 {
            writer.begin(.ignore)
            writer.end()
        }
        reader.input.append(writer.output.bytes)
        for _ in 0..<3 { #expect(try reader.next() == true) }
    }
}
