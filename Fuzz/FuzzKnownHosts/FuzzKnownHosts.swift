// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// Files of lines: known_hosts, authorized_keys, moduli.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKnownHosts(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let file = KnownHostsFile(path: "known_hosts", contents: bytes)
    let hosts = KnownHosts(files: [file])
    for match in hosts.entries(for: "host") {
        _ = hosts.verdict(on: match.entry.key, for: "host")
    }
    for line in file.lines { _ = line.content }
    let keys = AuthorizedKeys(contents: bytes)
    for (_, entry) in keys.entries { _ = keys.entries(for: entry.key) }
    let moduli = Moduli(contents: bytes)
    _ = moduli.choose(minimum: 1024, preferred: 3072, maximum: 8192) { $0 - 1 }
    return 0
}
