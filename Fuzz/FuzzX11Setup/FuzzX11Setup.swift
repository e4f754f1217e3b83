// SPDX-License-Identifier: Apache-2.0

internal import HawserClient
internal import HawserWire

/// The first bytes of an X client. Whoever does not know the cookie is never let in, however its
/// bytes are cut: the first byte says into how long pieces, and what the client knows of the cookie.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzX11Setup(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let name = "MIT-MAGIC-COOKIE-1"
    let fake: [UInt8] = Array("0123456789abcdef".utf8)
    let real = [UInt8](repeating: 0xff, count: Int(first & 0x1f))
    var setup = X11Setup()
    var rest = bytes.dropFirst()
    let pieceBytes = Int(first >> 5) * 16 + 1
    while !rest.isEmpty {
        setup.append(Array(rest.prefix(pieceBytes)))
        rest = rest.dropFirst(pieceBytes)
        switch setup.checked(name: name, fake: fake, real: real) {
        case .needsMore: continue
        case .accepted(let result):
            precondition(bytes.count >= 1 + 12 + 20 + 16)
            precondition(result.count >= 12 + 20 + real.count)
            return 0
        case .rejected: return 0
        }
    }
    return 0
}
