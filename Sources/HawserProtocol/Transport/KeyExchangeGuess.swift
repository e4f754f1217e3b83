// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserLog

/// What a first key exchange is expected to agree on: the client's first message of the method then
/// goes out behind its KEXINIT, a round trip earlier (RFC 4253 §7, `first_kex_packet_follows`).
///
/// Right by the RFC's measure where both names are the first of both sides' lists. So the client puts
/// the name of the host key algorithm in front; the server's lists are what it showed the last time.
package struct KeyExchangeGuess: Equatable, Sendable {
    /// A method whose first message needs nothing of the peer's, for example `mlkem768x25519-sha256`.
    package var keyExchange: String
    /// For example `ssh-ed25519`.
    package var hostKey: String

    package init(keyExchange: String, hostKey: String) {
        self.keyExchange = keyExchange
        self.hostKey = hostKey
    }

    /// What an exchange could have begun with, had one known; nil where the server's lists begin with
    /// other names, or the method asks for a group first.
    init?(_ agreed: Negotiated, server: Proposal) {
        guard server.keyExchange.first == agreed.keyExchange,
            server.hostKey.first == agreed.hostKey,
            case .fixed? = KeyExchangeMethod(name: agreed.keyExchange)
        else { return nil }
        self.init(keyExchange: agreed.keyExchange, hostKey: agreed.hostKey)
    }
}

/// A value that was sent as a guess, until the server's KEXINIT tells what it is worth.
struct GuessedValue {
    var initiator: any KeyAgreementInitiator
    var isFiniteField: Bool
}

extension Transport {
    /// Client: begins the first exchange with a guess. Does nothing where the proposal does not fit.
    mutating func startExchange(guessing guess: KeyExchangeGuess) {
        guard options.isClient, options.proposal.keyExchange.first == guess.keyExchange,
            let place = options.proposal.hostKey.firstIndex(of: guess.hostKey),
            case .fixed(let algorithm)? = KeyExchangeMethod(name: guess.keyExchange),
            let initiator = try? algorithm.initiate(random)
        else { return }
        var proposal = options.proposal
        proposal.hostKey.remove(at: place)
        proposal.hostKey.insert(guess.hostKey, at: 0)
        startExchange(proposal, firstPacketFollows: true)
        let value = GuessedValue(
            initiator: initiator,
            isFiniteField: algorithm.group != nil
        )
        sendInit(.kexMethod30, value.initiator, isFiniteField: value.isFiniteField)
        log.debug("guessed key exchange: \(guess.keyExchange) with \(guess.hostKey)")
        guessed = value
        hasGuessed = true
    }

    /// Client: the server's KEXINIT has come. True when the guess was right, and the server answers it.
    ///
    /// Throws `ProtocolError` of kind `wrongGuess` where the order of the names has changed what is
    /// agreed on, and where the server may not know that it has to skip a wrong guess.
    mutating func settleGuess(
        _ agreed: Negotiated,
        client: KexInit,
        server: KexInit
    ) throws(ProtocolError) -> Bool {
        guard let value = guessed else { return false }
        guessed = nil
        guard
            options.proposal.hostKey.first(where: server.proposal.hostKey.contains)
                == agreed.hostKey
        else { throw ProtocolError(.wrongGuess, "the server's host key algorithms have changed") }
        guard client.hasSameFirst(as: server) else {
            log.debug("the guess was wrong: the server skips it")
            guard skipsWrongGuesses else {
                throw ProtocolError(.wrongGuess, "the server's key exchange methods have changed")
            }
            return false
        }
        exchange = .awaitingReply(value.initiator, prefix: [], isFiniteField: value.isFiniteField)
        return true
    }

    /// Of these servers it is known; others have been seen to take the guess for the real message.
    private var skipsWrongGuesses: Bool {
        let software = peerIdentification?.softwareVersion ?? ""
        return software.hasPrefix("OpenSSH") || software.hasPrefix("Hawser")
    }
}
