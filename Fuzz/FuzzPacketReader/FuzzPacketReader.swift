// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserProtocol
internal import HawserWire

/// Whatever a stranger sends to either end of a transport.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPacketReader(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let proposal = Proposal(
        keyExchange: ["curve25519-sha256", "diffie-hellman-group-exchange-sha256"],
        hostKey: ["ssh-ed25519"],
        ciphers: ["aes128-ctr"],
        macs: ["hmac-sha2-256"],
        compression: ["none"]
    )
    var options = TransportOptions(
        isClient: first & 1 == 0,
        identification: "SSH-2.0-fuzz",
        proposal: proposal
    )
    options.hostKeys = [HostKeyOffer(blob: [1, 2, 3], algorithms: ["ssh-ed25519"])]
    let now = Instant(nanoseconds: 0)
    var transport = Transport(options, random: SeededRandom(seed: 1), at: now)
    // In pieces, the size of which the first byte chooses.
    let piece = Int(first >> 1) + 1
    var index = 1
    while index < bytes.count {
        let part = Array(bytes[index..<min(index + piece, bytes.count)])
        index += part.count
        _ = transport.fill(part.count) { (span: inout MutableRawSpan) -> Int in
            span.copy(part.rawBytes)
            return part.count
        }
        do throws(ProtocolError) {
            while let event = try transport.next(at: now) {
                switch event {
                case .hostKeyProven: transport.acceptHostKey()
                case .exchangeSignatureNeeded: transport.provideExchangeSignature([0])
                case .groupNeeded: try transport.provideGroup(.group14)
                default: break
                }
            }
        } catch { return 0 }
    }
    return 0
}
