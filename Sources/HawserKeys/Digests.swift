// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The digests that file formats are built on.
enum Digests {
    static func digest(_ hash: Fingerprint.Hash, _ bytes: [UInt8]) -> [UInt8] {
        []
    }

    static func hmacSHA1(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        []
    }
}
