// SPDX-License-Identifier: Apache-2.0

/// Comparison whose time does not depend on where two secrets differ.
package enum ConstantTime {
    /// Whether both hold the same bytes. Their lengths are not secret.
    @inline(never)
    package static func equal(_ first: RawSpan, _ second: RawSpan) -> Bool {
        guard first.byteCount == second.byteCount else { return false }
        var difference: UInt8 = 0
        for index in 0..<first.byteCount {
            difference |= first[byteAt: index] ^ second[byteAt: index]
        }
        return difference == 0
    }

    /// Whether both hold the same bytes. Their lengths are not secret.
    package static func equal(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        equal(first.rawBytes, second.rawBytes)
    }
}
