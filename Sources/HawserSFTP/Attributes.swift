// SPDX-License-Identifier: Apache-2.0

package import HawserWire

/// What is known of a file, or is to be changed, draft-ietf-secsh-filexfer-02 §5.
package struct Attributes: Equatable, Sendable {
    package struct Owner: Equatable, Sendable {
        package var uid: UInt32
        package var gid: UInt32
        package init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }
    }

    /// Seconds since 1970.
    package struct Times: Equatable, Sendable {
        package var access: UInt32
        package var modification: UInt32
        package init(access: UInt32, modification: UInt32) {
            self.access = access
            self.modification = modification
        }
    }

    /// In bytes.
    package var size: UInt64?
    package var owner: Owner?
    /// Kind and permission bits, as `st_mode` of stat(2).
    package var permissions: UInt32?
    package var times: Times?

    package init(
        size: UInt64? = nil,
        owner: Owner? = nil,
        permissions: UInt32? = nil,
        times: Times? = nil
    ) {
        self.size = size
        self.owner = owner
        self.permissions = permissions
        self.times = times
    }

    private enum Flag {
        static let size: UInt32 = 1
        static let owner: UInt32 = 2
        static let permissions: UInt32 = 4
        static let times: UInt32 = 8
        static let extended: UInt32 = 0x8000_0000
    }

    /// The flags word: which of the values are there.
    package var flags: UInt32 {
        (size == nil ? 0 : Flag.size) | (owner == nil ? 0 : Flag.owner)
            | (permissions == nil ? 0 : Flag.permissions) | (times == nil ? 0 : Flag.times)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let flags = try reader.readUInt32()
        if flags & Flag.size != 0 { size = try reader.readUInt64() }
        if flags & Flag.owner != 0 {
            owner = Owner(uid: try reader.readUInt32(), gid: try reader.readUInt32())
        }
        if flags & Flag.permissions != 0 { permissions = try reader.readUInt32() }
        if flags & Flag.times != 0 {
            times = Times(
                access: try reader.readUInt32(),
                modification: try reader.readUInt32()
            )
        }
        if flags & Flag.extended != 0 {
            let count = try reader.readUInt32()
            guard count <= 0x10_0000 else { throw .tooLong }
            for _ in 0..<count {
                _ = try reader.readString()
                _ = try reader.readString()
            }
        }
    }

    package func write(to output: inout ByteQueue) {
        output.append(uint32: flags)
        if let size { output.append(uint64: size) }
        if let owner {
            output.append(uint32: owner.uid)
            output.append(uint32: owner.gid)
        }
        if let permissions { output.append(uint32: permissions) }
        if let times {
            output.append(uint32: times.access)
            output.append(uint32: times.modification)
        }
    }

    package var isDirectory: Bool { kind == 0o040000 }
    package var isRegular: Bool { kind == 0o100000 }
    package var isLink: Bool { kind == 0o120000 }
    private var kind: UInt32? { permissions.map { $0 & 0o170000 } }
}

/// How a file is opened, draft-ietf-secsh-filexfer-02 §6.3.
package struct OpenFlags: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let read = OpenFlags(rawValue: 1)
    package static let write = OpenFlags(rawValue: 2)
    package static let append = OpenFlags(rawValue: 4)
    package static let create = OpenFlags(rawValue: 8)
    package static let truncate = OpenFlags(rawValue: 16)
    package static let exclusive = OpenFlags(rawValue: 32)

    /// As the log writes them.
    package var text: String {
        let names: [(OpenFlags, String)] = [
            (.read, "READ"), (.write, "WRITE"), (.create, "CREATE"), (.truncate, "TRUNCATE"),
            (.append, "APPEND"), (.exclusive, "EXCL"),
        ]
        return names.filter { contains($0.0) }.map(\.1).joined(separator: ",")
    }
}

extension ByteQueue {
    /// Appends a big-endian `uint64`.
    package mutating func append(uint64 value: UInt64) {
        append(uint32: UInt32(truncatingIfNeeded: value >> 32))
        append(uint32: UInt32(truncatingIfNeeded: value))
    }

    /// Appends a `string`.
    package mutating func append(string value: [UInt8]) {
        append(uint32: UInt32(truncatingIfNeeded: value.count))
        append(value)
    }

    /// Appends a `string` of text.
    package mutating func append(text value: String) {
        append(string: value.octets)
    }

    /// Overwrites four bytes, `offset` from the oldest, by a big-endian number.
    package mutating func set(uint32 value: UInt32, at offset: Int) {
        var bytes = mutableBytes
        for index in 0..<4 {
            bytes[byteAt: offset + index] = UInt8(
                truncatingIfNeeded: value >> UInt32(24 - 8 * index)
            )
        }
    }
}
