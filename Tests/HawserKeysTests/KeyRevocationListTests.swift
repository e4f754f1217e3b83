// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserKeys

/// PROTOCOL.krl; the forms of serial numbers were taken from lists that OpenSSH 9.2 made.
struct KeyRevocationListTests {
    let authority: PrivateKey
    let other: PrivateKey
    let holder: PrivateKey

    init() throws {
        authority = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: 1))
        other = try PrivateKey.generate(.ed25519, random: SeededRandom(seed: 2))
        holder = try PrivateKey.generate(.ecdsa(.p256), random: SeededRandom(seed: 3))
    }

    func certificate(
        serial: UInt64,
        id: String = "id",
        by signer: PrivateKey? = nil
    ) throws -> PublicKey {
        var request = CertificateRequest(.user, holder.publicKey, keyID: id)
        request.serial = serial
        return try request.signed(by: signer ?? authority, random: SeededRandom(seed: 4))
    }

    func list(_ items: RevokedItem...) throws -> KeyRevocationList {
        var builder = KeyRevocationListBuilder()
        for item in items { builder.add(item) }
        return try KeyRevocationList(contents: builder.serialized(at: 1))
    }

    @Test("Serial numbers are revoked for one authority, or for all")
    func serials() throws {
        let one = try list(.serials(5...9, authority.publicKey))
        let all = try list(.serials(5...9, nil))
        for serial: UInt64 in [4, 5, 9, 10] {
            let expected = (5...9).contains(serial)
            #expect(one.isRevoked(try certificate(serial: serial)) == expected)
            #expect(!one.isRevoked(try certificate(serial: serial, by: other)))
            #expect(all.isRevoked(try certificate(serial: serial, by: other)) == expected)
        }
        #expect(!one.isRevoked(holder.publicKey))
    }

    @Test("Serial number zero means none, and is never revoked")
    func zero() throws {
        let all = try list(.serials(0...UInt64.max, nil))
        #expect(!all.isRevoked(try certificate(serial: 0)))
        #expect(all.isRevoked(try certificate(serial: 1)))
        #expect(all.isRevoked(try certificate(serial: .max)))
    }

    @Test("Key IDs, keys, digests and authorities")
    func others() throws {
        let certificate = try certificate(serial: 7, id: "alice")
        let key = holder.publicKey
        #expect(try list(.keyID(Array("alice".utf8), nil)).isRevoked(certificate))
        #expect(try !list(.keyID(Array("alic".utf8), nil)).isRevoked(certificate))
        for item: RevokedItem in [
            .key(blob: key.blob),
            .digest(.sha1, Fingerprint(of: key, .sha1).digest),
            .digest(.sha256, Fingerprint(of: key, .sha256).digest),
        ] {
            let list = try list(item)
            #expect(list.isRevoked(key) && list.isRevoked(certificate))
            #expect(!list.isRevoked(authority.publicKey))
        }
        let ofAuthority = try list(.key(blob: authority.publicKey.blob))
        #expect(ofAuthority.isRevoked(certificate) && !ofAuthority.isRevoked(key))
    }

    /// L: numbers in a list; R: a range; B: a bitmap.
    @Test(
        "Serial numbers take the forms that OpenSSH gives them",
        arguments: [
            ("1", "L1"), ("1-2", "B"), ("1 72", "B"), ("1 73", "L2"), ("1-64", "B"), ("1-65", "R"),
            ("1-2 73", "B"), ("1-2 74", "B L1"), ("1-60 100", "B"), ("1-100 200", "R L1"),
            ("5 1000-1010 1020", "L1 B"), ("5 1000 2000-2001 2003 2100", "L2 B L1"),
            ("1-4 10 15 30 50 90 500-799 999 10000-20000 30000-40000", "B R L1 R R"),
            ("2-3 147-204", "B R"), ("2 88-150", "L1 R"), ("4-5 92 157-159 229 337", "B L1 B L1"),
            ("2-80 144 210-216 284-285", "R L1 B"), ("5-6 78-79 146", "B"),
            ("4-33 62-100 153-154 262-263", "B B"), ("18446744073709551615", "L1"),
            ("1-18446744073709551615", "R"),
        ]
    )
    func forms(serials: String, expected: String) throws {
        var builder = KeyRevocationListBuilder()
        for part in serials.split(separator: " ") {
            let ends = part.split(separator: "-").compactMap { UInt64($0) }
            builder.add(.serials(ends[0]...(ends.last ?? 0), nil))
        }
        var writer = WireWriter()
        builder.finish()
        SerialSections.write(builder.certificates[0].serials, to: &writer)
        var reader = WireReader(writer.bytes.rawBytes)
        var forms: [String] = []
        while !reader.isAtEnd {
            let type = try reader.readByte()
            let data = try reader.readString()
            switch KeyRevocationList.CertificatePart(rawValue: type) {
            case .serialList: forms.append("L\(data.byteCount / 8)")
            case .serialRange: forms.append("R")
            case .serialBitmap: forms.append("B")
            default: forms.append("?")
            }
        }
        #expect(forms.joined(separator: " ") == expected)
    }

    @Test("What is written is what is read, whatever the numbers", arguments: 0..<20)
    func roundTrip(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        var revoked: Set<UInt64> = []
        var builder = KeyRevocationListBuilder()
        var start: UInt64 = 0
        for _ in 0..<200 {
            start += 1 + UInt64(random.uniform(below: seed % 2 == 0 ? 10 : 200))
            let end = start + UInt64(random.uniform(below: seed % 3 == 0 ? 2 : 80))
            builder.add(.serials(start...end, authority.publicKey))
            for serial in start...end { revoked.insert(serial) }
            start = end
        }
        let list = try KeyRevocationList(contents: builder.serialized(at: 0))
        let signer = authority.publicKey
        var again = try KeyRevocationListBuilder(list)
        again.version = builder.version
        #expect(again.serialized(at: 0) == builder.serialized(at: 0))
        let ranges = try #require(again.certificates.first { $0.authority == signer }).serials
        var read: Set<UInt64> = []
        for range in ranges { read.formUnion(range) }
        #expect(read == revoked)
        let probe = try certificate(serial: 40)
        #expect(list.isRevoked(probe) == revoked.contains(40))
    }

    /// Of every kind of section.
    func sample() throws -> [UInt8] {
        var builder = KeyRevocationListBuilder()
        builder.comment = Array("comment".utf8)
        let signer = authority.publicKey
        for item: RevokedItem in [
            .serials(1...3, signer), .serials(100...100, signer), .serials(500...900, signer),
            .keyID(Array("x".utf8), signer), .serials(7...7, nil), .key(blob: signer.blob),
            .digest(.sha1, Fingerprint(of: signer, .sha1).digest),
            .digest(.sha256, Fingerprint(of: signer, .sha256).digest),
        ] {
            builder.add(item)
        }
        return builder.serialized(at: 1)
    }

    @Test("A list that ends too early, or too late, is refused")
    func truncation() throws {
        let whole = try sample()
        _ = try KeyRevocationList(contents: whole)
        // Cut between sections it is a shorter list, and nothing in it can tell.
        var boundaries = 0
        for count in 0..<whole.count {
            guard let list = try? KeyRevocationList(contents: Array(whole[..<count])) else {
                continue
            }
            boundaries += 1
            _ = try KeyRevocationListBuilder(list)
        }
        #expect(boundaries == 5)
        #expect(throws: KeyError.self) { try KeyRevocationList(contents: whole + [0]) }
    }

    @Test("No flipped bit crashes a look-up")
    func flips() throws {
        let whole = try sample()
        let probe = try certificate(serial: 2)
        for index in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[index] ^= 1 << UInt8(bit)
                guard let list = try? KeyRevocationList(contents: damaged) else { continue }
                _ = list.isRevoked(probe)
                _ = list.isRevoked(holder.publicKey)
            }
        }
    }

    @Test("Unknown sections and critical extensions are refused, other extensions passed over")
    func extensions() throws {
        let header = try KeyRevocationListBuilder.empty()
        func section(_ type: UInt8, critical: Bool) -> [UInt8] {
            var writer = WireWriter()
            writer.write(byte: type)
            writer.writeString { content in
                content.write(text: "name@example.com")
                content.write(boolean: critical)
                content.write(text: "contents")
            }
            return writer.take()
        }
        _ = try KeyRevocationList(contents: header + section(255, critical: false))
        for (type, critical) in [(UInt8(255), true), (4, false), (6, false), (0, false)] {
            #expect(throws: KeyError.self) {
                try KeyRevocationList(contents: header + section(type, critical: critical))
            }
        }
    }

    @Test("A file of public keys revokes them, their certificates and what they certify")
    func plainFile() throws {
        let text = "# keys\n\n  \n \t\(authority.publicKey.text) comment\n"
        let revoked = try RevokedKeys(contents: Array(text.utf8))
        #expect(try revoked.isRevoked(authority.publicKey))
        #expect(try revoked.isRevoked(try certificate(serial: 1)))
        #expect(try !revoked.isRevoked(try certificate(serial: 1, by: other)))
        #expect(try !revoked.isRevoked(holder.publicKey))
    }

    @Test(
        "A line that is no key makes the file revoke every key",
        arguments: ["junk", "ssh-rsa", "ssh-ed25519 AAAA", "command=\"x\" KEY", "\r", "host KEY"]
    )
    func damagedFile(line: String) throws {
        let damage = line.replacingKey(with: other.publicKey.text)
        let before = try RevokedKeys(
            contents: Array("\(authority.publicKey.text)\n\(damage)\n".utf8)
        )
        #expect(try before.isRevoked(authority.publicKey))
        #expect(throws: KeyError.self) { try before.isRevoked(holder.publicKey) }
        let behind = try RevokedKeys(
            contents: Array("\(damage)\n\(authority.publicKey.text)\n".utf8)
        )
        #expect(throws: KeyError.self) { try behind.isRevoked(authority.publicKey) }
        #expect(throws: KeyError.self) { try RevokedKeys(contents: KeyRevocationList.magic) }
    }
}

extension String {
    /// The text with a key in the place of the word `KEY`.
    fileprivate func replacingKey(with key: String) -> String {
        hasSuffix("KEY") ? dropLast(3) + key : self
    }
}

extension KeyRevocationListBuilder {
    fileprivate static func empty() throws -> [UInt8] {
        var builder = KeyRevocationListBuilder()
        return builder.serialized(at: 0)
    }
}
