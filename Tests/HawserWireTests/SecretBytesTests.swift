// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Secrets")
struct SecretBytesTests {
    @Test("A secret is not printed, neither by itself nor inside another value")
    func printing() {
        let secret = SecretBytes(Array("hunter2".utf8))
        #expect(!"\(secret)".contains("hunter"))
        #expect(!String(reflecting: secret).contains("104"))
        #expect(secret.count == 7)
    }

    @Test("Equal secrets are equal, and lengths count")
    func equality() {
        #expect(SecretBytes([1, 2]) == SecretBytes([1, 2]))
        #expect(SecretBytes([1, 2]) != SecretBytes([1, 3]))
        #expect(SecretBytes([1, 2]) != SecretBytes([1]))
        #expect(ConstantTime.equal([] as [UInt8], []))
    }

    @Test("Wiping overwrites every byte")
    func wiping() {
        var bytes: [UInt8] = [1, 2, 3]
        bytes.wipe()
        #expect(bytes == [0, 0, 0])
    }
}
