// SPDX-License-Identifier: Apache-2.0

internal import HawserSystem
internal import HawserWire

/// Reading for those who have an array.
package enum FileReading {
    /// Reads what is there, at most as much as the array holds; 0 at the end or for an error.
    package static func some(_ descriptor: Int32, into chunk: inout [UInt8]) -> Int {
        var span = chunk.mutableRawBytes
        return max(0, FileCalls.read(descriptor, into: &span))
    }
}
