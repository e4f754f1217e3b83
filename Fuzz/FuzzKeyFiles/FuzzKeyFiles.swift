// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// Everything that reads a key: private key files, public key files and lines, blobs, signatures.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKeyFiles(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    if let key = try? PrivateKeyFile.publicKey(in: bytes) { precondition(!key.blob.isEmpty) }
    // A passphrase would only let the fuzzer wait for bcrypt.
    _ = try? PrivateKeyFile.parse(bytes)
    _ = try? PublicKeyFile.parse(bytes)
    _ = try? RFC4716.parse(bytes)
    if let key = try? PublicKey(blob: bytes) {
        precondition(key.blob == bytes)
        try? key.verifyCertificate()
    }
    if let line = try? PublicKeyLine.parse(String(decoding: bytes, as: UTF8.self)) {
        let again = try? PublicKeyLine.parse(line.text)
        precondition(again?.key == line.key)
    }
    _ = try? Signature(blob: bytes.rawBytes)
    return 0
}
