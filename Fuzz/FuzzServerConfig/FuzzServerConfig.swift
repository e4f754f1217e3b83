// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig

/// sshd_config(5), which may include itself, for several subjects.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzServerConfig(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let names = AlgorithmNames(offered: ["a", "b"], all: ["a", "b", "c"])
    let context = ValueContext(isServer: true, algorithms: { _ in names })
    var configuration = ServerConfiguration(context: context, source: OneFile(bytes: bytes))
    configuration.read(bytes, file: "/f")
    let subjects = [
        nil,
        ServerMatchSubject(
            user: "root",
            groups: ["wheel"],
            host: "h.example",
            address: "10.0.0.5",
            localAddress: "::1",
            localPort: 22
        ),
    ]
    for subject in subjects {
        let shown = configuration.effective(for: subject)
        var again = ServerConfiguration(context: context, source: OneFile(bytes: []))
        again.read(Array(shown.utf8), file: "/g")
        _ = again.effective()
    }
    return 0
}

/// Every path is the same file.
private struct OneFile: ConfigSource {
    var bytes: [UInt8]

    func contents(of path: String) -> [UInt8]? { path == "/f" ? bytes : nil }
    func paths(matching pattern: String) -> [String] { pattern.hasSuffix("f") ? ["/f"] : [] }
    func succeeds(_ command: String) -> Bool { false }
}
