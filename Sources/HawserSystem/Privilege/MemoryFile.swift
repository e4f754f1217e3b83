// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc
internal import HawserWire

/// Nameless memory behind a descriptor, which another process of ours can be given. C: `memfd_create`.
package enum MemoryFile {
    /// A new one that holds `bytes` and is not inherited.
    package static func make(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> Int32 {
        let fd = unsafe memfd_create(name, 1)  // MFD_CLOEXEC
        guard fd >= 0 else { throw SystemError("memfd_create") }
        guard Descriptor.writeAll(fd, bytes) else { throw SystemError("write", name) }
        return fd
    }

    /// Everything in it, whatever its offset.
    package static func contents(of fd: Int32) -> [UInt8]? {
        guard let size = Files.status(of: fd)?.bytes, size >= 0, size < 1 << 30 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var offset = 0
        while offset < bytes.count {
            let start = offset
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: fills the rest of the array at most.
                unsafe pread(
                    fd,
                    buffer.baseAddress?.advanced(by: start),
                    buffer.count - start,
                    off_t(start)
                )
            }
            guard count > 0 else { return nil }
            offset += count
        }
        return bytes
    }
}

extension Files {
    /// Removes an empty directory. C: `rmdir`.
    package static func removeDirectory(_ path: String) {
        _ = unsafe path.withCOctets { unsafe rmdir($0) }
    }
}
