// SPDX-License-Identifier: Apache-2.0

package import HawserCrypto

extension NISTCurve {
    /// The bytes of an uncompressed point (SEC 1 §2.3.3).
    package var pointBytes: Int { 1 + 2 * fieldBytes }

    package init?(bits: Int) {
        guard let curve = Self.allCases.first(where: { $0.bits == bits }) else { return nil }
        self = curve
    }
}
