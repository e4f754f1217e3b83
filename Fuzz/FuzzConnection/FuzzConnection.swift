// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserProtocol
internal import HawserWire

/// Messages of authentication and connection to either end, encryption off: the input is payloads,
/// each behind a length of two bytes; its first byte chooses the end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConnection(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let packets = framed(Array(bytes.dropFirst()))
    if first & 1 == 0 { server(packets) } else { client(packets) }
    return 0
}

private let now = Instant(nanoseconds: 0)

private func options(isClient: Bool) -> TransportOptions {
    TransportOptions(
        isClient: isClient,
        identification: "SSH-2.0-fuzz",
        proposal: Proposal(
            keyExchange: ["curve25519-sha256"],
            hostKey: ["ssh-ed25519"],
            ciphers: ["aes128-ctr"],
            macs: ["hmac-sha2-256"],
            compression: ["none"]
        )
    )
}

private func server(_ packets: [[UInt8]]) {
    var connection = ServerConnection(
        options(isClient: false),
        random: SeededRandom(seed: 1),
        at: now
    )
    connection.core.transport.skipFirstExchange()
    for packet in packets {
        _ = connection.receive(upTo: packet.count) { (span: inout MutableRawSpan) -> Int in
            span.copy(packet.rawBytes)
            return packet.count
        }
        do throws(ProtocolError) {
            while let event = try connection.nextEvent(at: now) {
                switch event {
                case .authenticationRequested(let request):
                    if case .gssapi(.mechanisms) = request.method {
                        connection.answerGSSAPI(.mechanism(.kerberos5))
                    } else if case .gssapi(.token(let token)) = request.method {
                        connection.answerGSSAPI(.token(token))
                    } else if request.user == "a" {
                        connection.acceptAuthentication()
                    } else {
                        connection.refuseAuthentication(methods: ["publickey"])
                    }
                case .channelOpenRequested(let id, _): connection.confirmChannel(id)
                case .channelData(let id, let count): connection.consumed(count, on: id)
                case .channelRequest(let id, _, true):
                    connection.answerRequest(on: id, success: true)
                case .globalRequest(_, true): connection.answerGlobalRequest(success: false)
                default: break
                }
            }
        } catch { return }
        connection.output.removeAll()
    }
}

private func client(_ packets: [[UInt8]]) {
    var connection = ClientConnection(
        options(isClient: true),
        random: SeededRandom(seed: 1),
        at: now
    )
    connection.core.transport.skipFirstExchange()
    connection.authenticate(user: "user")
    for packet in packets {
        _ = connection.receive(upTo: packet.count) { (span: inout MutableRawSpan) -> Int in
            span.copy(packet.rawBytes)
            return packet.count
        }
        do throws(ProtocolError) {
            while let event = try connection.nextEvent(at: now) {
                switch event {
                case .authenticationMethods(["gssapi-with-mic"], _):
                    connection.authenticateGSSAPI([.kerberos5])
                case .gssapi(.mechanism): connection.sendGSSAPIToken([1], isLast: false)
                case .gssapi(.token(let token)):
                    if token.isEmpty {
                        connection.provideGSSAPICode([2])
                    } else {
                        connection.sendGSSAPIToken(token, isLast: false)
                    }
                case .authenticationMethods: connection.authenticatePassword(SecretBytes([1]))
                case .authenticated: _ = connection.openChannel(.session)
                case .channelOpened(let id): connection.request(.shell, on: id, wantReply: true)
                case .channelData(let id, let count): connection.consumed(count, on: id)
                case .channelOpenRequested(let id, _): connection.confirmChannel(id)
                case .globalRequest(_, true): connection.answerGlobalRequest(success: false)
                default: break
                }
            }
        } catch { return }
        connection.output.removeAll()
    }
}

/// Plain packets around the payloads of the input.
private func framed(_ bytes: [UInt8]) -> [[UInt8]] {
    var packets: [[UInt8]] = []
    var rest = bytes[...]
    while rest.count > 2, packets.count < 64 {
        let count = Int(rest.removeFirst()) << 8 | Int(rest.removeFirst())
        let payload = rest.prefix(count)
        rest = rest.dropFirst(payload.count)
        guard !payload.isEmpty else { continue }
        var padding = 8 - (5 + payload.count) % 8
        if padding < 4 { padding += 8 }
        var writer = WireWriter()
        writer.write(uint32: UInt32(1 + payload.count + padding))
        writer.write(byte: UInt8(padding))
        writer.write(fixed: Array(payload))
        writer.write(fixed: [UInt8](repeating: 0, count: padding))
        packets.append(writer.take())
    }
    return packets
}
