// SPDX-License-Identifier: Apache-2.0

import HawserLog
import HawserProtocol
import HawserWire
import Testing

@testable import HawserServer

@Suite("Messages between a connection's processes")
struct MonitorCodingTests {
    static let requests: [MonitorRequest] = [
        .log(.debug2, "line"),
        .sign(SigningRequest(keyBlob: [1, 2], algorithm: "ssh-ed25519", data: [3])),
        .group(minimum: 2048, preferred: 3072, maximum: 8192),
        .user(name: "anna", sessionIdentifier: [9, 8, 7]),
        .authenticate(.none),
        .authenticate(.password(SecretBytes([1, 2, 3]), new: nil)),
        .authenticate(.password(SecretBytes([1]), new: SecretBytes([2]))),
        .authenticate(
            .publicKey(
                PublicKeyAttempt(
                    algorithm: "ssh-ed25519",
                    keyBlob: [1],
                    signature: nil,
                    signedData: [],
                    boundHostKey: nil
                )
            )
        ),
        .authenticate(
            .publicKey(
                PublicKeyAttempt(
                    algorithm: "rsa-sha2-512",
                    keyBlob: [1],
                    signature: [2],
                    signedData: [3],
                    boundHostKey: [4]
                )
            )
        ),
        .authenticate(.keyboardInteractive(language: "", submethods: ["pam"])),
        .authenticate(.keyboardInteractiveResponses([SecretBytes([5]), SecretBytes([])])),
        .authenticate(
            .gssapi(.mechanisms([.kerberos5, GSSMechanism(identifier: [1, 2])]))
        ),
        .authenticate(.gssapi(.mechanisms([]))), .authenticate(.gssapi(.token([1, 2]))),
        .authenticate(.gssapi(.exchangeComplete)),
        .authenticate(.gssapi(.messageIntegrityCode([3]))),
        .authenticate(.other(name: "unknown")),
        .handOver([1, 2, 3, 4]),
        .openTerminal(session: 3, term: "xterm"),
        .releaseTerminal(session: 3),
        .ended,
    ]

    @Test("What is written is read back", arguments: requests)
    func roundTrip(request: MonitorRequest) throws {
        #expect(try MonitorRequest(decoding: request.encoding.rawBytes) == request)
    }

    static let answers: [MonitorAnswer] = [
        .signature([1, 2]), .group(prime: [7], generator: [2]), .terminal(path: "/dev/pts/2"),
        .noTerminal,
        .user(
            UserAnswer(
                methods: ["publickey"],
                banner: "hello\n",
                description: "authenticating user anna ",
                title: "anna"
            )
        ),
        .authentication(.accepted), .authentication(.partial(methods: ["password"])),
        .authentication(.refused(methods: [])), .authentication(.keyAcceptable),
        .authentication(.passwordExpired(prompt: "New: ")),
        .authentication(.disconnect(text: "Too many authentication failures")),
        .authentication(.notice("text")), .authentication(.gssapi(.mechanism(.kerberos5))),
        .authentication(.gssapi(.token([]))), .authentication(.gssapi(.token([1]))),
        .authentication(.gssapi(.errorToken([1, 2]))),
        .authentication(
            .gssapi(.error(GSSAPIErrorMessage(majorStatus: 1, minorStatus: 2, message: "m")))
        ),
        .authentication(
            .question(
                InformationRequest(
                    instruction: "token",
                    prompts: [InformationRequest.Prompt(text: "Code: ", echo: true)]
                )
            )
        ),
    ]

    @Test("What is answered is read back", arguments: answers)
    func answer(answer: MonitorAnswer) throws {
        #expect(try MonitorAnswer(decoding: answer.encoding.rawBytes) == answer)
    }

    @Test("A message that is cut anywhere is refused, and nothing traps", arguments: requests)
    func truncated(request: MonitorRequest) {
        let whole = request.encoding
        for count in 0..<whole.count {
            #expect(throws: WireError.self) {
                try MonitorRequest(decoding: Array(whole.prefix(count)).rawBytes)
            }
        }
        #expect(throws: WireError.self) { try MonitorRequest(decoding: (whole + [0]).rawBytes) }
    }

    @Test("Too much is refused: a log line, what is to be signed, a list")
    func limits() {
        var writer = WireWriter()
        writer.write(byte: MonitorRequest.Kind.sign.rawValue)
        writer.write(string: [])
        writer.write(text: "ssh-ed25519")
        writer.write(string: [UInt8](repeating: 0, count: MonitorLimits.signedBytes + 1))
        let message = writer.take()
        #expect(throws: WireError.tooLong) { try MonitorRequest(decoding: message.rawBytes) }
    }
}
