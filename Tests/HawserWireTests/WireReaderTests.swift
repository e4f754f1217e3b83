// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@Suite("Reading RFC 4251 §5 data types")
struct WireReaderTests {
    @Test("Numbers are big-endian and any non-zero byte is true")
    func numbers() throws {
        let bytes: [UInt8] = [7, 2, 0x01, 0x02, 0x03, 0x04, 0, 0, 0, 1, 0, 0, 0, 0]
        var reader = WireReader(bytes.rawBytes)
        #expect(try reader.readByte() == 7)
        #expect(try reader.readBoolean())
        #expect(try reader.readUInt32() == 0x0102_0304)
        #expect(try reader.readUInt64() == 1 << 32)
        try reader.expectEnd()
    }

    // RFC 4251 §5, "mpint".
    @Test(
        "The RFC's examples of mpint",
        arguments: [
            ([0, 0, 0, 0], []),
            (
                [0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
                [0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]
            ),
            ([0, 0, 0, 2, 0x00, 0x80], [0x80]),
        ] as [([UInt8], [UInt8])]
    )
    func multiplePrecision(encoded: [UInt8], magnitude: [UInt8]) throws {
        var reader = WireReader(encoded.rawBytes)
        #expect(try reader.readMultiplePrecision() == magnitude)
        var writer = WireWriter()
        writer.write(multiplePrecision: magnitude)
        #expect(writer.bytes == encoded)
    }

    @Test(
        "A negative or padded mpint is refused",
        arguments: [[0x80], [0x00], [0x00, 0x7f], [0xed, 0xcc]] as [[UInt8]]
    )
    func badMultiplePrecision(content: [UInt8]) {
        var writer = WireWriter()
        writer.write(string: content)
        let bytes = writer.bytes
        #expect(throws: WireError.badMultiplePrecision) {
            var reader = WireReader(bytes.rawBytes)
            _ = try reader.readMultiplePrecision()
        }
    }

    @Test("Every truncation of a message throws, and none traps")
    func truncation() {
        var writer = WireWriter()
        writer.write(byte: 1)
        writer.write(text: "ssh-connection")
        writer.write(nameList: ["a", "b"])
        writer.write(uint64: 9)
        let bytes = writer.bytes
        for count in 0..<bytes.count {
            #expect(throws: WireError.truncated) {
                var reader = WireReader(bytes.rawBytes.extracting(first: count))
                _ = try reader.readByte()
                _ = try reader.readText()
                _ = try reader.readNameList()
                _ = try reader.readUInt64()
            }
        }
    }

    @Test(
        "A length beyond the end throws, however large",
        arguments: [5, 0x7fff_ffff, 0xffff_ffff]
    )
    func hugeLength(count: UInt32) {
        var writer = WireWriter()
        writer.write(uint32: count)
        writer.write(fixed: [1, 2, 3, 4] as [UInt8])
        let bytes = writer.bytes
        #expect(throws: WireError.truncated) {
            var reader = WireReader(bytes.rawBytes)
            _ = try reader.readString()
        }
    }

    @Test("A string over its reader's limit throws")
    func limit() {
        var writer = WireWriter()
        writer.write(text: "four")
        let bytes = writer.bytes
        #expect(throws: WireError.tooLong) {
            var reader = WireReader(bytes.rawBytes)
            _ = try reader.readBytes(limit: 3)
        }
    }

    @Test("Text stands for its bytes, UTF-8 or not")
    func text() throws {
        let bytes: [UInt8] = [0, 0, 0, 2, 0xc3, 0x28]
        var reader = WireReader(bytes.rawBytes)
        let text = try reader.readText()
        #expect(text.octets == [0xc3, 0x28])
        var writer = WireWriter()
        writer.write(text: text)
        #expect(writer.bytes == bytes)
    }

    @Test("Bytes after the last field are an error")
    func trailing() {
        let bytes: [UInt8] = [1, 2]
        #expect(throws: WireError.trailingBytes) {
            var reader = WireReader(bytes.rawBytes)
            _ = try reader.readByte()
            try reader.expectEnd()
        }
    }
}
