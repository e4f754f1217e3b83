// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// A non-negative integer of any size, wiped when it goes.
@safe
package final class BigNumber {
    let number: UnsafeMutablePointer<BIGNUM>

    /// From a magnitude, big-endian; leading zeros are allowed.
    package init(_ magnitude: [UInt8]) {
        // SAFETY: reads `count` bytes; freed in `deinit`; allocation failure aborts.
        unsafe number = CCryptoBoringSSL_BN_bin2bn(magnitude, magnitude.count, nil).neverNil
    }

    package init(_ value: UInt32) {
        // SAFETY: freed in `deinit`.
        unsafe number = CCryptoBoringSSL_BN_new().neverNil
        _ = unsafe CCryptoBoringSSL_BN_set_word(number, UInt64(value))
    }

    /// Takes over a number that BoringSSL allocated.
    init(owning number: UnsafeMutablePointer<BIGNUM>) {
        unsafe self.number = number
    }

    deinit {
        // SAFETY: the one owner.
        unsafe CCryptoBoringSSL_BN_clear_free(number)
    }

    /// Big-endian, without leading zeros; zero is empty.
    package var magnitude: [UInt8] { unsafe Self.magnitude(of: number) }

    package var bits: Int { unsafe Int(CCryptoBoringSSL_BN_num_bits(number)) }

    package var isOdd: Bool { unsafe CCryptoBoringSSL_BN_is_odd(number) == 1 }

    /// Big-endian in exactly `bytes` bytes, or nil when it needs more.
    package func padded(to bytes: Int) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: bytes)
        // SAFETY: writes `bytes` bytes.
        let fits = unsafe CCryptoBoringSSL_BN_bn2bin_padded(&result, bytes, number)
        return fits == 1 ? result : nil
    }

    /// -1, 0 or 1.
    package func compare(_ other: BigNumber) -> Int {
        unsafe Int(CCryptoBoringSSL_BN_cmp(number, other.number))
    }

    /// This number less one; zero stays zero.
    package func minusOne() -> BigNumber {
        // SAFETY: a fresh copy is changed.
        let copy = unsafe CCryptoBoringSSL_BN_dup(number).neverNil
        if unsafe CCryptoBoringSSL_BN_is_zero(copy) == 0 {
            _ = unsafe CCryptoBoringSSL_BN_sub_word(copy, 1)
        }
        return unsafe BigNumber(owning: copy)
    }

    /// `self ^ exponent mod modulus`, in constant time, or nil unless the modulus is odd and larger
    /// than this number.
    package func power(_ exponent: BigNumber, modulo modulus: BigNumber) -> BigNumber? {
        guard modulus.isOdd, compare(modulus) < 0 else { return nil }
        // SAFETY: all numbers live to the end of the call; the context is freed.
        let result = unsafe CCryptoBoringSSL_BN_new().neverNil
        let context = unsafe CCryptoBoringSSL_BN_CTX_new()
        defer { unsafe CCryptoBoringSSL_BN_CTX_free(context) }
        let done = unsafe CCryptoBoringSSL_BN_mod_exp_mont_consttime(
            result,
            number,
            exponent.number,
            modulus.number,
            context,
            nil
        )
        let power = unsafe BigNumber(owning: result)
        guard done == 1 else {
            CCryptoBoringSSL_ERR_clear_error()
            return nil
        }
        return power
    }

    /// Half of this number, rounded down.
    package func halved() -> BigNumber {
        // SAFETY: writes to a fresh number.
        let result = unsafe CCryptoBoringSSL_BN_new().neverNil
        _ = unsafe CCryptoBoringSSL_BN_rshift1(result, number)
        return unsafe BigNumber(owning: result)
    }

    /// Whether this is prime, wrong at most once in 2^80 (Miller-Rabin, `rounds` witnesses).
    package func isProbablyPrime(rounds: Int) -> Bool {
        // SAFETY: the context is freed.
        let context = unsafe CCryptoBoringSSL_BN_CTX_new()
        defer { unsafe CCryptoBoringSSL_BN_CTX_free(context) }
        return unsafe CCryptoBoringSSL_BN_is_prime_fasttest_ex(
            number,
            Int32(rounds),
            context,
            1,
            nil
        ) == 1
    }

    static func magnitude(of number: UnsafePointer<BIGNUM>?) -> [UInt8] {
        let count = unsafe Int(CCryptoBoringSSL_BN_num_bytes(number))
        var result = [UInt8](repeating: 0, count: count)
        // SAFETY: writes `count` bytes.
        _ = unsafe CCryptoBoringSSL_BN_bn2bin(number, &result)
        return result
    }
}
