// SPDX-License-Identifier: Apache-2.0

import CHawserSystem

/// What a process does with memory that it no longer needs.
package enum Memory {
    /// Gives buffers of 1 MiB and more back to the system as soon as they are let go of. By itself
    /// the allocator learns from each large buffer to keep the next one, so that a burst on one
    /// channel would stay with a master for the rest of its life. C: `mallopt`.
    package static func returnsLargeBuffers() {
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }

    /// Gives back what is free now. C: `malloc_trim`.
    package static func trim() {
        _ = malloc_trim(0)
    }
}
