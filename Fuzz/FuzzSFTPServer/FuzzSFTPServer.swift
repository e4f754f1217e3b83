// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserWire

/// What a client may send to a server, whose files are in memory.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSFTPServer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    var server = Server(files: MemoryFiles())
    let greeting: [UInt8] = [0, 0, 0, 5, 1, 0, 0, 0, 3]
    for part in [greeting, bytes] {
        _ = server.receive(upTo: part.count) { (room: inout MutableRawSpan) -> Int in
            room.copy(part.rawBytes)
            return part.count
        }
    }
    do throws(ServerFault) {
        while try server.answer(limit: 1 << 16) { server.sent(server.outputBytes) }
    } catch {}
    server.end()
    return 0
}

/// One file and one directory that take everything.
struct MemoryFiles: ServerFileSystem {
    final class Listing { var left = 3 }
    private var content = [UInt8](repeating: 7, count: 1000)
    private var descriptors: Int32 = 3

    mutating func open(_ path: [UInt8], _ flags: OpenFlags, mode: UInt32) throws(Status) -> Int32 {
        guard path.first != 0 else { throw .noSuchFile }
        descriptors &+= 1
        return descriptors
    }
    func close(_ file: Int32) throws(Status) {}
    func read(
        _ file: Int32,
        at offset: UInt64,
        into bytes: inout MutableRawSpan
    )
        throws(Status) -> Int
    {
        guard offset < 1000 else { return 0 }
        return min(bytes.byteCount, 1000 - Int(offset))
    }
    func write(_ file: Int32, at offset: UInt64, appending: Bool, _ bytes: RawSpan) throws(Status) {
        if offset > 1 << 40 { throw .failure }
    }
    func synchronize(_ file: Int32) throws(Status) {}
    func copy(
        from: Int32,
        at offset: UInt64,
        to: Int32,
        at target: UInt64,
        appending: Bool,
        count: UInt64
    ) throws(Status) -> UInt64 { offset < 1000 ? min(count, 1000 - offset) : 0 }
    func attributes(of path: [UInt8], followingLinks: Bool) throws(Status) -> Attributes {
        if path.isEmpty { throw .noSuchFile }
        return Attributes(size: 1000, permissions: 0o100644)
    }
    func attributes(of file: Int32) throws(Status) -> Attributes { Attributes(size: 1000) }
    func set(_ change: AttributeChange, of target: AttributeTarget) throws(Status) {}
    func openDirectory(_ path: [UInt8]) throws(Status) -> AnyObject { Listing() }
    func nextEntry(_ directory: AnyObject) throws(Status) -> DirectoryEntry? {
        guard let directory = directory as? Listing, directory.left > 0 else { return nil }
        directory.left -= 1
        return DirectoryEntry(name: [97], longName: [97], attributes: Attributes())
    }
    func remove(_ path: [UInt8]) throws(Status) {}
    func makeDirectory(_ path: [UInt8], mode: UInt32) throws(Status) {}
    func removeDirectory(_ path: [UInt8]) throws(Status) {}
    func rename(_ from: [UInt8], to: [UInt8], replacing: Bool) throws(Status) {}
    func link(_ from: [UInt8], to: [UInt8]) throws(Status) {}
    func symbolicLink(_ target: [UInt8], at path: [UInt8]) throws(Status) {}
    func readLink(_ path: [UInt8]) throws(Status) -> [UInt8] { path }
    func canonical(_ path: [UInt8]) throws(Status) -> [UInt8] { path }
    func fileSystem(of path: [UInt8]) throws(Status) -> FileSystemUsage { throw .unsupported }
    func fileSystem(of file: Int32) throws(Status) -> FileSystemUsage { throw .unsupported }
    func home(of user: [UInt8]) -> [UInt8]? { user.isEmpty ? nil : user }
    func userName(_ uid: UInt32) -> String? { "u" }
    func groupName(_ gid: UInt32) -> String? { nil }
    func logTime(_ seconds: UInt32) -> String { "" }
    var openFileLimit: UInt64 { 10 }
}
