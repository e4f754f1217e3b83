// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// The entries of one directory, one after the other. C: `opendir`, `readdir`.
@safe
package final class DirectoryStream {
    private let stream: OpaquePointer

    private init(_ stream: OpaquePointer) {
        unsafe self.stream = stream
    }

    deinit {
        // SAFETY: owned by this object alone.
        _ = unsafe closedir(stream)
    }

    /// The directory, or the negative error number.
    package static func open(_ path: FilePath) -> (Int, DirectoryStream?) {
        var opened: DirectoryStream?
        let status = outcome {
            unsafe withCPath(path) { name in
                guard let stream = unsafe opendir(name) else { return -1 }
                unsafe opened = DirectoryStream(stream)
                return 0
            }
        }
        return (status, opened)
    }

    /// The next name, `.` and `..` too; nil at the end.
    package func next() -> FilePath? {
        // SAFETY: the entry lives until the next call and is copied at once.
        guard let entry = unsafe readdir(stream) else { return nil }
        let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 0
        let name = unsafe UnsafeRawPointer(entry) + offset
        return unsafe FileCalls.bytes(of: name.assumingMemoryBound(to: CChar.self))
    }

    /// What lstat(2) or stat(2) says of an entry.
    package func status(of name: FilePath, followingLinks: Bool = false) -> FileStatus? {
        var value = stat()
        let flags = followingLinks ? 0 : AT_SYMLINK_NOFOLLOW
        let result = unsafe withCPath(name) { name in
            // SAFETY: fills one structure.
            unsafe Int(fstatat(dirfd(stream), name, &value, flags))
        }
        return result == 0 ? FileStatus(value) : nil
    }
}
