// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserWire

/// The machine of a key exchange (RFC 4253 §7), beside whatever else the connection does.
///
/// ```
///  idle ──our KEXINIT──▶ offered ──their KEXINIT──▶ the method's steps ──▶ awaitingNewKeys ──▶ idle
///  (their KEXINIT first: ours is sent at once, so that both have been said)
/// ```
enum KeyExchangeState {
    case idle
    /// Ours is sent, theirs has not come.
    case offered
    /// Client: a group was asked for.
    case awaitingGroup
    /// Client: our value is sent. `prefix` is what group exchange adds to the hash before the values.
    case awaitingReply(any KeyAgreementInitiator, prefix: [UInt8], isFiniteField: Bool)
    /// Client: the program decides about the host key.
    case awaitingHostKeyDecision(CompletedExchange)
    /// Server: the client's value, or its request for a group, comes next.
    case awaitingInit(GroupExchangeChoice?)
    /// Server: the program chooses a group.
    case awaitingGroupChoice(request: [UInt8], isOldRequest: Bool)
    /// Server: the program signs.
    case awaitingSignature(CompletedExchange, reply: [UInt8], isFiniteField: Bool)
    /// Our NEWKEYS is sent, theirs has not come.
    case awaitingNewKeys(opener: any PacketOpener)
}

/// A group of a group exchange and the request that led to it, as both enter the hash.
struct GroupExchangeChoice {
    var group: FiniteFieldGroup
    /// min, n, max or, for an old request, n alone.
    var request: [UInt8]

    /// The part of the hash before the public values (RFC 4419 §3).
    var hashPrefix: [UInt8] {
        var writer = WireWriter()
        writer.write(fixed: request)
        writer.write(multiplePrecision: group.prime)
        writer.write(multiplePrecision: group.generator)
        return writer.take()
    }
}

/// An exchange whose secret is known.
struct CompletedExchange {
    var secret: SharedSecret
    var exchangeHash: [UInt8]
    var hash: HashAlgorithm
    var hostKey: [UInt8]
}

/// Key exchange methods by name: the fixed ones and group exchange.
enum KeyExchangeMethod {
    case fixed(KeyAgreementAlgorithm)
    case groupExchange(HashAlgorithm)

    init?(name: String) {
        switch name {
        case "diffie-hellman-group-exchange-sha256": self = .groupExchange(.sha256)
        case "diffie-hellman-group-exchange-sha1": self = .groupExchange(.sha1)
        default:
            guard let algorithm = KeyAgreementAlgorithm(rawValue: name) else { return nil }
            self = .fixed(algorithm)
        }
    }

    var isGroupExchange: Bool {
        if case .groupExchange = self { true } else { false }
    }

    var hash: HashAlgorithm {
        switch self {
        case .fixed(let algorithm): algorithm.hash
        case .groupExchange(let hash): hash
        }
    }
}
