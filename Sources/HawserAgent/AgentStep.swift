// SPDX-License-Identifier: Apache-2.0

package import HawserKeys
package import HawserWire

/// What an agent does about a request. Each one leads to exactly one answer on its connection.
package enum AgentStep {
    case reply(AgentReply)
    /// The answer, not before this time has passed.
    case laterReply(AgentReply, delayNanoseconds: UInt64)
    /// Hand the request in again at this time of `AgentMoment.nanoseconds`, not before.
    case again(atNanoseconds: UInt64)
    /// Ask the user, then call `AgentServer.confirmed`.
    case confirm(PendingSignature, question: String)
    /// Let a PKCS#11 token sign.
    case signInProvider(path: String, key: PublicKey, data: [UInt8], algorithm: String?)
    /// Let a FIDO token sign.
    case signInToken(TokenSignature)
    /// Load a library, then call `AgentServer.providerLoaded`.
    case loadProvider(ProviderRequest)
    /// Let go of a library, then call `AgentServer.providerUnloaded`.
    case unloadProvider(path: String)
}

/// A signature that was asked for.
package struct PendingSignature: Sendable {
    package let keyBlob: [UInt8]
    package let data: [UInt8]
    package let flags: UInt32
    let bindings: ConnectionBindings
}

/// A signature that only a FIDO token can make.
package struct TokenSignature: Sendable {
    package let key: PrivateKey
    /// The library that speaks to it, or `internal`.
    package let provider: String
    package let data: [UInt8]
    /// The user was asked already.
    package let isConfirmed: Bool
    /// What to show while the token waits to be touched.
    package let question: String
}

/// A PKCS#11 library to be loaded.
package struct ProviderRequest: Sendable {
    /// Its real path, which is allowed.
    package let path: String
    package let pin: SecretBytes
    package let constraints: KeyConstraints
    let bindings: ConnectionBindings
}
