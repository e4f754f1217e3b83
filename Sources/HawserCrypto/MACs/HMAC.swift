// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// HMAC (RFC 2104) with a key that stays.
@safe
package struct HMAC: ~Copyable {
    package let tagBytes: Int
    private var context: UnsafeMutablePointer<HMAC_CTX>

    package init(_ hash: HashAlgorithm, key: [UInt8]) {
        tagBytes = hash.digestBytes
        // SAFETY: allocated once, freed in `deinit`; the key is copied.
        unsafe context = CCryptoBoringSSL_HMAC_CTX_new().neverNil
        _ = unsafe CCryptoBoringSSL_HMAC_Init_ex(context, key, key.count, hash.digest, nil)
    }

    deinit {
        // SAFETY: the one owner; the key schedule is wiped.
        unsafe CCryptoBoringSSL_HMAC_CTX_free(context)
    }

    /// The code of `prefix`, a big-endian number, followed by `message`, into `tag`, which must have
    /// room for 64 bytes; `tagBytes` of them count.
    mutating func tag(
        prefix: UInt32,
        _ message: UnsafeRawBufferPointer,
        into tag: UnsafeMutablePointer<UInt8>
    ) {
        var number = prefix.bigEndian
        // SAFETY: reads four bytes and the message; writes at most 64 bytes.
        _ = unsafe CCryptoBoringSSL_HMAC_Init_ex(context, nil, 0, nil, nil)
        _ = unsafe CCryptoBoringSSL_HMAC_Update(context, &number, 4)
        _ = unsafe CCryptoBoringSSL_HMAC_Update(
            context,
            message.bindMemory(to: UInt8.self).baseAddress,
            message.count
        )
        _ = unsafe CCryptoBoringSSL_HMAC_Final(context, tag, nil)
    }

    /// The code of `message`.
    package mutating func tag(of message: RawSpan) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: tagBytes)
        unsafe message.withUnsafeBytes { buffer in
            // SAFETY: reads the message; writes `tagBytes` bytes.
            _ = unsafe CCryptoBoringSSL_HMAC_Init_ex(context, nil, 0, nil, nil)
            _ = unsafe CCryptoBoringSSL_HMAC_Update(
                context,
                buffer.bindMemory(to: UInt8.self).baseAddress,
                buffer.count
            )
            _ = unsafe CCryptoBoringSSL_HMAC_Final(context, &tag, nil)
        }
        return tag
    }

    /// The code of `message` under `key`, in one step.
    package static func tag(_ hash: HashAlgorithm, key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var hmac = HMAC(hash, key: key)
        return hmac.tag(of: message.rawBytes)
    }
}
