// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
package import HawserWire

/// What a listener knows and gives to the monitor of each connection: the configuration as it was
/// parsed at its start, the host keys as they were read then, and how to log.
package struct ServerStart {
    /// The lines of the configuration, in the form that `ServerConfiguration` reads.
    package var configuration: [UInt8]
    package var hostKeys: [(path: String, contents: [UInt8])]
    package var logsToDescriptor: Bool
    /// How much more than the configuration says is logged (`-d`).
    package var debugLevel: Int
    package var isQuiet: Bool

    package init(
        configuration: [UInt8],
        hostKeys: [(path: String, contents: [UInt8])],
        logsToDescriptor: Bool,
        debugLevel: Int,
        isQuiet: Bool
    ) {
        self.configuration = configuration
        self.hostKeys = hostKeys
        self.logsToDescriptor = logsToDescriptor
        self.debugLevel = debugLevel
        self.isQuiet = isQuiet
    }

    package var encoding: [UInt8] {
        var writer = WireWriter(reserving: configuration.count + 4096)
        writer.write(string: configuration)
        writer.write(uint32: UInt32(clamping: hostKeys.count))
        for (path, contents) in hostKeys {
            writer.write(text: path)
            writer.write(string: contents)
        }
        writer.write(boolean: logsToDescriptor)
        writer.write(uint32: UInt32(clamping: debugLevel))
        writer.write(boolean: isQuiet)
        return writer.take()
    }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes.rawBytes)
        configuration = try reader.readBytes()
        hostKeys = []
        for _ in 0..<(try reader.readUInt32()) {
            let path = try reader.readText()
            hostKeys.append((path, try reader.readBytes()))
        }
        logsToDescriptor = try reader.readBoolean()
        debugLevel = Int(try reader.readUInt32())
        isQuiet = try reader.readBoolean()
    }
}
