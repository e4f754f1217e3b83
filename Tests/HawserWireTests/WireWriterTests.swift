// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Writing RFC 4251 §5 data types")
struct WireWriterTests {
    @Test("The RFC's examples of string and name-list")
    func strings() {
        var writer = WireWriter()
        writer.write(text: "testing")
        writer.write(nameList: [])
        writer.write(nameList: ["zlib", "none"])
        #expect(
            writer.bytes == [0, 0, 0, 7] + Array("testing".utf8) + [0, 0, 0, 0]
                + [0, 0, 0, 9] + Array("zlib,none".utf8)
        )
    }

    @Test("A nested string gets its length when its content is known")
    func nested() {
        var writer = WireWriter()
        writer.writeString { inner in
            inner.write(byte: 1)
            inner.write(uint32: 2)
        }
        #expect(writer.bytes == [0, 0, 0, 5, 1, 0, 0, 0, 2])
    }

    @Test("Leading zeros of a magnitude are not written")
    func leadingZeros() {
        var writer = WireWriter()
        writer.write(multiplePrecision: [0, 0, 0x80])
        writer.write(multiplePrecision: [0])
        #expect(writer.bytes == [0, 0, 0, 2, 0, 0x80, 0, 0, 0, 0])
    }

    @Test("Taking leaves an empty writer")
    func take() {
        var writer = WireWriter()
        writer.write(boolean: true)
        #expect(writer.take() == [1])
        #expect(writer.bytes.isEmpty)
    }
}
