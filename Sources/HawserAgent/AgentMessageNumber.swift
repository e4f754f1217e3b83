// SPDX-License-Identifier: Apache-2.0

/// The first byte of every message: RFC 9987
package enum AgentMessageNumber: UInt8, Sendable {
    case failure = 5
    case success = 6
    /// Protocol 1's "remove all keys", which an agent without such keys fulfils at once.
    case removeAllRSAIdentities = 9
    case requestIdentities = 11
    case identitiesAnswer = 12
    case signRequest = 13
    case signResponse = 14
    case addIdentity = 17
    case removeIdentity = 18
    case removeAllIdentities = 19
    case addSmartcardKey = 20
    case removeSmartcardKey = 21
    case lock = 22
    case unlock = 23
    case addIdentityConstrained = 25
    case addSmartcardKeyConstrained = 26
    case `extension` = 27
    case extensionFailure = 28
    case extensionResponse = 29
}
