// SPDX-License-Identifier: Apache-2.0

internal import HawserConfig

/// `IPQoS`: the class of service of what is sent, for terminals and for the rest (RFC 2474).
package struct TypeOfService: Equatable, Sendable {
    /// The whole byte; nil leaves it to the system.
    package var interactive: Int32?
    package var bulk: Int32?

    /// One word for both, or two; without one OpenSSH 10's `ef cs0`.
    package init(_ words: [String]) {
        interactive = Self.value(words.first ?? "ef")
        bulk = Self.value(words.count > 1 ? words[1] : words.first ?? "cs0")
    }

    private static func value(_ word: String) -> Int32? { IPQoS.value(word).map(Int32.init) }
}
