// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// What ps(1) shows of this process: written over the arguments and the environment behind them.
package enum ProcessTitle {
    // Set once, by the first `set`, in a process of one thread.
    nonisolated(unsafe) private static var start: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var bytes = 0

    package static func set(_ title: String) {
        if unsafe start == nil { claim() }
        guard let start = unsafe start, unsafe bytes > 1 else { return }
        let text = Array(title.octets.prefix(unsafe bytes - 1))
        // SAFETY: `bytes` bytes from `start` are the arguments' and environment's strings, which
        // nobody else refers to any more.
        unsafe memset(start, 0, bytes)
        for (index, byte) in text.enumerated() { unsafe start[index] = CChar(bitPattern: byte) }
    }

    /// Finds the strings that the kernel laid one behind the other, and moves the environment away.
    private static func claim() {
        _ = CommandLine.arguments
        let arguments = unsafe CommandLine.unsafeArgv
        guard let first = unsafe arguments[0] else { return }
        var end = unsafe first
        for index in 0..<Int(CommandLine.argc) {
            guard let argument = unsafe arguments[index], unsafe argument == end else { break }
            unsafe end = argument + strlen(argument) + 1
        }
        if let list = unsafe hawser_environment() {
            var index = 0
            var copies: [UnsafeMutablePointer<CChar>?] = unsafe []
            while let entry = unsafe list[index] {
                if unsafe entry == end { unsafe end = entry + strlen(entry) + 1 }
                unsafe copies.append(strdup(entry))
                index += 1
            }
            unsafe copies.append(nil)
            let moved = unsafe UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
                capacity: copies.count
            )
            for index in unsafe copies.indices { unsafe moved[index] = copies[index] }
            unsafe hawser_set_environment(moved)
        }
        unsafe start = first
        unsafe bytes = end - first
    }
}
