// SPDX-License-Identifier: Apache-2.0

import CHawserSystem
import Glibc

/// What stat(2) says of a file, with its kind and its times.
package struct FileStatus: Sendable {
    /// Kind and permission bits, `st_mode`.
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    package var bytes: UInt64
    package var links: UInt64
    /// Seconds since 1970.
    package var accessTime: Int64
    /// Seconds since 1970.
    package var modificationTime: Int64
    package var device: UInt64
    package var inode: UInt64

    init(_ value: stat) {
        mode = value.st_mode
        uid = value.st_uid
        gid = value.st_gid
        bytes = UInt64(clamping: value.st_size)
        links = UInt64(value.st_nlink)
        accessTime = Int64(value.st_atim.tv_sec)
        modificationTime = Int64(value.st_mtim.tv_sec)
        device = UInt64(value.st_dev)
        inode = UInt64(value.st_ino)
    }

    package var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    package var isRegular: Bool { mode & 0o170000 == 0o100000 }
    package var isLink: Bool { mode & 0o170000 == 0o120000 }
}

/// What statvfs(3) says of a file system.
package struct FileSystemStatus: Sendable {
    package var blockBytes: UInt64
    package var fragmentBytes: UInt64
    package var blocks: UInt64
    package var freeBlocks: UInt64
    package var availableBlocks: UInt64
    package var files: UInt64
    package var freeFiles: UInt64
    package var availableFiles: UInt64
    package var identifier: UInt64
    package var isReadOnly: Bool
    package var ignoresSetUserID: Bool
    package var nameBytes: UInt64

    init(_ value: statvfs) {
        blockBytes = UInt64(value.f_bsize)
        fragmentBytes = UInt64(value.f_frsize)
        blocks = UInt64(value.f_blocks)
        freeBlocks = UInt64(value.f_bfree)
        availableBlocks = UInt64(value.f_bavail)
        files = UInt64(value.f_files)
        freeFiles = UInt64(value.f_ffree)
        availableFiles = UInt64(value.f_favail)
        identifier = UInt64(value.f_fsid)
        isReadOnly = value.f_flag & 1 != 0
        ignoresSetUserID = value.f_flag & 2 != 0
        nameBytes = UInt64(value.f_namemax)
    }
}
