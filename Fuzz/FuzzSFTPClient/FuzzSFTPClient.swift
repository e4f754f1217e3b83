// SPDX-License-Identifier: Apache-2.0

internal import HawserSFTP
internal import HawserWire

/// What a server may send to a client.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSFTPClient(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    var client = Client()
    _ = client.read([1, 2, 3], at: 0, count: 100)
    _ = client.receive(upTo: bytes.count) { (room: inout MutableRawSpan) -> Int in
        room.copy(bytes.rawBytes)
        return bytes.count
    }
    do throws(ClientFault) {
        while let reply = try client.next() {
            _ = reply.failureOrNothing
            let data = client.withData { [UInt8](copying: $0) }
            var reader = WireReader(data.rawBytes)
            _ = try? ServerLimits(from: &reader)
            var second = WireReader(data.rawBytes)
            _ = try? FileSystemUsage(from: &second)
        }
    } catch {}
    return 0
}

extension Reply {
    fileprivate var failureOrNothing: String? {
        if case .status(let status, let text) = content {
            return status.text + PrintableText.of(text)
        }
        return nil
    }
}
