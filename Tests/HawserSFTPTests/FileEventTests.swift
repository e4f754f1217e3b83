// SPDX-License-Identifier: Apache-2.0

import HawserWire
import Testing

@testable import HawserSFTP

@Suite("What is told of files")
struct FileEventTests {
    @Test("An event is the same after it has gone from one process to another")
    func coding() throws {
        var event = FileEvent(operation: "rename", path: Array("a\nb".utf8))
        event.target = [0xFF, 0x00]
        event.detail = "mode 0600"
        event.bytesRead = .max
        event.failure = "No such file"
        var writer = WireWriter(reserving: 64)
        event.write(into: &writer)
        let bytes = writer.take()
        var reader = WireReader(bytes.rawBytes)
        #expect(try FileEvent(from: &reader) == event)
        try reader.expectEnd()
    }

    @Test("A name that is too long is cut where it is told and refused where it is taken")
    func limits() throws {
        var writer = WireWriter(reserving: 64)
        FileEvent(operation: "open", path: [UInt8](repeating: 1, count: 5000)).write(into: &writer)
        var bytes = writer.take()
        var reader = WireReader(bytes.rawBytes)
        #expect(try FileEvent(from: &reader).path.count == 4096)
        writer = WireWriter(reserving: 64)
        writer.write(text: "open")
        writer.write(string: [UInt8](repeating: 1, count: 5000))
        bytes = writer.take()
        #expect(throws: WireError.self) {
            var reader = WireReader(bytes.rawBytes)
            _ = try FileEvent(from: &reader)
        }
    }
}
