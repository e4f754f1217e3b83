// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// UMAC with AES-128 and tags of 64 or 128 bits (RFC 4418; draft-miller-secsh-umac).
///
/// A message may be up to 16 MiB long, the reach of the first polynomial (§5.3); a packet is far
/// shorter. One value serves one direction of a connection.
package struct UMAC: ~Copyable {
    private let passes: Int
    private var padCipher = AES_KEY()
    /// L1 keys as words; pass `i` starts 4 words after pass `i - 1` (§5.1, the Toeplitz shift).
    private var hashKey: [UInt32]
    private var polynomialKey: [UInt64]
    private var innerProductKey: [UInt64]
    private var translationKey: [UInt32]
    /// The pad of the last nonce without its low bit: two 64-bit tags share one.
    private var pad: [UInt8] = [UInt8](repeating: 0, count: 16)
    private var padNonce: UInt64?

    /// `key` has 16 bytes; `tagBytes` is 8 or 16.
    package init(key: [UInt8], tagBytes: Int) {
        precondition(key.count == 16 && (tagBytes == 8 || tagBytes == 16))
        passes = tagBytes / 4
        var master = Self.cipher(key)
        hashKey = Self.words(
            Self.derive(&master, index: 1, bytes: Self.blockBytes + (passes - 1) * 16)
        )
        let polynomial = Self.derive(&master, index: 2, bytes: passes * 24)
        polynomialKey = (0..<passes).map {
            polynomial.rawBytes.bigEndianUInt64(at: $0 * 24) & 0x01ff_ffff_01ff_ffff
        }
        let inner = Self.derive(&master, index: 3, bytes: passes * 64)
        innerProductKey = (0..<passes * 8).map {
            inner.rawBytes.bigEndianUInt64(at: $0 * 8) % Self.prime36
        }
        translationKey = Self.words(Self.derive(&master, index: 4, bytes: passes * 4))
        padCipher = Self.cipher(Self.derive(&master, index: 0, bytes: 16))
    }

    /// Writes the tag of `message` under `nonce` to the start of `tag`.
    package mutating func tag(
        of message: RawSpan,
        nonce: UInt64,
        into tag: inout MutableRawSpan
    ) {
        let padOffset = preparePad(nonce: nonce)
        for pass in 0..<passes {
            let word = hash(message, pass: pass)
            let mask = pad.rawBytes.bigEndianUInt32(at: padOffset + pass * 4)
            tag.storeBytes(
                of: (word ^ mask).bigEndian,
                toByteOffset: pass * 4,
                as: UInt32.self
            )
        }
    }

    // MARK: Pad (§3.3)

    /// Makes `pad` the one for `nonce`; the offset in it at which this tag's pad starts.
    private mutating func preparePad(nonce: UInt64) -> Int {
        let halves: UInt64 = passes == 2 ? 1 : 0
        let base = nonce & ~halves
        if padNonce != base {
            let block = (base.bigEndian, UInt64(0))
            unsafe withUnsafeBytes(of: block) { bytes in
                // SAFETY: both blocks have 16 bytes.
                unsafe CCryptoBoringSSL_AES_encrypt(
                    bytes.bindMemory(to: UInt8.self).baseAddress,
                    &pad,
                    &padCipher
                )
            }
            padNonce = base
        }
        return Int(nonce & halves) * 8
    }

    private static func cipher(_ key: [UInt8]) -> AES_KEY {
        var cipher = AES_KEY()
        // SAFETY: reads 128 bits.
        _ = unsafe CCryptoBoringSSL_AES_set_encrypt_key(key, 128, &cipher)
        return cipher
    }

    /// `KDF(K, index, numbytes)` (§3.2.1).
    private static func derive(_ cipher: inout AES_KEY, index: UInt8, bytes: Int) -> [UInt8] {
        var derived: [UInt8] = []
        var counter: UInt64 = 1
        while derived.count < bytes {
            var block = [UInt8](repeating: 0, count: 16)
            block[7] = index
            var target = block.mutableRawBytes
            target.storeBytes(of: counter.bigEndian, toByteOffset: 8, as: UInt64.self)
            var output = [UInt8](repeating: 0, count: 16)
            // SAFETY: both blocks have 16 bytes.
            unsafe CCryptoBoringSSL_AES_encrypt(block, &output, &cipher)
            derived += output
            counter += 1
        }
        return Array(derived.prefix(bytes))
    }

    private static func words(_ bytes: [UInt8]) -> [UInt32] {
        (0..<bytes.count / 4).map { bytes.rawBytes.bigEndianUInt32(at: $0 * 4) }
    }

    // MARK: Hash (§5)

    private static let blockBytes = 1024
    private static let prime36: UInt64 = (1 << 36) - 5
    /// 2^64 - 59, and what the words at the top of the range are moved by.
    private static let prime64: UInt64 = 0xffff_ffff_ffff_ffc5
    private static let offset64: UInt64 = 59

    private mutating func hash(_ message: RawSpan, pass: Int) -> UInt32 {
        if message.byteCount <= Self.blockBytes {
            return innerProduct(0, blockHash(message, pass: pass), pass: pass)
        }
        var accumulator: UInt64 = 1
        var start = 0
        while start < message.byteCount {
            let count = min(Self.blockBytes, message.byteCount - start)
            let block = message.extracting(start..<start + count)
            accumulator = Self.polynomialStep(
                accumulator,
                polynomialKey[pass],
                blockHash(block, pass: pass)
            )
            start += count
        }
        return innerProduct(0, accumulator, pass: pass)
    }

    /// `NH` of one block of at most 1024 bytes, plus its length in bits (§5.2).
    private func blockHash(_ block: RawSpan, pass: Int) -> UInt64 {
        let whole = block.byteCount / 32 * 32
        var sum = Self.multiplyAdd(block.extracting(first: whole), hashKey, from: pass * 4)
        if whole < block.byteCount || block.byteCount == 0 {
            var padded: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            unsafe withUnsafeMutableBytes(of: &padded) { target in
                // SAFETY: fewer than 32 bytes are left, and the rest of the 32 stays zero.
                unsafe block.extracting(droppingFirst: whole).withUnsafeBytes { rest in
                    unsafe target.copyMemory(from: rest)
                }
                let words = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(target))
                sum &+= Self.multiplyAdd(words, hashKey, from: pass * 4 + whole / 4)
            }
        }
        return sum &+ UInt64(block.byteCount) &* 8
    }

    /// The sum of products over groups of eight little-endian words (§5.2.2).
    @inline(__always)
    private static func multiplyAdd(
        _ bytes: RawSpan,
        _ key: [UInt32],
        from keyIndex: Int
    ) -> UInt64 {
        let groups = bytes.byteCount / 32
        precondition(keyIndex >= 0 && keyIndex + groups * 8 <= key.count)
        var sums = SIMD4<UInt64>.zero
        // SAFETY: the precondition keeps the key in bounds, `groups` the message.
        unsafe bytes.withUnsafeBytes { message in
            unsafe key.withUnsafeBytes { key in
                for group in 0..<groups {
                    let at = group * 32
                    let keyAt = keyIndex * 4 + at
                    let low =
                        unsafe message.loadUnaligned(fromByteOffset: at, as: SIMD4<UInt32>.self)
                        &+ key.loadUnaligned(fromByteOffset: keyAt, as: SIMD4<UInt32>.self)
                    let high =
                        unsafe message.loadUnaligned(
                            fromByteOffset: at + 16,
                            as: SIMD4<UInt32>.self
                        )
                        &+ key.loadUnaligned(fromByteOffset: keyAt + 16, as: SIMD4<UInt32>.self)
                    sums &+=
                        SIMD4<UInt64>(truncatingIfNeeded: low)
                        &* SIMD4<UInt64>(truncatingIfNeeded: high)
                }
            }
        }
        return sums.wrappedSum()
    }

    /// One word into the polynomial modulo 2^64 - 59 (§5.3.2).
    private static func polynomialStep(_ sum: UInt64, _ key: UInt64, _ word: UInt64) -> UInt64 {
        if word >= 0xffff_ffff_0000_0000 {
            let marked = multiplyAddModulo(sum, key, prime64 - 1)
            return multiplyAddModulo(marked, key, word - offset64)
        }
        return multiplyAddModulo(sum, key, word)
    }

    /// `(sum * key + word) mod (2^64 - 59)`.
    private static func multiplyAddModulo(
        _ sum: UInt64,
        _ key: UInt64,
        _ word: UInt64
    ) -> UInt64 {
        let product = sum.multipliedFullWidth(by: key)
        let folded = product.high.multipliedFullWidth(by: offset64)
        var result = product.low
        var carries = folded.high
        for term in [folded.low, word] {
            let (partial, overflow) = result.addingReportingOverflow(term)
            result = partial
            carries += overflow ? 1 : 0
        }
        let (total, overflow) = result.addingReportingOverflow(carries &* offset64)
        result = overflow ? total &+ offset64 : total
        return result >= prime64 ? result - prime64 : result
    }

    /// `L3-HASH` of a 16-byte number (§5.4).
    private func innerProduct(_ high: UInt64, _ low: UInt64, pass: Int) -> UInt32 {
        var sum: UInt64 = 0
        for index in 0..<8 {
            let word = index < 4 ? high : low
            let part = word >> UInt64(48 - index % 4 * 16) & 0xffff
            sum += part * innerProductKey[pass * 8 + index]
        }
        return UInt32(truncatingIfNeeded: sum % Self.prime36) ^ translationKey[pass]
    }
}
