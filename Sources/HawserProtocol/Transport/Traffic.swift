// SPDX-License-Identifier: Apache-2.0

/// What has gone one way over a connection, under all its keys.
package struct Traffic: Equatable, Sendable {
    package var packets: UInt64 = 0
    /// As on the wire, whole packets.
    package var bytes: UInt64 = 0

    mutating func add(packets: UInt64, bytes: UInt64) {
        self.packets &+= packets
        self.bytes &+= bytes
    }
}
