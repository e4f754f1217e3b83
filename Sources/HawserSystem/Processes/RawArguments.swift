// SPDX-License-Identifier: Apache-2.0

internal import CHawserStart
internal import HawserWire

/// The words of the command line, the program's name first. What `CommandLine` gives is made by the standard
/// library in its own places of memory: two more pages at each start (docs/decisions/0009-start.md).
package enum RawArguments {
    /// As the kernel has them: bytes that need not be UTF-8.
    package static var all: [[UInt8]] {
        var count: Int32 = 0
        // SAFETY: each of the `count` entries is a string that lives as long as the process.
        guard let list = unsafe hawser_arguments(&count) else { return [] }
        return (0..<Int(count)).compactMap { index in
            guard let word = unsafe list[index] else { return nil }
            return unsafe FileCalls.bytes(of: word)
        }
    }

    /// As text that stands for those bytes.
    package static var texts: [String] {
        var count: Int32 = 0
        // SAFETY: as above.
        guard let list = unsafe hawser_arguments(&count) else { return [] }
        var texts: [String] = []
        texts.reserveCapacity(Int(count))
        for index in 0..<Int(count) {
            guard let word = unsafe list[index] else { continue }
            unsafe texts.append(String(cOctets: word))
        }
        return texts
    }
}
