// SPDX-License-Identifier: Apache-2.0

import HawserCrypto
import HawserWire
import Testing

@testable import HawserKeys

/// PROTOCOL.u2f, with a token made of a private key.
struct SecurityKeyTests {
    static let application = Array("ssh:".utf8)
    static let message = Array("message".utf8)

    let scalar: SecretBytes
    let key: PublicKey

    init() throws {
        let (scalar, point) = try NISTCurve.p256.generate()
        self.scalar = scalar
        key = try PublicKey(.securityKeyECDSA(point: point, application: Self.application))
    }

    /// What a token signs.
    func signed(
        _ hash: [UInt8],
        flags: UInt8,
        counter: UInt32,
        extensions: [UInt8] = []
    ) throws -> [UInt8] {
        var writer = WireWriter()
        writer.write(fixed: HashAlgorithm.sha256.hash(Self.application))
        writer.write(byte: flags)
        writer.write(uint32: counter)
        writer.write(fixed: extensions)
        writer.write(fixed: hash)
        let (r, s) = try NISTCurve.p256.sign(writer.bytes.rawBytes, scalar: scalar)
        var value = WireWriter()
        value.write(multiplePrecision: r)
        value.write(multiplePrecision: s)
        return value.take()
    }

    func blob(_ name: String, _ value: [UInt8], flags: UInt8, counter: UInt32) -> WireWriter {
        var writer = WireWriter()
        writer.write(text: name)
        writer.write(string: value)
        writer.write(byte: flags)
        writer.write(uint32: counter)
        return writer
    }

    func browser(
        _ text: String,
        origin: String = "https://example.com",
        flags: UInt8 = 5,
        extensions: [UInt8] = []
    ) throws -> [UInt8] {
        let hash = HashAlgorithm.sha256.hash(Array(text.utf8))
        let value = try signed(hash, flags: flags, counter: 9, extensions: extensions)
        let name = SignatureAlgorithm.webauthnSecurityKeyECDSA.name
        var writer = blob(name, value, flags: flags, counter: 9)
        writer.write(text: origin)
        writer.write(text: text)
        writer.write(string: extensions)
        return writer.take()
    }

    func isGood(_ blob: [UInt8], _ message: [UInt8] = Self.message) -> Bool {
        do {
            try key.verify(signature: blob, over: message.rawBytes)
            return true
        } catch {
            return false
        }
    }

    @Test("Flags and counter are signed and told")
    func details() throws {
        let hash = HashAlgorithm.sha256.hash(Self.message)
        let value = try signed(hash, flags: 5, counter: 77)
        let name = SignatureAlgorithm.securityKeyECDSA.name
        let good = blob(name, value, flags: 5, counter: 77).bytes
        let details = try key.verify(signature: good, over: Self.message.rawBytes)
        #expect(details == SecurityKeyDetails(flags: 5, counter: 77))
        #expect(details?.isUserPresent == true && details?.isUserVerified == true)
        #expect(!isGood(blob(name, value, flags: 1, counter: 77).bytes))
        #expect(!isGood(blob(name, value, flags: 5, counter: 78).bytes))
        #expect(!isGood(good, [1]))
        #expect(!isGood(good + [0]) && !isGood(Array(good.dropLast())))
    }

    @Test("A token that nobody touched is believed only when that is allowed")
    func presence() throws {
        let value = try signed(HashAlgorithm.sha256.hash(Self.message), flags: 0, counter: 1)
        let name = SignatureAlgorithm.securityKeyECDSA.name
        let blob = blob(name, value, flags: 0, counter: 1).bytes
        #expect(!isGood(blob))
        try key.verify(
            signature: blob,
            over: Self.message.rawBytes,
            requiringUserPresence: false
        )
    }

    /// `bWVzc2FnZQ` is the message in Base64.
    @Test("A browser's signature is good for the message and the origin in its text")
    func webAuthn() throws {
        let begin = "{\"type\":\"webauthn.get\",\"challenge\":\"bWVzc2FnZQ\",\"origin\":\""
        let origin = "https://example.com"
        #expect(isGood(try browser(begin + origin + "\"}")))
        #expect(isGood(try browser(begin + origin + "\",\"crossOrigin\":false}")))
        #expect(isGood(try browser(begin + origin + "\"}", flags: 0x85, extensions: [0xa0])))
        #expect(!isGood(try browser(begin + origin + "\"}"), Array("other".utf8)))
        for text in [
            begin + "https://example.org\"}", begin + origin + ".evil\"}", begin + origin + "\"",
            begin + origin + "\"x}", " " + begin + origin + "\"}", "",
            "{\"type\":\"webauthn.create\",\"challenge\":\"bWVzc2FnZQ\",\"origin\":\"\(origin)\"}",
        ] {
            #expect(!isGood(try browser(text)), "\(text)")
        }
        let forged = "a\",\"x\":\"b"
        #expect(!isGood(try browser(begin + forged + "\"}", origin: forged)))
    }

    @Test("A browser's signature is not one of a token alone, and the reverse")
    func confusion() throws {
        let value = try signed(HashAlgorithm.sha256.hash(Self.message), flags: 1, counter: 1)
        let webAuthn = SignatureAlgorithm.webauthnSecurityKeyECDSA.name
        #expect(!isGood(blob(webAuthn, value, flags: 1, counter: 1).bytes))
        var empty = blob(webAuthn, value, flags: 1, counter: 1)
        for _ in 0..<3 { empty.write(text: "") }
        #expect(!isGood(empty.bytes))
    }
}
