// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig

/// ssh_config(5), which may include itself: read, shown, and read again as it was shown.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzClientConfig(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let options = read(bytes)
    let shown = ClientListing(host: "host", options: options).text
    _ = read(Array(shown.utf8))
    _ = (options.forwards, options.rekeyLimit, options.addKeysToAgent, options.controlPersist)
    return 0
}

private func read(_ bytes: [UInt8]) -> ClientOptions {
    var reader = ClientConfigReader(
        ClientOptions(),
        for: ClientConfigSubject(originalHost: "host", localUser: "me", home: "/home/me"),
        from: OneFile(bytes: bytes),
        context: ValueContext { _ in
            AlgorithmNames(offered: ["a", "b"], all: ["a", "b", "c"])
        }
    )
    _ = reader.read(file: "/f", isUserFile: true)
    return reader.options
}

/// Every path is the same file.
private struct OneFile: ConfigSource {
    var bytes: [UInt8]

    func contents(of path: String) -> [UInt8]? { path == "/f" ? bytes : nil }
    func paths(matching pattern: String) -> [String] { pattern.hasSuffix("f") ? ["/f"] : [] }
    func succeeds(_ command: String) -> Bool { command.utf8.count % 2 == 0 }
}
