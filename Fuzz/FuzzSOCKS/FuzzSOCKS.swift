// SPDX-License-Identifier: Apache-2.0

internal import HawserClient
internal import HawserWire

/// What comes to a dynamic forward. What a client asks for does not depend on how its bytes are cut:
/// the first byte says into how long pieces.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSOCKS(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let content = Array(bytes.dropFirst().prefix(SOCKSNegotiation.maximumBytes))
    let whole = steps(content, pieceBytes: content.count + 1)
    let cut = steps(content, pieceBytes: Int(first) + 1)
    precondition(whole == cut)
    return 0
}

private func steps(_ bytes: [UInt8], pieceBytes: Int) -> [SOCKSNegotiation.Step] {
    var negotiation = SOCKSNegotiation()
    var result: [SOCKSNegotiation.Step] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        let piece = Array(rest.prefix(pieceBytes))
        rest = rest.dropFirst(pieceBytes)
        negotiation.append(piece.rawBytes)
        asking: while true {
            let step = negotiation.next()
            switch step {
            case .needsMore: break asking
            case .answer: result.append(step)
            case .connect(let host, _):
                precondition(!host.isEmpty && host.utf8.count <= 255)
                precondition(negotiation.reply(.connected).count >= 8)
                return result + [step]
            case .refuse: return result + [step]
            }
        }
    }
    return result
}
