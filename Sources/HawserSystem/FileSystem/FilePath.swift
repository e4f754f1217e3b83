// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A path as the kernel has it: bytes that need not be UTF-8.
package typealias FilePath = [UInt8]

/// Lends a path as a C string. A path with a zero byte in it is none: `EINVAL`.
func withCPath(_ path: FilePath, _ body: (UnsafePointer<CChar>) -> Int) -> Int {
    if path.contains(0) {
        errno = EINVAL
        return -1
    }
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: path.count + 1) { room in
        for (index, byte) in path.enumerated() {
            unsafe room[index] = CChar(bitPattern: byte)
        }
        unsafe room[path.count] = 0
        // It holds at least the zero.
        guard let start = room.baseAddress else { return -1 }
        // SAFETY: ends with a zero and lives to the end of the call.
        return unsafe body(UnsafePointer(start))
    }
}

/// The result of a call that says -1 and sets errno: the value, or the negative error number.
func outcome(_ call: () -> Int) -> Int {
    let value = retrying(call)
    return value >= 0 ? value : -Int(errno)
}
