// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys

/// Key revocation lists and files of revoked keys. A list that is small enough is also taken apart
/// and written anew, which must not change what it revokes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKRL(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let revoked = try? RevokedKeys(contents: bytes) else { return 0 }
    _ = try? revoked.isRevoked(probe)
    guard case .list(let list) = revoked, var builder = try? KeyRevocationListBuilder(list) else {
        return 0
    }
    let written = builder.serialized(at: list.generated)
    guard let again = try? KeyRevocationList(contents: written) else {
        preconditionFailure("a list that we wrote")
    }
    precondition(again.isRevoked(probe) == list.isRevoked(probe))
    guard var last = try? KeyRevocationListBuilder(again) else {
        preconditionFailure("a list that we wrote")
    }
    precondition(last.serialized(at: list.generated) == written)
    return 0
}

/// Any key.
private let probe: PublicKey = {
    let key = try? PublicKey(.ed25519([UInt8](repeating: 7, count: 32)))
    guard let key else { preconditionFailure("a key of 32 bytes") }
    return key
}()
