// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys

/// File signatures, armoured or not, and files of allowed signers.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSSHSIG(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let parsed = (try? FileSignature(armored: bytes)) ?? (try? FileSignature(blob: bytes))
    if let signature = parsed {
        _ = try? signature.verify(
            digest: signature.hash.digest.finish(),
            namespace: signature.namespace
        )
        guard let again = try? FileSignature(armored: signature.armored) else {
            preconditionFailure("a signature that we wrote")
        }
        precondition(again.blob == signature.blob)
    }
    let signers = AllowedSigners(contents: bytes)
    let moment = AllowedSigners.Moment(
        seconds: 1_700_000_000,
        calendar: { UInt64(exactly: $0.secondsAsUTC) },
        text: { "\($0)" }
    )
    if let key = parsed?.publicKey {
        _ = signers.principals(of: key, at: moment, complain: { _ in })
    }
    _ = try? signers.patterns(
        matching: "a@b",
        calendar: moment.calendar,
        complain: { _ in }
    )
    return 0
}
