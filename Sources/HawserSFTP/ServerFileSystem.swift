// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// The files that a server serves. Paths are the peer's bytes. A refusal is thrown as the status
/// that the client gets. Not a type's parameter: a server is the same code for all, and nothing is
/// made for its types when it starts (docs/decisions/0009-start.md).
package protocol ServerFileSystem {
    /// Opens a file and returns its number.
    mutating func open(_ path: [UInt8], _ flags: OpenFlags, mode: UInt32) throws(Status) -> Int32
    mutating func close(_ file: Int32) throws(Status)
    /// Fills `bytes` from `offset` on and returns how many; none at the end of the file.
    mutating func read(
        _ file: Int32,
        at offset: UInt64,
        into bytes: inout MutableRawSpan
    )
        throws(Status) -> Int
    /// Writes all of `bytes` at `offset`, or at the file's end when it was opened to append.
    mutating func write(
        _ file: Int32,
        at offset: UInt64,
        appending: Bool,
        _ bytes: RawSpan
    )
        throws(Status)
    mutating func synchronize(_ file: Int32) throws(Status)
    /// Copies up to `count` bytes and returns how many; none at the end of the source.
    mutating func copy(
        from: Int32,
        at offset: UInt64,
        to: Int32,
        at target: UInt64,
        appending: Bool,
        count: UInt64
    ) throws(Status) -> UInt64

    mutating func attributes(of path: [UInt8], followingLinks: Bool) throws(Status) -> Attributes
    mutating func attributes(of file: Int32) throws(Status) -> Attributes
    /// Changes one property. All of `Attributes` is given one by one, so that each can be logged.
    mutating func set(_ change: AttributeChange, of target: AttributeTarget) throws(Status)

    /// Opens a directory to read it; only these files know what the object is.
    mutating func openDirectory(_ path: [UInt8]) throws(Status) -> AnyObject
    /// The next entry of what `openDirectory` gave, `.` and `..` too; nil at the end.
    mutating func nextEntry(_ directory: AnyObject) throws(Status) -> DirectoryEntry?

    mutating func remove(_ path: [UInt8]) throws(Status)
    mutating func makeDirectory(_ path: [UInt8], mode: UInt32) throws(Status)
    mutating func removeDirectory(_ path: [UInt8]) throws(Status)
    /// Renames; `replacing` as rename(2) does, otherwise never over a file that is there.
    mutating func rename(_ from: [UInt8], to: [UInt8], replacing: Bool) throws(Status)
    mutating func link(_ from: [UInt8], to: [UInt8]) throws(Status)
    mutating func symbolicLink(_ target: [UInt8], at path: [UInt8]) throws(Status)
    mutating func readLink(_ path: [UInt8]) throws(Status) -> [UInt8]
    /// The canonical path; its last part need not be there.
    mutating func canonical(_ path: [UInt8]) throws(Status) -> [UInt8]
    mutating func fileSystem(of path: [UInt8]) throws(Status) -> FileSystemUsage
    mutating func fileSystem(of file: Int32) throws(Status) -> FileSystemUsage

    /// The home of an account; nil when there is no such account.
    mutating func home(of user: [UInt8]) -> [UInt8]?
    mutating func userName(_ uid: UInt32) -> String?
    mutating func groupName(_ gid: UInt32) -> String?
    /// A moment (seconds since 1970) as the log writes it.
    func logTime(_ seconds: UInt32) -> String
    /// How many files may be open at once; 0: not known.
    var openFileLimit: UInt64 { get }
}

/// One property of a file to change.
package enum AttributeChange: Sendable {
    case size(UInt64)
    /// Permission bits alone.
    case permissions(UInt32)
    case times(Attributes.Times)
    case owner(Attributes.Owner)
}

/// What is changed.
package enum AttributeTarget: Sendable {
    case path([UInt8])
    /// The link itself, not what it points to.
    case link([UInt8])
    /// An open file and the path it was opened by.
    case file(Int32, path: [UInt8])
}

/// One name in a directory.
package struct DirectoryEntry: Sendable {
    package var name: [UInt8]
    /// As `ls -l` prints it.
    package var longName: [UInt8]
    package var attributes: Attributes

    package init(name: [UInt8], longName: [UInt8], attributes: Attributes) {
        self.name = name
        self.longName = longName
        self.attributes = attributes
    }
}

/// The answer to statvfs@openssh.com (OpenSSH's PROTOCOL §4.4).
package struct FileSystemUsage: Equatable, Sendable {
    package var blockBytes: UInt64
    package var fragmentBytes: UInt64
    package var blocks: UInt64
    package var freeBlocks: UInt64
    package var availableBlocks: UInt64
    package var files: UInt64
    package var freeFiles: UInt64
    package var availableFiles: UInt64
    package var identifier: UInt64
    /// 1: read-only, 2: ignores set-uid bits.
    package var flags: UInt64
    package var nameBytes: UInt64

    package init(
        blockBytes: UInt64,
        fragmentBytes: UInt64,
        blocks: UInt64,
        freeBlocks: UInt64,
        availableBlocks: UInt64,
        files: UInt64,
        freeFiles: UInt64,
        availableFiles: UInt64,
        identifier: UInt64,
        flags: UInt64,
        nameBytes: UInt64
    ) {
        self.blockBytes = blockBytes
        self.fragmentBytes = fragmentBytes
        self.blocks = blocks
        self.freeBlocks = freeBlocks
        self.availableBlocks = availableBlocks
        self.files = files
        self.freeFiles = freeFiles
        self.availableFiles = availableFiles
        self.identifier = identifier
        self.flags = flags
        self.nameBytes = nameBytes
    }

    package init(from reader: inout WireReader) throws(WireError) {
        blockBytes = try reader.readUInt64()
        fragmentBytes = try reader.readUInt64()
        blocks = try reader.readUInt64()
        freeBlocks = try reader.readUInt64()
        availableBlocks = try reader.readUInt64()
        files = try reader.readUInt64()
        freeFiles = try reader.readUInt64()
        availableFiles = try reader.readUInt64()
        identifier = try reader.readUInt64()
        flags = try reader.readUInt64()
        nameBytes = try reader.readUInt64()
    }

    package func write(to output: inout ByteQueue) {
        for value in [
            blockBytes, fragmentBytes, blocks, freeBlocks, availableBlocks, files, freeFiles,
            availableFiles, identifier, flags, nameBytes,
        ] {
            output.append(uint64: value)
        }
    }
}
