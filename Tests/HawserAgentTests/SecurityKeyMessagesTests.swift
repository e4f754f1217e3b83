// SPDX-License-Identifier: Apache-2.0

import HawserKeys
import HawserWire
import Testing

@testable import HawserAgent

/// The bytes are those that OpenSSH 9.2's ssh-keygen and its ssh-sk-helper exchanged, but for the
/// library's path.
@Suite("Messages of ssh-sk-helper, version 5")
struct SecurityKeyMessagesTests {
    private static let provider = "/t/token.so"

    /// `ssh-keygen -t ed25519-sk -O user=zoe -O device=token -O challenge=FILE`.
    private static var enrolment: [UInt8] {
        var bytes: [UInt8] = [5, 0, 0, 0, 2, 1, 0, 0, 0, 3, 0, 0, 0, 12]
        for text in [provider, "token", "ssh:", "zoe"] {
            bytes += [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8)
        }
        return bytes + [1, 0, 0, 0, 0, 0, 0, 0, 5] + Array("1234\n".utf8)
    }

    @Test("An enrolment is read and written as OpenSSH writes it")
    func enrolment() throws {
        let envelope = try SecurityKeyRequest.Envelope(Self.enrolment.rawBytes)
        #expect(envelope.setting.provider == Self.provider)
        #expect(envelope.setting.device == "token")
        #expect(envelope.setting.logLevel == 3)
        #expect(envelope.setting.pin == nil)
        guard case .enroll(let wanted) = envelope.request else {
            Issue.record("not an enrolment")
            return
        }
        #expect(wanted.algorithm == .ed25519)
        #expect(wanted.application == "ssh:")
        #expect(wanted.user == "zoe")
        #expect(wanted.flags == 1)
        #expect(wanted.challenge == Array("1234\n".utf8))
        #expect(Array(envelope.request.frame(envelope.setting).dropFirst(4)) == Self.enrolment)
    }

    @Test("The question for resident keys has a PIN and flags")
    func residentKeys() throws {
        let expected: [UInt8] =
            [5, 0, 0, 0, 3, 1, 0, 0, 0, 3, 0, 0, 0, 11] + Array(Self.provider.utf8)
            + [0, 0, 0, 0, 0, 0, 0, 4] + Array("1234".utf8) + [0, 0, 0, 0]
        let setting = SecurityKeyRequest.Setting(
            provider: Self.provider,
            pin: SecretBytes(Array("1234".utf8)),
            logLevel: 3
        )
        #expect(Array(SecurityKeyRequest.loadResident.frame(setting).dropFirst(4)) == expected)
        #expect(try SecurityKeyRequest.Envelope(expected.rawBytes).setting.pin == setting.pin)
    }

    @Test(
        "A refusal is a number",
        arguments: [
            (SecurityKeyReply.Failure.invalidFormat, UInt8(4)), (.pinRequired, 43),
            (.credentialExists, 44), (.unsupported, 59), (.deviceNotFound, 60),
        ]
    )
    func refusals(failure: SecurityKeyReply.Failure, number: UInt8) throws {
        let bytes: [UInt8] = [0, 0, 0, 9, 5, 0, 0, 0, 0, 0, 0, 0, number]
        #expect(SecurityKeyReply.failure(failure).frame == bytes)
        guard case .failure(let read) = try SecurityKeyReply(Array(bytes.dropFirst(4)).rawBytes)
        else {
            Issue.record("not a failure")
            return
        }
        #expect(read == failure)
    }

    @Test("Another version, a missing byte and one too many are refused")
    func malformed() {
        var other = Self.enrolment
        other[0] = 4
        #expect(throws: AgentError.self) { try SecurityKeyRequest.Envelope(other.rawBytes) }
        for length in 0..<Self.enrolment.count {
            let bytes = Array(Self.enrolment.prefix(length))
            #expect(throws: AgentError.self) { try SecurityKeyRequest.Envelope(bytes.rawBytes) }
        }
        let longer = Self.enrolment + [0]
        #expect(throws: AgentError.self) { try SecurityKeyRequest.Envelope(longer.rawBytes) }
    }
}
