// SPDX-License-Identifier: Apache-2.0

internal import HawserFiles
internal import HawserSFTP
internal import HawserSystem

/// Both ends of the old copy protocol: what the other side says is the input after its first byte,
/// which chooses the end and its options. Nothing may appear beside the folder that is copied into.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLegacyCopy(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: min(count, 32 << 10)))
    guard let choice = bytes.first, let pipe = try? Descriptor.pipe() else { return 0 }
    let sink = FileCalls.open(Array("/dev/null".utf8), .writeOnly)
    defer {
        Descriptor.close(pipe.read)
        Descriptor.close(Int32(sink))
    }
    // A pipe holds more than that.
    Descriptor.writeAll(pipe.write, Array(bytes.dropFirst()))
    Descriptor.close(pipe.write)

    Folder.make()
    defer { Folder.remove(Folder.root) }
    var options = LegacyCopy.Options()
    options.isRemote = choice & 2 != 0
    options.isRecursive = choice & 4 != 0
    options.preserves = choice & 8 != 0
    if choice & 16 != 0 { options.expected = [GlobPattern(Array("f*".utf8))] }
    let copy = LegacyCopy(
        reader: pipe.read,
        writer: Int32(sink),
        options,
        observer: SilentObserver()
    )
    if choice & 1 != 0 {
        try? copy.receive(into: Folder.inside)
    } else {
        try? copy.send([Folder.inside, Folder.file, Folder.file])
        try? copy.awaitEnd()
    }
    let names = Folder.names(in: Folder.root)
    guard names == [Array("inside".utf8)] else { fatalError("written outside: \(names)") }
    return 0
}

/// A folder of this process, made anew for each run.
private enum Folder {
    static let root = Array("/tmp/hawser-fuzz-\(Daemon.processID)".utf8)
    static let inside = root + Array("/inside".utf8)
    static let file = inside + Array("/file".utf8)

    static func make() {
        _ = FileCalls.makeDirectory(root, mode: 0o700)
        _ = FileCalls.makeDirectory(inside, mode: 0o700)
        let opened = FileCalls.open(file, [.writeOnly, .create], mode: 0o600)
        Descriptor.writeAll(Int32(opened), Array("some text".utf8))
        Descriptor.close(Int32(opened))
    }

    static func names(in folder: [UInt8]) -> [[UInt8]] {
        var names: [[UInt8]] = []
        guard let stream = DirectoryStream.open(folder).1 else { return [] }
        while let name = stream.next() {
            if name != [46], name != [46, 46] { names.append(name) }
        }
        return names
    }

    static func remove(_ folder: [UInt8]) {
        _ = FileCalls.setMode(folder, 0o700, followingLinks: false)
        for name in names(in: folder) {
            let path = RemotePath.join(folder, name)
            if FileCalls.status(path, followingLinks: false).1?.isDirectory == true {
                remove(path)
            } else {
                _ = FileCalls.remove(path)
            }
        }
        _ = FileCalls.removeDirectory(folder)
    }
}

private final class SilentObserver: CopyObserver {
    func copyNotes(_ text: String) {}
    func copyFails(_ text: String) {}
    func copyStarts(_ source: [UInt8], _ target: [UInt8]) {}
    func copyBegins(_ source: [UInt8], _ target: [UInt8], bytes: UInt64?, from offset: UInt64) {}
    func copyAdvances(_ source: [UInt8], bytes: UInt64) {}
    func copyEnds(_ source: [UInt8], _ target: [UInt8], bytes: UInt64, hasFailed: Bool) {}
    func copyEnters(_ source: [UInt8]) {}
    var isInterrupted: Bool { false }
    func copyTicks() -> UInt64? { nil }
}
