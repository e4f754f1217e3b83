// SPDX-License-Identifier: Apache-2.0

/// The curves of RFC 5656 §10.1 that every implementation has.
package enum NamedCurve: String, CaseIterable, Sendable {
    case p256 = "nistp256"
    case p384 = "nistp384"
    case p521 = "nistp521"

    package var bits: Int {
        switch self {
        case .p256: 256
        case .p384: 384
        case .p521: 521
        }
    }

    /// The bytes of one coordinate, and of a scalar.
    package var fieldBytes: Int { (bits + 7) / 8 }

    /// The bytes of an uncompressed point (SEC 1 §2.3.3).
    package var pointBytes: Int { 1 + 2 * fieldBytes }

    package init?(bits: Int) {
        guard let curve = Self.allCases.first(where: { $0.bits == bits }) else { return nil }
        self = curve
    }
}
