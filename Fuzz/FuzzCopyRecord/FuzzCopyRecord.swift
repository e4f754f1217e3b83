// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP

/// Lines of the old copy protocol, and the patterns that names are held against.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCopyRecord(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
    for line in lines {
        guard let record = try? CopyRecord(Array(line)) else { continue }
        // What was read can be written, and means the same then.
        guard let again = try? CopyRecord(Array(record.bytes.dropLast())), again == record else {
            fatalError("\(record) does not come back")
        }
        if case .file(_, _, let name) = record {
            guard RemotePath.isSafe(name: name) else { fatalError("unsafe name") }
        }
    }
    if let first = lines.first, let alternatives = BraceExpansion.expand(Array(first), limit: 64) {
        for pattern in alternatives {
            _ = GlobPattern(pattern).matches(Array(lines.last ?? []))
        }
    }
    _ = PrintableText.of(bytes)
    return 0
}
