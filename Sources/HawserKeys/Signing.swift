// SPDX-License-Identifier: Apache-2.0

internal import HawserWire

/// The values inside signature blobs, from and to the raw numbers that HawserCrypto works on.
enum Signing {
    static func verify(
        _ signature: Signature,
        over message: RawSpan,
        with key: PublicKey.Material
    ) throws(KeyError) -> Bool {
        throw .unsupported("not yet")
    }

    static func sign(
        _ message: RawSpan,
        with key: PrivateKey,
        algorithm: SignatureAlgorithm
    ) throws(KeyError) -> [UInt8] {
        throw .unsupported("not yet")
    }
}
