// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserSFTP

@Suite("SHA-256, FIPS 180-4")
struct SHA256Tests {
    /// NIST, "Examples with Intermediate Values", SHA-256; the empty message: NIST CAVP.
    @Test(
        "Known messages",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
    )
    func known(message: String, digest: String) {
        var hash = SHA256()
        hash.update(Array(message.utf8).rawBytes)
        let hex = hash.finish().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == digest)
    }

    @Test("The digest does not depend on how the message is cut", arguments: [1, 63, 64, 65, 200])
    func cut(pieceBytes: Int) {
        let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var whole = SHA256()
        whole.update(message.rawBytes)
        var pieces = SHA256()
        for start in stride(from: 0, to: message.count, by: pieceBytes) {
            let end = min(start + pieceBytes, message.count)
            pieces.update(message.rawBytes.extracting(start..<end))
        }
        #expect(pieces.finish() == whole.finish())
    }
}
