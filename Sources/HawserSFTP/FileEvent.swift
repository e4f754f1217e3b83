// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// One thing that a client did with files, or tried to, for those who keep account of it.
package struct FileEvent: Equatable, Sendable {
    /// The request by the name that `-p` knows it by: `open`, `close`, `remove`, `rename`, …
    package var operation: String
    package var path: [UInt8]
    /// The new name, or what a link leads to; empty without one.
    package var target: [UInt8] = []
    /// What was asked beside the names: flags of an open, a mode, attributes.
    package var detail = ""
    /// Of a file that is closed.
    package var bytesRead: UInt64 = 0
    package var bytesWritten: UInt64 = 0
    /// What the client was told; empty when it was done.
    package var failure = ""

    package init(operation: String, path: [UInt8]) {
        self.operation = operation
        self.path = path
    }

    /// The longest names that are told whole, in bytes.
    private static let nameBytes = 4096

    package func write(into writer: inout WireWriter) {
        writer.write(text: operation)
        writer.write(string: Array(path.prefix(Self.nameBytes)))
        writer.write(string: Array(target.prefix(Self.nameBytes)))
        writer.write(text: detail)
        writer.write(uint64: bytesRead)
        writer.write(uint64: bytesWritten)
        writer.write(text: failure)
    }

    @_lifetime(reader: copy reader)
    package init(from reader: inout WireReader) throws(WireError) {
        operation = try reader.readText(limit: 64)
        path = try reader.readBytes(limit: Self.nameBytes)
        target = try reader.readBytes(limit: Self.nameBytes)
        detail = try reader.readText(limit: 256)
        bytesRead = try reader.readUInt64()
        bytesWritten = try reader.readUInt64()
        failure = try reader.readText(limit: 256)
    }
}

/// Who keeps account.
package protocol FileWitness: AnyObject {
    func note(_ event: FileEvent)
}
