// SPDX-License-Identifier: Apache-2.0

/// `IPQoS`: the class of service of what is sent, for terminals and for the rest (RFC 2474).
package struct TypeOfService: Equatable, Sendable {
    /// The whole byte; nil leaves it to the system.
    package var interactive: Int32?
    package var bulk: Int32?

    /// One word for both, or two; without a value OpenSSH 10's `ef cs0`.
    package init(_ value: String?) {
        let words = (value ?? "ef cs0").split(separator: " ").map(String.init)
        interactive = words.first.flatMap(IPQoS.value).map(Int32.init)
        bulk = words.last.flatMap(IPQoS.value).map(Int32.init)
    }
}
