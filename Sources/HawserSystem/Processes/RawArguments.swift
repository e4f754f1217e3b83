// SPDX-License-Identifier: Apache-2.0

/// The words of the command line as the kernel has them: bytes that need not be UTF-8.
package enum RawArguments {
    package static var all: [[UInt8]] {
        let list = unsafe CommandLine.unsafeArgv
        return (0..<Int(CommandLine.argc)).compactMap { index in
            // SAFETY: each of the `argc` entries is a string that lives as long as the process.
            guard let word = unsafe list[index] else { return nil }
            return unsafe FileCalls.bytes(of: word)
        }
    }
}
