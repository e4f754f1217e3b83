// SPDX-License-Identifier: Apache-2.0

internal import CCryptoBoringSSL
internal import HawserWire

/// Where random bytes come from: the system's in programs, a seed in tests.
package protocol RandomSource: AnyObject {
    /// Overwrites all of `bytes`.
    func fill(_ bytes: inout MutableRawSpan)
}

extension RandomSource {
    package func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableRawBytes
        fill(&span)
        return bytes
    }

    /// A number from 0 up to, not including, `bound`; every one as likely as another.
    package func uniform(below bound: UInt32) -> UInt32 {
        precondition(bound > 0)
        // Values under this would make the small remainders likelier.
        let unfair = (0 &- bound) % bound
        while true {
            let value = bytes(4).rawBytes.bigEndianUInt32(at: 0)
            if value >= unfair { return value % bound }
        }
    }
}

/// The process's generator, seeded by the kernel.
package final class SystemRandom: RandomSource {
    package init() {}

    package func fill(_ bytes: inout MutableRawSpan) {
        unsafe bytes.withUnsafeMutableBytes { buffer in
            // SAFETY: writes `count` bytes to the buffer; it aborts rather than fail.
            _ = unsafe CCryptoBoringSSL_RAND_bytes(
                buffer.bindMemory(to: UInt8.self).baseAddress,
                buffer.count
            )
        }
    }
}

/// The same bytes for the same seed (ChaCha20 keystream). For tests only.
package final class SeededRandom: RandomSource {
    private let key: [UInt8]
    private var block: UInt32 = 0
    private var pending: [UInt8] = []
    private var next = 0

    package init(seed: UInt64) {
        var key = [UInt8](repeating: 0, count: 32)
        for index in 0..<8 { key[index] = UInt8(truncatingIfNeeded: seed >> UInt64(8 * index)) }
        self.key = key
    }

    package func fill(_ bytes: inout MutableRawSpan) {
        for index in 0..<bytes.byteCount {
            if next == pending.count { refill() }
            bytes[byteAt: index] = pending[next]
            next += 1
        }
    }

    private func refill() {
        let zeros = [UInt8](repeating: 0, count: 1024)
        let nonce = [UInt8](repeating: 0, count: 12)
        pending = zeros
        next = 0
        // SAFETY: reads and writes 1024 bytes, with a key of 32 and a nonce of 12.
        unsafe CCryptoBoringSSL_CRYPTO_chacha_20(&pending, zeros, zeros.count, key, nonce, block)
        block &+= 16
    }
}
