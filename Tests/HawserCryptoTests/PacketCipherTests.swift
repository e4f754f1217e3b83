// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserCrypto

/// Every cipher with every MAC it can go with.
struct Protection: CustomTestStringConvertible, Sendable {
    let cipher: CipherAlgorithm
    let mac: MACAlgorithm?

    static let all: [Protection] = CipherAlgorithm.allCases.flatMap { cipher in
        cipher.isAEAD
            ? [Protection(cipher: cipher, mac: nil)]
            : MACAlgorithm.allCases.map { Protection(cipher: cipher, mac: $0) }
    }

    var testDescription: String { "\(cipher.name) \(mac?.name ?? "")" }

    var state: PacketCipherState {
        let random = SeededRandom(seed: 99)
        return PacketCipherState(
            cipher: cipher,
            mac: mac,
            key: SecretBytes(random.bytes(cipher.keyBytes)),
            iv: random.bytes(cipher.ivBytes),
            macKey: SecretBytes(random.bytes(mac?.keyBytes ?? 0))
        )
    }
}

/// A packet with `payloadBytes` of payload, padded for `sealer`, with room for the tag.
private func packet(_ payloadBytes: Int, for sealer: any PacketSealer) -> [UInt8] {
    let counted = (sealer.lengthIsPadded ? 4 : 0) + 1 + payloadBytes
    let block = max(8, sealer.blockBytes)
    var padding = block - counted % block
    if padding < 4 { padding += block }
    let length = UInt32(1 + payloadBytes + padding)
    var writer = WireWriter()
    writer.write(uint32: length)
    writer.write(byte: UInt8(padding))
    writer.write(fixed: (0..<payloadBytes).map { UInt8(truncatingIfNeeded: $0) })
    writer.write(fixed: [UInt8](repeating: 0xaa, count: padding + sealer.tagBytes))
    return writer.bytes
}

private func open(
    _ sealed: inout [UInt8],
    _ opener: any PacketOpener,
    _ sequenceNumber: UInt32
) throws -> UInt32 {
    var span = sealed.mutableRawBytes
    let length = opener.openLength(&span, sequenceNumber: sequenceNumber)
    try opener.open(&span, sequenceNumber: sequenceNumber)
    return length
}

@Suite("Packets, sealed and opened")
struct PacketCipherTests {
    @Test("What is sealed opens to what it was, for every size", arguments: Protection.all)
    func roundTrip(protection: Protection) throws {
        let sealer = try PacketProtection.sealer(from: protection.state)
        let opener = try PacketProtection.opener(from: protection.state)
        for size in 0...300 {
            let plain = packet(size, for: sealer)
            var sealed = plain
            var span = sealed.mutableRawBytes
            sealer.seal(&span, sequenceNumber: UInt32(size))
            #expect(sealed != plain)
            let length = try open(&sealed, opener, UInt32(size))
            #expect(Int(length) == plain.count - 4 - sealer.tagBytes)
            let text = plain.count - sealer.tagBytes
            #expect(sealed[0..<text] == plain[0..<text])
        }
    }

    // Whole packets as OpenSSL's ciphers make them by the specifications, over the wrap of the
    // sequence number, of AES-GCM's invocation counter and of the counter of -ctr.
    @Test("Packets are sealed as the specifications say", arguments: PacketVectors.digests.indices)
    func vectors(row: Int) throws {
        let (cipherName, macName, digest) = PacketVectors.digests[row]
        let cipher = try #require(CipherAlgorithm(rawValue: cipherName))
        let mac = try macName.map { try #require(MACAlgorithm(rawValue: $0)) }
        func pattern(_ count: Int, _ start: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: start + 7 * $0) }
        }
        let ones = [UInt8](repeating: 0xff, count: max(cipher.ivBytes - 1, 0)) + [0xfd]
        let iv: [UInt8]
        switch cipher {
        case .chaCha20Poly1305: iv = []
        case .aes128GCM, .aes256GCM: iv = pattern(4, 2) + ones[4...]
        default: iv = cipher.isCBC ? pattern(cipher.ivBytes, 2) : ones
        }
        let state = PacketCipherState(
            cipher: cipher,
            mac: mac,
            key: SecretBytes(pattern(cipher.keyBytes, 1)),
            iv: iv,
            macKey: SecretBytes(pattern(mac?.keyBytes ?? 0, 3))
        )
        let sealer = try PacketProtection.sealer(from: state)
        let opener = try PacketProtection.opener(from: state)
        var hasher = Hasher(.sha256)
        var number = PacketVectors.firstSequenceNumber
        for size in PacketVectors.payloadBytes {
            let block = sealer.blockBytes
            let counted = (sealer.lengthIsPadded ? 4 : 0) + 1 + size
            let padding = block - counted % block + (block - counted % block < 4 ? block : 0)
            var writer = WireWriter()
            writer.write(uint32: UInt32(1 + size + padding))
            writer.write(byte: UInt8(padding))
            writer.write(fixed: pattern(size, size) + pattern(padding, 3))
            let plain = writer.bytes
            var sealed = plain + [UInt8](repeating: 0, count: sealer.tagBytes)
            var span = sealed.mutableRawBytes
            sealer.seal(&span, sequenceNumber: number)
            hasher.update(sealed)
            let length = try open(&sealed, opener, number)
            #expect(Int(length) == 1 + size + padding)
            #expect(sealed.prefix(plain.count) == plain[...])
            number &+= 1
        }
        let made = hasher.finalize()
        #expect(made == hex(digest))
    }

    @Test("Any flipped bit behind the length is refused", arguments: Protection.all)
    func tampering(protection: Protection) throws {
        let sealer = try PacketProtection.sealer(from: protection.state)
        var sealed = packet(40, for: sealer)
        var span = sealed.mutableRawBytes
        sealer.seal(&span, sequenceNumber: 7)
        for index in 4..<sealed.count {
            let opener = try PacketProtection.opener(from: protection.state)
            var changed = sealed
            changed[index] ^= 0x10
            #expect(throws: CryptoError.authenticationFailed) {
                _ = try open(&changed, opener, 7)
            }
        }
    }

    @Test("The sequence number is authenticated", arguments: Protection.all)
    func sequenceNumber(protection: Protection) throws {
        // AES-GCM counts by itself (RFC 5647 §7.1).
        guard protection.cipher != .aes128GCM, protection.cipher != .aes256GCM else { return }
        let sealer = try PacketProtection.sealer(from: protection.state)
        let opener = try PacketProtection.opener(from: protection.state)
        var sealed = packet(40, for: sealer)
        var span = sealed.mutableRawBytes
        sealer.seal(&span, sequenceNumber: 7)
        #expect(throws: CryptoError.authenticationFailed) {
            _ = try open(&sealed, opener, 8)
        }
    }

    @Test("A packet of a size that no sealer makes is refused", arguments: Protection.all)
    func badSizes(protection: Protection) throws {
        for size in 0..<64 {
            let opener = try PacketProtection.opener(from: protection.state)
            var bytes = [UInt8](repeating: 3, count: size)
            #expect(throws: CryptoError.self) {
                var span = bytes.mutableRawBytes
                try opener.open(&span, sequenceNumber: 0)
            }
        }
    }

    @Test("The state between two packets goes on elsewhere", arguments: Protection.all)
    func handOver(protection: Protection) throws {
        var sealer = try PacketProtection.sealer(from: protection.state)
        var opener = try PacketProtection.opener(from: protection.state)
        for number: UInt32 in 0..<4 {
            let plain = packet(33, for: sealer)
            var sealed = plain
            var span = sealed.mutableRawBytes
            sealer.seal(&span, sequenceNumber: number)
            _ = try open(&sealed, opener, number)
            #expect(sealed[4..<38] == plain[4..<38])

            var writer = WireWriter()
            sealer.state.write(to: &writer)
            opener.state.write(to: &writer)
            var reader = WireReader(writer.bytes.rawBytes)
            sealer = try PacketProtection.sealer(from: PacketCipherState(from: &reader))
            opener = try PacketProtection.opener(from: PacketCipherState(from: &reader))
        }
    }

    @Test("A key of the wrong length is refused", arguments: CipherAlgorithm.allCases)
    func keyLength(cipher: CipherAlgorithm) {
        #expect(throws: CryptoError.self) {
            _ = try PacketProtection.sealer(
                cipher: cipher,
                mac: .hmacSHA256,
                key: SecretBytes([1]),
                iv: [],
                macKey: SecretBytes([])
            )
        }
    }

    // NIST, "The Galois/Counter Mode of Operation", test case 4 (with the RFC's nonce layout the
    // additional data has four bytes, so the text alone is compared).
    @Test("AES-128-GCM encrypts as its specification's test case 4 does")
    func gcmVector() throws {
        let key = hex("feffe9928665731c6d6a8f9467308308")
        let iv = hex("cafebabefacedbaddecaf888")
        let text = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )
        let sealer = try PacketProtection.sealer(
            cipher: .aes128GCM,
            mac: nil,
            key: SecretBytes(key),
            iv: iv,
            macKey: SecretBytes([])
        )
        var packet = [0, 0, 0, 60] + text + [UInt8](repeating: 0, count: 16)
        var span = packet.mutableRawBytes
        sealer.seal(&span, sequenceNumber: 0)
        #expect(
            Array(packet[4..<64])
                == hex(
                    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                        + "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                )
        )
    }

    // NIST SP 800-38A, F.5.1: CTR-AES128.Encrypt.
    @Test("AES-128-CTR encrypts as SP 800-38A does")
    func counterVector() throws {
        let mode = try BlockMode(
            .aes128CTR,
            key: SecretBytes(hex("2b7e151628aed2a6abf7158809cf4f3c")),
            iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
            encrypts: true
        )
        #expect(
            mode.applied(
                to: hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
            )
                == hex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff")
        )
    }

    // NIST SP 800-38A, F.2.1: CBC-AES128.Encrypt.
    @Test("AES-128-CBC encrypts as SP 800-38A does")
    func cbcVector() throws {
        let mode = try BlockMode(
            .aes128CBC,
            key: SecretBytes(hex("2b7e151628aed2a6abf7158809cf4f3c")),
            iv: hex("000102030405060708090a0b0c0d0e0f"),
            encrypts: true
        )
        #expect(
            mode.applied(
                to: hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
            )
                == hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")
        )
    }
}
