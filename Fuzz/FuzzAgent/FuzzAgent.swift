// SPDX-License-Identifier: Apache-2.0

internal import HawserAgent
internal import HawserCrypto
internal import HawserKeys
internal import HawserLog
internal import HawserWire

/// What comes over an agent's socket: requests one after the other, each with a length of two bytes
/// before it, on one connection of an agent that holds a key. Also what an agent and the helpers
/// answer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzAgent(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    _ = try? AgentReply(bytes.rawBytes).frame
    _ = try? SecurityKeyReply(bytes.rawBytes).frame
    _ = try? SecurityKeyRequest.Envelope(bytes.rawBytes)
    var server = AgentServer(
        options: AgentServer.Options(),
        log: .none,
        random: SeededRandom(seed: 1),
        canonicalPath: { $0 }
    )
    var bindings = ConnectionBindings()
    var now: UInt64 = 1
    var rest = bytes[...]
    carryOut(addition)
    while rest.count >= 2, let high = rest.popFirst(), let low = rest.popFirst() {
        let message = rest.prefix(Int(high) << 8 | Int(low))
        rest = rest.dropFirst(message.count)
        carryOut(Array(message))
    }
    return 0

    func carryOut(_ message: [UInt8]) {
        now += 1_000_000_000
        let moment = AgentMoment(nanoseconds: now, epochSeconds: 1_700_000_000)
        switch server.receive(message.rawBytes, bindings: &bindings, at: moment) {
        case .reply(let reply), .laterReply(let reply, _): _ = reply.frame
        case .confirm(let pending, _):
            _ = server.confirmed(pending, isGranted: true, at: moment)
        case .loadProvider(let request):
            _ = server.providerLoaded(request, keys: [], at: moment)
        case .unloadProvider(let path):
            _ = server.providerUnloaded(path: path, wasLoaded: true)
        case .signInProvider, .signInToken: break
        case .again(let time):
            now = max(now, time)
            carryOut(message)
        }
    }
}

/// The message that adds a key.
private let addition: [UInt8] = {
    let key = try? PrivateKey.generate(.ed25519, comment: [], random: SeededRandom(seed: 2))
    return key.map { Array(AgentRequest.add($0, KeyConstraints()).frame.dropFirst(4)) } ?? []
}()
