// SPDX-License-Identifier: Apache-2.0

internal import HawserLog
package import HawserWire

/// What a listener knows and gives to the monitor of each connection: the configuration as it was
/// parsed at its start, the host keys as they were read then, and how to log.
package struct ServerStart {
    /// The lines of the configuration, in the form that `ServerConfiguration` reads.
    package var configuration: [UInt8]
    package var hostKeys: [HostKey]
    /// The socket of the agent that holds the others' private halves.
    package var hostKeyAgent: String?
    package var logsToDescriptor: Bool
    /// How much more than the configuration says is logged (`-d`).
    package var debugLevel: Int
    package var isQuiet: Bool

    /// A host key as it was read.
    package struct HostKey: Equatable {
        package var path: String
        package var contents: [UInt8]
        package var blob: [UInt8]
        package var certificate: [UInt8]
    }

    package init(
        configuration: [UInt8],
        hostKeys: HostKeys,
        logsToDescriptor: Bool,
        debugLevel: Int,
        isQuiet: Bool
    ) {
        self.configuration = configuration
        self.hostKeys = hostKeys.entries.map {
            HostKey(
                path: $0.path,
                contents: $0.contents,
                blob: $0.blob,
                certificate: $0.certificate
            )
        }
        hostKeyAgent = hostKeys.agent
        self.logsToDescriptor = logsToDescriptor
        self.debugLevel = debugLevel
        self.isQuiet = isQuiet
    }

    package var encoding: [UInt8] {
        var writer = WireWriter(reserving: configuration.count + 4096)
        writer.write(string: configuration)
        writer.write(uint32: UInt32(clamping: hostKeys.count))
        for key in hostKeys {
            writer.write(text: key.path)
            writer.write(string: key.contents)
            writer.write(string: key.blob)
            writer.write(string: key.certificate)
        }
        writer.write(text: hostKeyAgent ?? "")
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
            hostKeys.append(
                HostKey(
                    path: try reader.readText(),
                    contents: try reader.readBytes(),
                    blob: try reader.readBytes(),
                    certificate: try reader.readBytes()
                )
            )
        }
        let agent = try reader.readText()
        hostKeyAgent = agent.isEmpty ? nil : agent
        logsToDescriptor = try reader.readBoolean()
        debugLevel = Int(try reader.readUInt32())
        isQuiet = try reader.readBoolean()
    }
}
