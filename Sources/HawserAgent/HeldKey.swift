// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
internal import HawserWire

/// A key in an agent.
package struct HeldKey: Sendable {
    /// Where its private half is.
    package enum Holder: Sendable {
        /// In this process; for a security key, the handle that its token needs.
        case here(PrivateKey)
        /// In a token behind a PKCS#11 library.
        case provider(path: String)
    }

    /// The plain key, or the certificate.
    package let publicKey: PublicKey
    package var holder: Holder
    package var commentBytes: [UInt8]
    /// When it is forgotten, on the clock of `AgentMoment`.
    package var expiresAt: UInt64?
    package var confirms: Bool
    package var destinations: [DestinationConstraint]
    package var securityKeyProvider: String?

    /// The PKCS#11 library that the key came from.
    var providerPath: String? {
        if case .provider(let path) = holder { path } else { nil }
    }

    package var comment: String { String(octets: commentBytes) }
}

extension HeldKey {
    /// Whether the connection that `bindings` describe may see and use the key. `user` is given
    /// when the key is to sign a login, and nil when it is only listed or removed.
    func isPermitted(
        to bindings: ConnectionBindings,
        user: String? = nil,
        epochSeconds: UInt64
    ) -> Bool {
        guard !destinations.isEmpty else { return true }
        guard let last = bindings.sessions.last else { return !bindings.wasAttempted }
        var origin: PublicKey?
        for (index, session) in bindings.sessions.enumerated() {
            let isLast = index == bindings.sessions.count - 1
            if isLast {
                // Who only passes the connection on cannot log in with it.
                if session.isForwarding, user != nil { return false }
            } else if !session.isForwarding {
                return false
            }
            let isAllowed = permits(
                from: origin,
                to: session.hostKey,
                user: isLast ? user : nil,
                epochSeconds
            )
            guard isAllowed else { return false }
            origin = session.hostKey
        }
        // At the end of a forwarding, only keys that can go further are shown.
        guard last.isForwarding, user == nil else { return true }
        return permits(from: last.hostKey, to: nil, user: nil, epochSeconds)
    }

    private func permits(
        from origin: PublicKey?,
        to target: PublicKey?,
        user: String?,
        _ epochSeconds: UInt64
    ) -> Bool {
        destinations.contains {
            $0.permits(from: origin, to: target, user: user, epochSeconds: epochSeconds)
        }
    }
}
