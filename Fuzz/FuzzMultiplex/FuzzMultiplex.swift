// SPDX-License-Identifier: Apache-2.0

internal import HawserMultiplex
internal import HawserWire

/// What comes over a control socket, at either end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMultiplex(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    var framing = MultiplexFraming()
    framing.append(bytes)
    while let message = try? framing.next() {
        if let request = try? MultiplexRequest(message.rawBytes) { _ = request.frame }
        if let reply = try? MultiplexReply(message.rawBytes) { _ = reply.frame }
    }
    return 0
}
