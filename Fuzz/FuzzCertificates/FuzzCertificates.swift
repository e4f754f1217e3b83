// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// Certificate blobs, and the checks that let their holders in: none may pass for both kinds, nor
/// for a name or a time that it does not say.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCertificates(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer lends `count` bytes for the length of this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let key = try? PublicKey(blob: bytes), let certificate = key.certificate else { return 0 }
    precondition(!certificate.signatureKey.type.isCertificate)
    precondition(!certificate.principals.contains { $0.utf8.contains(0) })
    _ = try? CertificateOptions(ofUser: certificate)
    let kind = certificate.kind
    let other: Certificate.Kind = kind == .user ? .host : .user
    let time = certificate.validAfter
    if let valid = try? key.validCertificate(of: kind, for: certificate.principals, at: time) {
        precondition(!valid.certificate.principals.isEmpty)
        precondition((try? key.validCertificate(of: other, for: nil, at: time)) == nil)
        let late = certificate.validBefore
        precondition((try? key.validCertificate(of: kind, for: nil, at: late)) == nil)
        precondition((try? key.validCertificate(of: kind, for: [], at: time)) == nil)
    }
    return 0
}
