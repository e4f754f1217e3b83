// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// What a process does with memory that it no longer needs.
package enum Memory {
    /// Gives buffers of 1 MiB and more back to the system as soon as they are let go of. By itself
    /// the allocator learns from each large buffer to keep the next one, so that a burst on one
    /// channel would stay with a master for the rest of its life. C: `mallopt`.
    package static func returnsLargeBuffers() {
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }

    /// Gives back what is free now, in the heap and below the stack's end. C: `malloc_trim`,
    /// `madvise(MADV_DONTNEED)`.
    package static func trim() {
        _ = malloc_trim(0)
        var here: UInt8 = 0
        unsafe withUnsafeMutablePointer(to: &here) { pointer in
            // From the page after the next one downwards: below every frame that is in use.
            let end = (UInt(bitPattern: pointer) & ~0xFFF) - 0x1000
            // SAFETY: what lies so far below the stack pointer is the stack's own and dead, or not
            // mapped, of which the call only complains.
            _ = unsafe madvise(
                UnsafeMutableRawPointer(bitPattern: end - stackBytes),
                Int(stackBytes),
                MADV_DONTNEED
            )
        }
    }

    private static let stackBytes: UInt = 96 << 10
}
